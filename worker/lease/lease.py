"""A worker's hold on one job: keeps the lease, carries reports out, brings wishes to stop in.

The training loop never waits for Redis: it leaves its news here, and a thread sends them. A wish to stop
arrives with every answer, and sooner through `worker.lease.control`.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from types import TracebackType
from typing import Self

import redis
import structlog

from jobs.errors import StaleFence, StoreUnavailable
from jobs.record import Checkpoint, EpochMetrics, Progress, Runtime
from jobs.report import Report
from jobs.states import Phase, Status
from store.calls import Operation, T, run
from store.jobs import Claim, Store
from worker.lease.clock import elapsed_seconds

log = structlog.get_logger(__name__)

PROGRESS_SECONDS = 0.5
"""Shortest time between two reports that carry nothing but progress."""

RETRY_SECONDS = 0.5
"""Wait before a report is sent again to a store that was away."""

LEASE_SHARE = 0.9
"""Share of the lease after which a worker that could not speak stops by itself."""


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
    """The `Reporter` and `Control` of a training loop. Enter it to start the lease's thread.

    Everything public may be called from the training thread at any time; nothing blocks but `settle`
    and `until_done`.
    """

    def __init__(
        self,
        claim: Claim,
        *,
        client: redis.Redis,
        store: Store,
        beat_seconds: float,
        draining: threading.Event,
    ) -> None:
        self.job = claim.job
        self.fence = claim.fence
        self._client = client
        self._store = store
        self._beat_seconds = beat_seconds
        self._draining = draining
        self._stop_reason: StopReason | None = None
        self.activity = 0
        """Grows whenever training shows that it goes on."""
        self.stopping = False
        """Whether the loop has been told to stop."""
        self._deadline = _deadline(claim)
        self._outbox = _Outbox()
        self._spoke_at = elapsed_seconds()
        self._recorded_checkpoint: Checkpoint | None = None
        self._recorded_best: Checkpoint | None = None
        self._closed = threading.Event()
        self._speaker = threading.Thread(target=self._speak, name=f"lease-{self.job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._speaker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._outbox.close()
        self._speaker.join()

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
        self._outbox.add(run=run)

    def progress(self, progress: Progress) -> None:
        """How far the job has come. Sent at most every `PROGRESS_SECONDS`."""
        self._outbox.add(progress=progress)

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
        """The last checkpoint of this hold that is on record."""
        return self._recorded_checkpoint

    @property
    def recorded_best(self) -> Checkpoint | None:
        """The last best epoch's checkpoint of this hold that is on record."""
        return self._recorded_best

    # --- Control ----------------------------------------------------------------------------------

    def check_stop(self) -> StopReason | None:
        """Why training should end here, or None. Asking shows that it goes on."""
        self.activity += 1
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

    # --- the end ----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return once all news were sent. Raises StaleFence when the claim ended before."""
        # From here on it is the store that is waited for.
        self.stopping = True
        self._outbox.wait_empty(lambda: self._stop_reason is StopReason.LOST)
        if self._stop_reason is StopReason.LOST:
            raise StaleFence(self.job.id, self.fence)

    def until_done(self, make: Callable[[], Operation[T]]) -> T:
        """Carry out the operation that ends the claim, however long the store is away.

        Raises StaleFence when the claim ended otherwise meanwhile.
        """
        while True:
            try:
                result = run(self._client, make())
                self._closed.set()
                return result
            except StoreUnavailable as error:
                log.warning("store_away", job_id=self.job.id, error=str(error))
                self.activity += 1
                self._closed.wait(RETRY_SECONDS)

    # --- threads ----------------------------------------------------------------------------------

    def _speak(self) -> None:
        """Send news as they come, and a beat when there are none."""
        number = 0
        while not self._closed.is_set() and self._stop_reason is not StopReason.LOST:
            self._outbox.wait(self._beat_seconds)
            report = self._outbox.take(number + 1)
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
                return
            except StoreUnavailable as error:
                self._away(error)
                continue
            self._spoke_at = elapsed_seconds()
            self.on_status(status)
            if report:
                number = report.number
                self._recorded_checkpoint = report.checkpoint or self._recorded_checkpoint
                self._recorded_best = report.best or self._recorded_best
                self._outbox.sent()
                if report.only_progress:
                    # News that matter cut this pause short.
                    self._outbox.wait_beyond_progress(PROGRESS_SECONDS)

    def _away(self, error: StoreUnavailable) -> None:
        log.warning("store_away", job_id=self.job.id, error=str(error))
        if elapsed_seconds() - self._spoke_at > LEASE_SHARE * self._store.lease_seconds:
            self._lose("lease_ran_out")
        self._closed.wait(RETRY_SECONDS)

    def _lose(self, why: str) -> None:
        log.warning("hold_lost", job_id=self.job.id, fence=self.fence, why=why)
        self._stop_reason = StopReason.LOST
        self._outbox.close()

    def on_status(self, status: Status) -> None:
        """Take note of the job's status, which may be a wish to stop. From any thread."""
        if self._stop_reason is None:
            self._stop_reason = _STOP_REASONS.get(status)


def _deadline(claim: Claim) -> float | None:
    """When, on the elapsed clock, the job has run for as long as it may."""
    limit = claim.job.spec.max_runtime_seconds
    return None if limit is None else elapsed_seconds() + limit - claim.ran_seconds


class _Outbox:
    """What is to be sent. Newer progress, phases and checkpoints replace older ones; epochs are all kept."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pending = Report(0)
        self._sending: Report | None = None
        self._hurry = False
        self._closed = False

    def add(self, *, epoch: EpochMetrics | None = None, **newest: Phase | Runtime | Progress | Checkpoint) -> None:
        """Leave news: an epoch, or the newest `phase`, `run`, `progress`, `checkpoint` or `best`."""
        with self._changed:
            epochs = (*self._pending.epochs, epoch) if epoch else self._pending.epochs
            self._pending = replace(self._pending, epochs=epochs, **newest)
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait for news, for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._pending.empty, seconds)

    def wait_beyond_progress(self, seconds: float) -> None:
        """Wait for news other than progress, for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._hurry or not self._pending.only_progress, seconds)

    def take(self, number: int) -> Report | None:
        """What to send under this number: the same again until `sent` is called."""
        with self._changed:
            if self._sending is None and not self._pending.empty:
                self._sending = replace(self._pending, number=number)
                self._pending = Report(0)
            return self._sending

    def sent(self) -> None:
        """What was taken has arrived."""
        with self._changed:
            self._sending = None
            self._changed.notify_all()

    def wait_empty(self, give_up: Callable[[], bool]) -> None:
        """Wait until all has arrived, without any more pauses, or until `give_up` holds."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: (self._sending is None and self._pending.empty) or give_up())

    def close(self) -> None:
        """End all waiting, now and from now on."""
        with self._changed:
            self._closed = self._hurry = True
            self._changed.notify_all()
