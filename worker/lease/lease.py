"""A worker's lease of one job: reports go out under it, and what ends the job's training comes in.

The training loop never waits for Redis: it leaves its reports in an outbox, and the thread of `worker.lease.renewer`
sends them. A reason to stop arrives with every reply, and sooner through `worker.lease.control`.
"""

import threading
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

import redis
import structlog

from jobs.errors import StaleFence, StoreUnavailable
from jobs.record import Checkpoint, EpochMetrics, LogLevel, LogLine, Progress, Runtime
from jobs.report import Report
from jobs.states import Phase, Status
from store.calls import Operation, T, run
from store.jobs import Claim, Store
from worker.lease.clock import elapsed_seconds
from worker.lease.outage import Outage
from worker.lease.outbox import Outbox
from worker.lease.renewer import LeaseRenewer

log = structlog.get_logger(__name__)

PROGRESS_SECONDS = 0.5
"""Shortest time between two reports that carry nothing but progress."""

RETRY_SECONDS = 0.5
"""Wait before a report is sent again to a store that was away."""

LEASE_SHARE = 0.9
"""Share of the lease after which a worker that could not speak does nothing more until it has: another may hold the job
by then, or everybody has lost the store, and nobody does."""

UNSURE_LOOK_SECONDS = 0.1
"""Time between two looks whether the store is back."""


class StopReason(Enum):
    """Why training should stop."""

    CANCEL = "cancel"
    PAUSE = "pause"
    DRAIN = "drain"
    DEADLINE = "deadline"
    LOST = "lost"
    """The claim has ended, or must be taken for ended: nothing may be written any more."""


_STOP_REASONS = {Status.CANCELLING: StopReason.CANCEL, Status.PAUSING: StopReason.PAUSE}


