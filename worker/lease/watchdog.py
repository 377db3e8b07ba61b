"""Notices a training that hangs: a step that never returns, or a wish to stop that is not heeded.

The lease's thread beats on while a step hangs, so a live lease does not mean that anything happens.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from worker.lease.lease import Lease, StopReason

LOOK_SECONDS = 0.25

DRAIN_SECONDS = 4.0
"""What a stopping worker's training has to come to its next look; whoever stopped the worker waits."""


class Watchdog:
    """Watches one hold while it is entered, and calls `end` once, from its own thread, when training hangs.

    Time is counted in looks: a process that was frozen and goes on gets its time from then on.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        stall_seconds: float,
        grace_seconds: float,
        draining: threading.Event,
        end: Callable[[StopReason | None], None],
    ) -> None:
        self._lease = lease
        self._stall_seconds = stall_seconds
        self._grace_seconds = grace_seconds
        self._draining = draining
        self._end = end
        """Takes the wish that was not heeded, or None for a step that does not return."""
        self._activity = lease.activity
        self._silent_seconds = 0.0
        self._unheeded_seconds = 0.0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watchdog-{lease.job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            if self._hangs():
                self._end(self._lease.stop_reason)
                return

    def _hangs(self) -> bool:
        activity = self._lease.activity
        self._silent_seconds = 0.0 if activity != self._activity else self._silent_seconds + LOOK_SECONDS
        self._activity = activity
        if self._silent_seconds > self._stall_seconds:
            return True
        if self._lease.stop_reason is None or self._lease.stopping:
            return False
        self._unheeded_seconds += LOOK_SECONDS
        hurry = self._draining.is_set()
        return self._unheeded_seconds > (min(DRAIN_SECONDS, self._grace_seconds) if hurry else self._grace_seconds)
