"""Trains a spec in this process, as a worker's trainer would."""

import numpy as np

from jobs.datasets import DatasetInfo
from jobs.estimate import Estimate
from jobs.record import EpochMetrics, LogLevel, Progress, Runtime
from jobs.settings import Settings
from jobs.spec import Spec
from jobs.states import Phase
from worker.datasets.memory import Dataset
from worker.engine import devices
from worker.engine.execution import execution_for
from worker.engine.slot import Outcome
from worker.engine.train import train


class _Quiet:
    """Hears everything and stops nothing."""

    def phase(self, phase: Phase) -> None: ...

    def run(self, run: Runtime) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def remaining(self, seconds: float) -> None: ...

    def epoch(self, metrics: EpochMetrics) -> None: ...

    def log(self, level: LogLevel, message: str) -> None: ...

    def check_stop(self) -> None: ...


_configured: list[int] = []


def trained(spec: Spec, info: DatasetInfo, arrays: dict[str, np.ndarray], sizes: Estimate) -> dict[str, float]:
    """The test metrics of the trained network."""
    if not _configured:
        _configured.append(devices.configure(Settings(device="cpu")))
    cpu, quiet = devices.choose("cpu"), _Quiet()
    outcome = train(
        spec,
        Dataset(info, **{name: arrays[name] for name in ("train_x", "train_y", "test_x", "test_y")}),  # pyright: ignore[reportArgumentType] (those four)
        sizes=sizes,
        execution=execution_for(spec, sizes, device=cpu),
        device=cpu,
        reporter=quiet,
        control=quiet,
    )
    assert isinstance(outcome, Outcome)
    return outcome.test
