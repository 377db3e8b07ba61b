"""What the training loop needs from outside: somebody to report to, somebody who may stop it."""

from typing import Any, Protocol

from jobs.record import EpochMetrics, Progress, Run
from jobs.states import Phase


class Stop(Exception):  # noqa: N818 (not an error: training ends here because somebody wants it)
    """Raised by `Control.check` to end training. `reason` means something to whoever raised it."""

    def __init__(self, reason: Any) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Reporter(Protocol):
    """Hears what the loop has to tell. Must not block."""

    def phase(self, phase: Phase) -> None:
        """The job is doing something else now."""
        ...

    def run(self, run: Run) -> None:
        """How the job runs."""
        ...

    def progress(self, progress: Progress) -> None:
        """How far the job has come; called once a chunk."""
        ...

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""
        ...


class Control(Protocol):
    """Decides whether training goes on."""

    def check(self) -> None:
        """Called between any two chunks. Raises Stop to end training there."""
        ...
