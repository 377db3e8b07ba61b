"""What the training loop needs from outside: somebody to report to, somebody who may stop it."""

from collections.abc import Callable
from typing import Any, Protocol

from jobs.record import EpochMetrics, LogLevel, Progress, Runtime
from jobs.states import Phase
from worker.engine.snapshot import Snapshot


class Reporter(Protocol):
    """Hears what the loop has to tell. Must not block."""

    def phase(self, phase: Phase) -> None:
        """The job is doing something else now."""
        ...

    def run(self, run: Runtime) -> None:
        """How the job runs."""
        ...

    def progress(self, progress: Progress) -> None:
        """How far the job has come; called once a chunk."""
        ...

    def remaining(self, seconds: float) -> None:
        """How long the job still takes, counted from now."""
        ...

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""
        ...

    def log(self, level: LogLevel, message: str) -> None:
        """Something that whoever follows the job should read."""
        ...


class Control(Protocol):
    """Decides whether training goes on."""

    def check_stop(self) -> Any | None:
        """Called between any two chunks: why training should end there, or None.

        The reason means something to whoever gives it; the loop hands it back in `Stopped`.
        """
        ...


class Checkpointer(Protocol):
    """Keeps snapshots, as often as it sees fit."""

    def offer(self, take: Callable[[], Snapshot]) -> None:
        """Called between any two chunks. `take` makes a snapshot: it waits for the device and copies from it."""
        ...

    def epoch_done(self, metrics: EpochMetrics, take: Callable[[], Snapshot]) -> None:
        """Called after every epoch, with its metrics. `take` makes a snapshot of where it ended."""
        ...


class NoCheckpoints:
    """A Checkpointer for those who do without."""

    def offer(self, take: Callable[[], Snapshot]) -> None:
        """Decline."""

    def epoch_done(self, metrics: EpochMetrics, take: Callable[[], Snapshot]) -> None:
        """Decline."""
