"""Says in lines what happens to a job: its changes of status, its epochs at a calm rate, its end."""

import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from gradientd.client.follow import Update
from jobs.record import EpochMetrics, Event, Job, Metrics, Transition
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
    reason = because(transition)
    if transition.status is Status.RUNNING:
        attempt = f", attempt {transition.attempt}" if transition.attempt > 1 else ""
        known = job.worker is not None and transition.attempt == job.attempt
        return f"running{f' on {job.worker}' if known else ''}{attempt}"
    if transition.status is Status.QUEUED and job.status is Status.QUEUED and job.queue_position:
        return f"queued{reason}, {job.queue_position} ahead of it"
    return f"{transition.status}{reason}"


def epoch_line(epoch: EpochMetrics, *, epochs: int) -> str:
    """One epoch's measurements, in at most 80 columns; they stay aligned from epoch to epoch."""
    return f"{measures(epoch, epochs=epochs)}  {rate(epoch.examples_per_second):>4} ex/s"


def measures(epoch: EpochMetrics, *, epochs: int) -> str:
    """How well the network did in one epoch: on the training examples, then on those held out."""
    train = quality(accuracy=epoch.accuracy, r2=epoch.r2)
    validated = quality(accuracy=epoch.val_accuracy, r2=epoch.val_r2)
    return (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}"
        f"  loss {figure(epoch.loss)} {train}"
        f"  val loss {figure(epoch.val_loss)} {validated}"
    )


def quality(*, accuracy: float | None, r2: float | None) -> str:
    """How well something is told: by its class, or by its number."""
    if accuracy is not None:
        return f"acc {accuracy:.4f}"
    return "" if r2 is None else f"R² {r2:6.3f}"


def figure(value: float) -> str:
    """A loss or the like in six characters, however large."""
    if not math.isfinite(value):
        return f"{value:>6}"
    decimals = 5 - len(f"{abs(value):.0f}")
    return f"{value:>6.{decimals}f}" if decimals >= 0 else f"{value:>6.0e}"


def rate(per_second: float) -> str:
    """A speed in at most four characters: `850`, `3.7k`, `142k`, `1.2M`."""
    for unit in ("", "k", "M", "G"):
        if per_second < 9.95 and unit:
            return f"{per_second:.1f}{unit}"
        if per_second < 999.5:
            return f"{per_second:.0f}{unit}"
        per_second /= 1000
    return "much"


def ending(job: Job) -> str:
    """How the job ended, in a line."""
    took = elapsed(job.started_at, job.finished_at)
    after = f" after {took}" if took else ""
    if job.status is Status.SUCCEEDED:
        reason = " (stopped early)" if job.status_reason == "early_stopped" else ""
        tested = tested_words(job.metrics)
        run = f", {job.run.execution} on {job.run.device_name}" if job.run else ""
        epochs = f"{job.progress.epoch} of {job.progress.epochs} epochs"
        within = f" in {took}" if took else ""
        return f"succeeded{reason}{tested} after {epochs}{within}{run}"
    if job.error is not None:
        return f"{job.status}{after}: {job.error.title}: {job.error.detail}"
    reason = f" ({job.status_reason.replace('_', ' ')})" if job.status_reason else ""
    return f"{job.status}{reason}{after}"


def tested_words(metrics: Metrics) -> str:
    """How well the final network does on the test examples, if that is known."""
    if metrics.test_accuracy is not None:
        return f": test accuracy {metrics.test_accuracy:.4f}"
    if metrics.test_r2 is not None and metrics.test_mae is not None:
        return f": test R² {metrics.test_r2:.3f}, mean error {figure(metrics.test_mae).strip()}"
    return ""


def elapsed(start: datetime | None, end: datetime | None) -> str:
    """`5.2 s`, or nothing where one of the two is not known."""
    if start is None or end is None:
        return ""
    return f"{(end - start).total_seconds():.1f} s"


def event_line(event: Event, *, epochs: int) -> str:
    """One entry of a job's history: when (UTC, by the store's clock) and what."""
    return f"{event.at.astimezone(UTC):%H:%M:%S}  {happened(event, epochs=epochs)}"


def happened(event: Event, *, epochs: int) -> str:
    """What an entry of a job's history tells."""
    data = event.data
    match event.type:
        case "metric":
            said = measures(EpochMetrics.model_validate(data, extra="ignore"), epochs=epochs)
        case "status":
            transition = Transition.model_validate({"at": event.at, **data}, extra="ignore")
            attempt = f", attempt {transition.attempt}" if transition.attempt > 1 else ""
            said = f"{transition.status}{because(transition)}{attempt}"
        case "run":
            said = f"runs as {data.get('execution')} on {data.get('device_name')}"
        case "checkpoint":
            said = f"kept {data.get('name')} after epoch {data.get('epoch')}, step {data.get('step')}"
        case "log":
            said = str(data.get("message"))
        case "done":
            said = "nothing more will follow"
        case other:  # of a newer server
            said = other
    return said


def because(transition: Transition) -> str:
    """The reason of a change of status in brackets, where it has one."""
    return f" ({transition.reason.replace('_', ' ')})" if transition.reason else ""