class Lease:
    """The `Reporter` and `Control` of a training loop. Enter it to have it renewed.

    Everything public may be called from the training thread at any time; nothing blocks but `flush`, `until_done`, and
    `check_stop` while it is not sure whether the job is still held.
    """

    def __init__(
        self,
        claim: Claim,
        *,
        client: redis.Redis,
        store: Store,
        renewer: LeaseRenewer,
        beat_seconds: float,
        draining: threading.Event,
    ) -> None:
        self.job = claim.job
        self.owner = claim.owner
        self.fence = claim.fence
        self._client = client
        self._store = store
        self._renewer = renewer
        self._beat_seconds = beat_seconds
        self._draining = draining
        self._stop_reason: StopReason | None = None
        self.activity = 0
        """Grows whenever training shows that it goes on."""
        self.stopping = False
        """Whether the loop has been told to stop."""
        self._deadline = _deadline(claim)
        rule = claim.job.spec.early_stopping
        self._outbox = Outbox(wake=renewer.wake, monitor=rule.monitor if rule else None)
        self._renewed_at = self._progress_at = self._retry_at = elapsed_seconds()
        """Before `_progress_at` progress alone is not sent, and before `_retry_at` nothing is."""
        self._beat_at = self._renewed_at + beat_seconds
        """When there has been nothing to send for so long that a beat is."""
        self._recorded_checkpoint: Checkpoint | None = None
        self._recorded_best: Checkpoint | None = None
        self._closed = threading.Event()
        self._unsure = False
        """Whether the store has been away for so long that the job may be another's."""
        self._outage = Outage(job_id=claim.job.id)
        self._renewing = threading.Lock()
        """Held while the renewer speaks to the store."""

    def __enter__(self) -> Self:
        self._renewer.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._renewer.remove(self)
        with self._renewing:
            # What is being sent has ended now, and nothing follows.
            return

    # --- Reporter ---------------------------------------------------------------------------------

    def phase(self, phase: Phase) -> None:
        """The job is doing something else now."""
        self.activity += 1
        self._outbox.add(phase=phase)

    def run(self, run: Runtime) -> None:
        """How the job runs."""
        before = self.job.run if self.job.checkpoint else None
        if before and before.circumstances != run.circumstances:
            # It goes on all the same: other bits are better than no result.
            log.warning("resumed_otherwise", job_id=self.job.id, before=before.circumstances, now=run.circumstances)
            self.log("warning", f"goes on otherwise than before: {_differences(before, run)}; its bits may be others")
        self._outbox.add(run=run)

    def progress(self, progress: Progress) -> None:
        """How far the job has come. Sent at most every `PROGRESS_SECONDS`."""
        self._outbox.add(progress=progress)

    def remaining(self, seconds: float) -> None:
        """How long the job still takes; sent as often as progress."""
        self._outbox.add(remaining_seconds=seconds)

    def log(self, level: LogLevel, message: str) -> None:
        """A line for whoever follows the job: nothing of this machine's own, such as paths, belongs there."""
        self._outbox.add(log=LogLine.of(level, message))

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""
        self._outbox.add(epoch=metrics)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """A checkpoint was written."""
        self._outbox.add(checkpoint=checkpoint)

    def best(self, checkpoint: Checkpoint) -> None:
        """The best epoch's checkpoint was written."""
        self._outbox.add(best=checkpoint)

    @property
    def recorded_checkpoint(self) -> Checkpoint | None:
        """The last checkpoint of this claim that is on record."""
        return self._recorded_checkpoint

    @property
    def recorded_best(self) -> Checkpoint | None:
        """The last best epoch's checkpoint of this claim that is on record."""
        return self._recorded_best

    # --- Control ----------------------------------------------------------------------------------

    def check_stop(self) -> StopReason | None:
        """Why training should end here, or None. Asking shows that it goes on. Waits while the job may be another's."""
        self.activity += 1
        if self._unsure:
            self._wait_until_sure()
        return self.check_stop_waiting()

    def check_stop_waiting(self) -> StopReason | None:
        """The same while something else is waited for, which shows nothing."""
        stop_reason = self.stop_reason
        if stop_reason:
            self.stopping = True
        return stop_reason

    @property
    def stop_reason(self) -> StopReason | None:
        """Why training should stop, or None."""
        if self._stop_reason is None:
            if self._deadline is not None and elapsed_seconds() > self._deadline:
                self._stop_reason = StopReason.DEADLINE
            elif self._draining.is_set():
                self._stop_reason = StopReason.DRAIN
        return self._stop_reason

    def _wait_until_sure(self) -> None:
        """Return once the store has said who holds the job, or `check_silence` that this is not waited for."""
        began = elapsed_seconds()
        log.warning(
            "training_waits", job_id=self.job.id, detail="for the store, which has been away for most of a lease"
        )
        # It is the store that is waited for.
        before, self.stopping = self.stopping, True
        while self._unsure and not self._ended:
            self.activity += 1
            self._closed.wait(UNSURE_LOOK_SECONDS)
        self.stopping = before
        if not self._ended:
            seconds = elapsed_seconds() - began
            log.info("training_goes_on", job_id=self.job.id, seconds=round(seconds, 1))
            self.log("warning", f"waited {seconds:.0f} s for the store, which was away, and goes on")

    # --- the end ----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return once all reports were sent. Raises StaleFence when the claim ended before."""
        # From here on it is the store that is waited for.
        self.stopping = True
        self._outbox.flush(lambda: self._stop_reason is StopReason.LOST)
        if self._stop_reason is StopReason.LOST:
            raise StaleFence(self.job.id, self.fence)

    def until_done(self, make: Callable[[], Operation[T]]) -> T:
        """Carry out the operation that ends the claim, however long the store is away.

        Raises StaleFence when the claim ended otherwise meanwhile.
        """
        while True:
            try:
                result = run(self._client, make())
                self._outage.over()
                self._closed.set()
                return result
            except StoreUnavailable as error:
                self._outage.met(error)
                self.activity += 1
                self._closed.wait(RETRY_SECONDS)

    def ask(self, make: Callable[[], Operation[T]]) -> T | None:
        """The answer to a question, however long the store is away; None when training is to stop meanwhile."""
        while self.check_stop_waiting() is None:
            try:
                return run(self._client, make())
            except StoreUnavailable as error:
                self._outage.met(error)
                self._closed.wait(RETRY_SECONDS)
        return None

    # --- for the renewer --------------------------------------------------------------------------

    def due_at(self) -> float | None:
        """When, on the elapsed clock, the next report or beat is due; None when the lease has ended."""
        if self._ended:
            return None
        if self._outbox.empty:
            return self._beat_at
        return self._retry_at if self._outbox.urgent else max(self._retry_at, self._progress_at)

    def renew(self) -> bool:
        """Send what waits, or a beat when nothing does. Tells whether the store could be reached."""
        with self._renewing:
            if self._ended:
                return True
            report = self._outbox.take()
            try:
                status = run(
                    self._client,
                    self._store.report(self.job.id, self.fence, report)
                    if report
                    else self._store.beat(self.job.id, self.fence),
                )
            except StaleFence:
                if not self._closed.is_set():
                    self._lose("claim_ended")
                return True
            except StoreUnavailable as error:
                self._away(error)
                return False
            except Exception:  # what one lease meets must not end the beats of the others
                log.exception("lease_crashed", job_id=self.job.id)
                self._lose("lease_crashed")
                return True
            self._renewed(status, report)
            return True

    def check_silence(self) -> None:
        """The store is away: the hold is not sure any more when it could not be renewed for too long. A worker that is
        to stop waits for no store: what it has not written, the next attempt computes again.
        """
        if self._ended or elapsed_seconds() - self._renewed_at <= LEASE_SHARE * self._store.lease_seconds:
            return
        self._unsure = True
        if self._draining.is_set():
            self._lose("lease_ran_out")

    def _renewed(self, status: Status, report: Report | None) -> None:
        self._outage.over()
        self._renewed_at = elapsed_seconds()
        self._unsure = False
        self.on_status(status)
        quiet_seconds = 0.0
        if report:
            self._recorded_checkpoint = report.checkpoint or self._recorded_checkpoint
            self._recorded_best = report.best or self._recorded_best
            self._outbox.sent()
            quiet_seconds = PROGRESS_SECONDS if report.only_progress else 0.0
        self._progress_at = self._renewed_at + quiet_seconds
        self._beat_at = self._progress_at + self._beat_seconds

    def _away(self, error: StoreUnavailable) -> None:
        self._outage.met(error)
        self._retry_at = elapsed_seconds() + RETRY_SECONDS
        self._beat_at = self._retry_at + self._beat_seconds

    @property
    def _ended(self) -> bool:
        return self._closed.is_set() or self._stop_reason is StopReason.LOST

    def _lose(self, why: str) -> None:
        log.warning("hold_lost", job_id=self.job.id, fence=self.fence, why=why)
        self._stop_reason = StopReason.LOST
        self._outbox.give_up_changed()

    def on_status(self, status: Status) -> None:
        """Take note of the job's status, which may be a reason to stop. From any thread."""
        if self._stop_reason is None:
            self._stop_reason = _STOP_REASONS.get(status)


def _differences(before: Runtime, now: Runtime) -> str:
    """`threads 2 became 4`, for each thing that the bits depend on."""
    old, new = before.circumstances, now.circumstances
    return ", ".join(f"{name} {old[name]} became {new[name]}" for name in old if old[name] != new[name])


def _deadline(claim: Claim) -> float | None:
    """When, on the elapsed clock, the job has run for as long as it may."""
    limit = claim.job.spec.max_runtime_seconds
    return None if limit is None else elapsed_seconds() + limit - claim.ran_seconds
