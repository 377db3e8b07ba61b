"""What a worker tells of the job that it holds."""

from dataclasses import dataclass

from jobs.record import Checkpoint, EpochMetrics, Progress, Runtime
from jobs.states import Phase


@dataclass(frozen=True, slots=True)
class Report:
    """News from a worker. `number` grows by one with every report of a claim; sending it again is harmless."""

    number: int
    progress: Progress | None = None
    phase: Phase | None = None
    run: Runtime | None = None
    checkpoint: Checkpoint | None = None
    best: Checkpoint | None = None
    """The best epoch's checkpoint."""
    epochs: tuple[EpochMetrics, ...] = ()
    monitor: str | None = None
    """By what the best epoch is told; see `EpochMetrics.score`."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return self.only_progress and not self.progress

    @property
    def only_progress(self) -> bool:
        """Whether a later report would make this one superfluous."""
        return not (self.phase or self.run or self.checkpoint or self.best or self.epochs)

    def arguments(self) -> list[str]:
        """The report as the script takes it, in fours."""
        arguments: list[str] = []
        if self.run:
            arguments += ["run", self.run.model_dump_json(), "", ""]
        if self.phase:
            arguments += ["phase", self.phase, "", ""]
        if self.progress:
            arguments += ["progress", self.progress.model_dump_json(), "", ""]
        for epoch in self.epochs:
            arguments += ["metric", epoch.model_dump_json(), str(epoch.step), repr(epoch.score(self.monitor))]
        if self.checkpoint:
            arguments += ["checkpoint", self.checkpoint.model_dump_json(), "", ""]
        if self.best:
            arguments += ["best", self.best.model_dump_json(), "", ""]
        return arguments
