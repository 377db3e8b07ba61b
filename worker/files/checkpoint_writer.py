"""Writes checkpoints beside the training, for all jobs of a process, from one thread."""

import queue
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class CheckpointWriter:
    """Does what jobs leave to it, one after the other."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was left until now, then no more."""
        self._waiting.put(None)
        self._thread.join()

    def leave(self, write: Callable[[], None]) -> None:
        """Have `write` called soon. It may have nothing to do by then."""
        self._waiting.put(write)

    def _run(self) -> None:
        while (write := self._waiting.get()) is not None:
            try:
                write()
            except Exception:  # what one job's state meets must not end the checkpoints of the others
                log.exception("checkpoint_crashed")
