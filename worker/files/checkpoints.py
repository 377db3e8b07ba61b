"""A job's checkpoints: written beside the training, recorded with their hash, found again by the next attempt.

Two are kept: the last, from which an interrupted job goes on, and that of the best epoch, as
`EpochMetrics.score` has it.
"""

import hashlib
import io
import math
import threading
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import structlog

from jobs.record import Checkpoint, EpochMetrics
from store.artifacts import Artifacts
from store.npz import npz_parts
from worker.engine.snapshot import Snapshot
from worker.files.checkpoint_writer import CheckpointWriter
from worker.lease.clock import elapsed_seconds
from worker.lease.lease import Lease

log = structlog.get_logger(__name__)

LAST, BEST = "checkpoint", "best"
"""First parts of the files' names."""


class Taken(NamedTuple):
    """A snapshot, and the metrics of the last whole epoch in it."""

    snapshot: Snapshot
    metrics: EpochMetrics | None


class Checkpoints:
    """The `Checkpointer` of a training loop, for one claim of a job. Leaving it writes what still waits.

    The loop only copies its state from the device; the writer's thread writes, always the newest. A file that is
    on record is never deleted before a newer one is on record.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        artifacts: Artifacts,
        writer: CheckpointWriter,
        steps_per_epoch: int,
        every_seconds: float,
    ) -> None:
        self._lease = lease
        self._artifacts = artifacts
        self._writer = writer
        self._steps_per_epoch = steps_per_epoch
        self._every_seconds = every_seconds
        self._every_epochs = lease.job.spec.checkpoint.every_epochs
        self._taken_at = elapsed_seconds()
        self._metrics = lease.job.metrics.latest
        rule = lease.job.spec.early_stopping
        self._monitor = rule.monitor if rule else None
        best = lease.job.best_checkpoint
        self._best_score = best.metrics.score(self._monitor) if best and best.metrics else -math.inf
        self._best: Taken | None = None
        """The best epoch that is not written yet. Written with the next checkpoint, so that it costs little."""
        self._lock = threading.Lock()
        self._waiting: Taken | None = None
        self._writing = threading.RLock()
        """Held while files are written, so that an older one is not recorded after a newer one."""
        self._is_writing = False
        self._refused = False
        """Whether the last file could not be written, which is told once."""
        self._kinds_kept: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.discard()
        self._write_waiting()

    # --- Checkpointer -----------------------------------------------------------------------------

    def offer(self, take: Callable[[], Snapshot]) -> None:
        """Take a snapshot when the last one is old enough, and written: each is a copy of the whole state."""
        if elapsed_seconds() - self._taken_at >= self._every_seconds and not self._behind:
            self._hand_over(take())

    def epoch_done(self, metrics: EpochMetrics, take: Callable[[], Snapshot]) -> None:
        """Take a snapshot of the best epoch so far, and of those that the spec asks for."""
        self._metrics = metrics
        asked_for = self._every_epochs is not None and metrics.epoch % self._every_epochs == 0
        score = metrics.score(self._monitor)
        best = score > self._best_score
        if not (asked_for or best):
            return
        # What the new one replaces makes room for it first.
        if best:
            self._best = None
        if asked_for:
            self._take_waiting()
        snapshot = take()
        if best:
            self._best_score = score
            self._best = Taken(snapshot, metrics)
        if asked_for:
            self._hand_over(snapshot)

    @property
    def _behind(self) -> bool:
        """Whether the writer still has a snapshot to write."""
        with self._lock:
            return self._is_writing or self._waiting is not None

    def _hand_over(self, snapshot: Snapshot) -> None:
        """Leave a snapshot to the writer, in the place of one that still waits."""
        with self._lock:
            self._waiting = self._taken(snapshot)
        self._taken_at = elapsed_seconds()
        self._writer.leave(self._write_waiting)

    # --- for the trainer --------------------------------------------------------------------------

    def write(self, snapshot: Snapshot) -> None:
        """Write and report one now. A disk that refuses costs work at the next resume, not the job."""
        with self._writing:
            self._take_waiting()
            self.write_best()
            self._write_last(self._taken(snapshot))

    def discard(self) -> None:
        """Forget what waits to be written: the claim has ended."""
        self._take_waiting()

    def write_best(self) -> None:
        """Write and report the best epoch's, if that is still to be done."""
        with self._writing:
            best, self._best = self._best, None
            if best and (checkpoint := self._write(BEST, best)):
                self._lease.best(checkpoint)
                self._prune(BEST, checkpoint, self._lease.recorded_best or self._lease.job.best_checkpoint)

    def latest(self) -> Snapshot | None:
        """The checkpoint on record, or None where there is none to go on from.

        Starting anew costs time but no bits: the same spec leads to the same weights.
        """
        checkpoint = self._lease.job.checkpoint
        if checkpoint is None:
            return None
        try:
            content = self._artifacts.read(self._lease.job.id, checkpoint.name)
        except OSError as error:
            log.warning("checkpoint_missing", job_id=self._lease.job.id, name=checkpoint.name, error=str(error))
            self._begins_anew(checkpoint, "cannot be read")
            return None
        if hashlib.sha256(content).hexdigest() != checkpoint.sha256:
            log.warning("checkpoint_damaged", job_id=self._lease.job.id, name=checkpoint.name)
            self._begins_anew(checkpoint, "is damaged")
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            snapshot = Snapshot.from_arrays(arrays)
        self._metrics = checkpoint.metrics
        log.info("resumed", checkpoint=checkpoint.name, step=checkpoint.step)
        self._lease.log(
            "info", f"goes on from {checkpoint.name}: epoch {checkpoint.epoch} done, step {checkpoint.step}"
        )
        return snapshot

    def _begins_anew(self, checkpoint: Checkpoint, why: str) -> None:
        message = f"its checkpoint {checkpoint.name} {why}: it begins anew, to the same result"
        self._lease.log("warning", message)

    # --- files ------------------------------------------------------------------------------------

    def _taken(self, snapshot: Snapshot) -> Taken:
        """With the metrics of its last whole epoch, which are on hand unless the job was claimed anew without it."""
        metrics = self._metrics if self._metrics and self._metrics.epoch == snapshot.epoch else None
        return Taken(snapshot, metrics)

    def _write_last(self, taken: Taken) -> None:
        if checkpoint := self._write(LAST, taken):
            self._lease.checkpoint(checkpoint)
            self._prune(LAST, checkpoint, self._lease.recorded_checkpoint or self._lease.job.checkpoint)

    def _write(self, kind: str, taken: Taken) -> Checkpoint | None:
        snapshot = taken.snapshot
        step = snapshot.epoch * self._steps_per_epoch + snapshot.step
        name = f"{kind}-{self._lease.fence}-{step}.npz"
        try:
            file = self._artifacts.write(self._lease.job.id, name, npz_parts(snapshot.arrays().items()))
        except OSError as error:
            log.warning("checkpoint_not_written", job_id=self._lease.job.id, name=name, error=str(error))
            if not self._refused:
                why = error.strerror or "I/O error"
                self._lease.log("warning", f"the disk does not take {name} ({why}): training goes on without")
            self._refused = True
            return None
        if self._refused or kind not in self._kinds_kept:
            # Each checkpoint is an event of its own: this is for who asks whether the job would survive.
            what = (
                f"another follows every {self._every_seconds:g} s of training" if kind == LAST else "the best epoch's"
            )
            self._lease.log("info", f"kept {name} ({file.size_bytes / 1e6:.1f} MB): {what}")
        self._refused = False
        self._kinds_kept.add(kind)
        return Checkpoint(
            name=name,
            epoch=snapshot.epoch,
            step=step,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            metrics=taken.metrics,
        )

    def _prune(self, kind: str, newest: Checkpoint, recorded: Checkpoint | None) -> None:
        keep = {newest.name, *([recorded.name] if recorded else [])}
        for file in self._artifacts.list(self._lease.job.id):
            if file.name.startswith(f"{kind}-") and file.name.endswith(".npz") and file.name not in keep:
                self._artifacts.delete(self._lease.job.id, file.name)

    def _write_waiting(self) -> None:
        """Write the snapshot that waits, if there is one; returns once none is being written."""
        with self._writing:
            if taken := self._take_waiting():
                self._is_writing = True
                try:
                    # First, as an attempt that goes on from the last will not see this epoch again.
                    self.write_best()
                    self._write_last(taken)
                finally:
                    self._is_writing = False

    def _take_waiting(self) -> Taken | None:
        with self._lock:
            taken, self._waiting = self._waiting, None
            return taken
