"""A job's checkpoints: written beside the training, recorded with their hash, found again by the next attempt."""

import hashlib
import io
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
import structlog

from jobs.record import Checkpoint
from worker.artifacts import Artifacts
from worker.clock import elapsed_seconds
from worker.engine.snapshot import Snapshot
from worker.hold import Hold

log = structlog.get_logger(__name__)


class Checkpoints:
    """The `Keeper` of a training loop, for one hold on a job. Enter it to start the writing thread.

    The loop only copies its state from the device; the thread writes. The file that is on record is never
    deleted before a newer one is on record.
    """

    def __init__(self, hold: Hold, *, artifacts: Artifacts, steps_per_epoch: int, every_seconds: float) -> None:
        self._hold = hold
        self._artifacts = artifacts
        self._steps_per_epoch = steps_per_epoch
        self._every_seconds = every_seconds
        self._taken_at = elapsed_seconds()
        self._changed = threading.Condition()
        self._waiting: Snapshot | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._write_waiting, name=f"checkpoints-{hold.job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def offer(self, take: Callable[[], Snapshot]) -> None:
        """Take a snapshot when the last one is old enough and has been written."""
        if elapsed_seconds() - self._taken_at < self._every_seconds or self._waiting is not None:
            return
        with self._changed:
            self._waiting = take()
            self._taken_at = elapsed_seconds()
            self._changed.notify_all()

    def write(self, snapshot: Snapshot) -> None:
        """Write and report one now. A disk that refuses costs work at the next resume, not the job."""
        step = snapshot.epoch * self._steps_per_epoch + snapshot.step
        name = f"checkpoint-{self._hold.fence}-{step}.npz"
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **snapshot.arrays())
        try:
            file = self._artifacts.write(self._hold.job.id, name, buffer.getvalue())
        except OSError as error:
            log.warning("checkpoint_not_written", name=name, error=str(error))
            return
        self._hold.checkpoint(
            Checkpoint(name=name, epoch=snapshot.epoch, step=step, size_bytes=file.size_bytes, sha256=file.sha256)
        )
        self._prune(newest=name)

    def latest(self) -> Snapshot | None:
        """The checkpoint on record, or None where there is none to go on from.

        Starting anew costs time but no bits: the same spec leads to the same weights.
        """
        checkpoint = self._hold.job.checkpoint
        if checkpoint is None:
            return None
        try:
            content = self._artifacts.read(self._hold.job.id, checkpoint.name)
        except OSError as error:
            log.warning("checkpoint_missing", name=checkpoint.name, error=str(error))
            return None
        if hashlib.sha256(content).hexdigest() != checkpoint.sha256:
            log.warning("checkpoint_damaged", name=checkpoint.name)
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            snapshot = Snapshot.from_arrays(arrays)
        log.info("resumed", checkpoint=checkpoint.name, step=checkpoint.step)
        return snapshot

    def discard(self) -> None:
        """Delete all: the job has succeeded, its final weights are stored."""
        self._artifacts.delete(self._hold.job.id, "checkpoint-*.npz")

    def _prune(self, *, newest: str) -> None:
        recorded = self._hold.recorded_checkpoint or self._hold.job.checkpoint
        self._artifacts.delete(
            self._hold.job.id, "checkpoint-*.npz", keep={newest, *([recorded.name] if recorded else [])}
        )

    def _write_waiting(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting is not None)
                if self._closed:
                    return
                snapshot = self._waiting
            if snapshot:
                self.write(snapshot)
            self._waiting = None
