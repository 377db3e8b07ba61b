"""A training run in a test: what it reported, and control over it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.estimate import estimate
from jobs.record import EpochMetrics, LogLevel, Progress, Runtime
from jobs.spec import Spec
from jobs.states import Phase
from worker.datasets.memory import Dataset
from worker.engine import devices
from worker.engine.execution import execution_for
from worker.engine.slot import Outcome, Stopped
from worker.engine.snapshot import Snapshot
from worker.engine.train import train


@dataclass
class Listener:
    """Reporter, control and checkpointer in one. Stops training at the `stop_at`-th look, if that is given."""

    stop_at: int | None = None
    phases: list[Phase] = field(default_factory=list)
    runs: list[Runtime] = field(default_factory=list)
    steps: list[Progress] = field(default_factory=list)
    epochs: list[EpochMetrics] = field(default_factory=list)
    remains: list[float] = field(default_factory=list)
    logs: list[tuple[LogLevel, str]] = field(default_factory=list)
    looks: int = 0
    offers: int = 0
    kept: list[tuple[EpochMetrics, Snapshot]] = field(default_factory=list)

    def phase(self, phase: Phase) -> None:
        self.phases.append(phase)

    def run(self, run: Runtime) -> None:
        self.runs.append(run)

    def progress(self, progress: Progress) -> None:
        self.steps.append(progress)

    def epoch(self, metrics: EpochMetrics) -> None:
        self.epochs.append(metrics)

    def remaining(self, seconds: float) -> None:
        self.remains.append(seconds)

    def log(self, level: LogLevel, message: str) -> None:
        self.logs.append((level, message))

    def check_stop(self) -> str | None:
        self.looks += 1
        return "enough" if self.looks == self.stop_at else None

    def offer(self, take: Callable[[], Snapshot]) -> None:
        self.offers += 1

    def epoch_done(self, metrics: EpochMetrics, take: Callable[[], Snapshot]) -> None:
        self.kept.append((metrics, take()))


def spec_of(**body: Any) -> Spec:
    """A spec from JSON values."""
    return Spec.model_validate(body)


def run(
    dataset: Dataset,
    spec: Spec,
    *,
    listener: Listener | None = None,
    resume: Snapshot | None = None,
    initial: Mapping[str, np.ndarray] | None = None,
    export_seconds: float = 0.0,
) -> tuple[Outcome, Listener]:
    """Train on the CPU, to the end."""
    listener = listener or Listener()
    ending = _train(dataset, spec, listener=listener, resume=resume, initial=initial, export_seconds=export_seconds)
    assert isinstance(ending, Outcome)
    return ending, listener


def stopped(
    dataset: Dataset, spec: Spec, *, listener: Listener, initial: Mapping[str, np.ndarray] | None = None
) -> Stopped:
    """Train on the CPU until the listener stops it."""
    ending = _train(dataset, spec, listener=listener, initial=initial)
    assert isinstance(ending, Stopped)
    return ending


def _train(
    dataset: Dataset,
    spec: Spec,
    *,
    listener: Listener,
    resume: Snapshot | None = None,
    initial: Mapping[str, np.ndarray] | None = None,
    export_seconds: float = 0.0,
) -> Outcome | Stopped:
    sizes, device = estimate(spec, dataset.info), devices.choose("cpu")
    return train(
        spec,
        dataset,
        sizes=sizes,
        execution=execution_for(spec, sizes, device=device),
        device=device,
        reporter=listener,
        control=listener,
        checkpointer=listener,
        resume=resume,
        initial=initial,
        export_seconds=export_seconds,
    )


def measured(metrics: EpochMetrics) -> dict[str, Any]:
    """An epoch's metrics without those that are times."""
    return metrics.model_dump(exclude={"seconds", "examples_per_second"})


def same_bits(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether two sets of weights are equal to the last bit."""
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)
