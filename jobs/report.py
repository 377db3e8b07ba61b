"""What a worker tells of the job that it holds."""

from dataclasses import dataclass

from jobs.record import Checkpoint, EpochMetrics, LogLine, Progress, Runtime
from jobs.states import Phase

LONGEST_SECONDS = 100 * 365 * 24 * 3600.0
"""A job takes no longer: an instant further away has no date."""


@dataclass(frozen=True, slots=True)
class Report:
    """News from a worker. `number` grows by one with every report of a claim; sending it again is harmless."""

    number: int
    progress: Progress | None = None
    remaining_seconds: float | None = None
    """How long the job still takes."""
    phase: Phase | None = None
    run: Runtime | None = None
    checkpoint: Checkpoint | None = None
    best: Checkpoint | None = None
    """The best epoch's checkpoint."""
    epochs: tuple[EpochMetrics, ...] = ()
    logs: tuple[LogLine, ...] = ()
    monitor: str | None = None
    """By what the best epoch is told; see `EpochMetrics.score`."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return self.only_progress and self.progress is None and self.remaining_seconds is None

    @property
    def only_progress(self) -> bool:
        """Whether a later report would make this one superfluous."""
        return not (self.phase or self.run or self.checkpoint or self.best or self.epochs or self.logs)

    def arguments(self) -> list[str]:
        """The report as the script takes it, in fours."""
        arguments: list[str] = []
        if self.run:
            arguments += ["run", self.run.model_dump_json(), "", ""]
        if self.phase:
            arguments += ["phase", self.phase, "", ""]
        if self.progress:
            arguments += ["progress", self.progress.model_dump_json(), "", ""]
        if self.remaining_seconds is not None:
            arguments += ["remaining", str(round(1000 * min(self.remaining_seconds, LONGEST_SECONDS))), "", ""]
        for epoch in self.epochs:
            arguments += ["metric", epoch.model_dump_json(), str(epoch.step), repr(epoch.score(self.monitor))]
        if self.checkpoint:
            arguments += ["checkpoint", self.checkpoint.model_dump_json(), "", ""]
        if self.best:
            arguments += ["best", self.best.model_dump_json(), "", ""]
        for line in self.logs:
            arguments += ["log", line.model_dump_json(), "", ""]
        return arguments
