"""Says in lines what happens to a job: its changes of status, its epochs at a calm rate, its end."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from gradientd.client.follow import Update
from jobs.record import EpochMetrics, Event, Job, Transition
from jobs.states import TERMINAL, Status

EPOCH_LINE_EVERY_SECONDS = 1.0


class ProgressLines:
    """Turns a job's updates into lines to print. One for each job that is followed."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._epoch_said_at = float("-inf")
        self._unsaid: EpochMetrics | None = None
        self._trouble: str | None = None

    def lines(self, update: Update) -> Iterator[str]:
        """What to print for an update."""
        if update.trouble != self._trouble:
            self._trouble = update.trouble
            yield f"{update.trouble}; trying again" if update.trouble else "the server answers again"
        for event in update.events:
            yield from self._event(event, update.job)
        if update.is_last:
            yield from self._held_back(update.job)
            yield ending(update.job)

    def _event(self, event: Event, job: Job) -> Iterator[str]:
        if event.type == "metric":
            self._unsaid = EpochMetrics.model_validate(event.data, extra="ignore")
            now = self._clock()
            if now - self._epoch_said_at >= EPOCH_LINE_EVERY_SECONDS:
                self._epoch_said_at = now
                yield from self._held_back(job)
        elif event.type == "status":
            transition = Transition.model_validate({"at": event.at, **event.data}, extra="ignore")
            if transition.status not in TERMINAL:
                yield from self._held_back(job)
                yield turn(transition, job)

    def _held_back(self, job: Job) -> Iterator[str]:
        if self._unsaid is not None:
            yield epoch_line(self._unsaid, epochs=job.progress.epochs)
            self._unsaid = None


def turn(transition: Transition, job: Job) -> str:
    """A change of status in words."""
    reason = f" ({transition.reason.replace('_', ' ')})" if transition.reason else ""
    if transition.status is Status.RUNNING:
        attempt = f", attempt {transition.attempt}" if transition.attempt > 1 else ""
        known = job.worker is not None and transition.attempt == job.attempt
        return f"running{f' on {job.worker}' if known else ''}{attempt}"
    if transition.status is Status.QUEUED and job.status is Status.QUEUED and job.queue_position:
        return f"queued{reason}, {job.queue_position} ahead of it"
    return f"{transition.status}{reason}"


def epoch_line(epoch: EpochMetrics, *, epochs: int) -> str:
    """One epoch's measurements; columns stay aligned from epoch to epoch."""
    return (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}"
        f"  loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.4f}"
        f"  val_loss {epoch.val_loss:.4f}  val_accuracy {epoch.val_accuracy:.4f}"
        f"  {epoch.examples_per_second:>9,.0f} examples/s"
    )


def ending(job: Job) -> str:
    """How the job ended, in a line."""
    took = elapsed(job.started_at, job.finished_at)
    after = f" after {took}" if took else ""
    if job.status is Status.SUCCEEDED:
        reason = " (stopped early)" if job.status_reason == "early_stopped" else ""
        accuracy = job.metrics.test_accuracy
        tested = "" if accuracy is None else f": test accuracy {accuracy:.4f}"
        run = f", {job.run.execution} on {job.run.device_name}" if job.run else ""
        epochs = f"{job.progress.epoch} of {job.progress.epochs} epochs"
        within = f" in {took}" if took else ""
        return f"succeeded{reason}{tested} after {epochs}{within}{run}"
    if job.error is not None:
        return f"{job.status}{after}: {job.error.title}: {job.error.detail}"
    reason = f" ({job.status_reason.replace('_', ' ')})" if job.status_reason else ""
    return f"{job.status}{reason}{after}"


def elapsed(start: datetime | None, end: datetime | None) -> str:
    """`5.2 s`, or nothing where one of the two is not known."""
    if start is None or end is None:
        return ""
    return f"{(end - start).total_seconds():.1f} s"
