"""Trains one job in a process of its own, prints what it took.

`python -m tests.worker.engine.memory_run SPEC FOLDER [ARRAYS]`; ARRAYS is the DatasetInfo of random examples to train
on, instead of the dataset that the spec names.

The trainer's own parts, its checkpoints too, without a store: peak memory above the idle level, in bytes, on standard
output.
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from jobs.datasets import DatasetInfo
from jobs.estimate import estimate
from jobs.record import Checkpoint, LogLevel, Metrics
from jobs.settings import Settings
from jobs.spec import Spec
from store.artifacts import LocalArtifacts
from tests.worker.engine.listening import Listener
from worker import memory
from worker.datasets.memory import Dataset, Datasets
from worker.engine import devices
from worker.engine.execution import execution_for
from worker.engine.slot import Outcome
from worker.engine.train import train
from worker.files.checkpoint_writer import CheckpointWriter
from worker.files.checkpoints import Checkpoints
from worker.files.exports import weights_npz


@dataclass
class Claimed:
    """What checkpoints ask of a lease."""

    spec: Spec
    fence: int = 1
    recorded_checkpoint: Checkpoint | None = None
    recorded_best: Checkpoint | None = None
    job: SimpleNamespace = field(init=False)

    def __post_init__(self) -> None:
        self.job = SimpleNamespace(id="job", spec=self.spec, metrics=Metrics(), checkpoint=None, best_checkpoint=None)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.recorded_checkpoint = checkpoint

    def best(self, checkpoint: Checkpoint) -> None:
        self.recorded_best = checkpoint

    def log(self, level: LogLevel, message: str) -> None:
        """Nobody reads it."""


def made_up(info: DatasetInfo) -> Dataset:
    """Examples that tell nothing of their classes."""
    rng, counts = np.random.default_rng(0), (info.train_examples, info.test_examples)
    x = [
        rng.integers(0, 256, (count, info.values), np.uint8)
        if info.dtype == "uint8"
        else rng.standard_normal((count, info.values), np.float32)
        for count in counts
    ]
    y = [rng.integers(0, info.outputs, count, np.int32) for count in counts]
    return Dataset(info, x[0], y[0], x[1], y[1])


def main() -> None:
    spec, folder = Spec.model_validate(json.loads(sys.argv[1])), Path(sys.argv[2])
    devices.configure(Settings(threads=2))
    devices.warm_up()
    writer = CheckpointWriter()
    writer.start()
    idle = memory.held_bytes()
    memory.forget_peak()
    if given := sys.argv[3:]:
        facts = json.loads(given[0])
        info = DatasetInfo(**{**facts, **{name: tuple(facts[name]) for name in ("shape", "classes", "targets")}})
        dataset = made_up(info)
    else:
        dataset = Datasets(folder).load(spec.dataset)
    sizes, heard = estimate(spec, dataset.info), Listener()
    claimed, device = Claimed(spec), devices.choose("cpu")
    with Checkpoints(
        claimed,  # pyright: ignore[reportArgumentType] (as much of a lease as they use)
        artifacts=LocalArtifacts(folder),
        writer=writer,
        steps_per_epoch=sizes.steps_per_epoch,
        every_seconds=1,
    ) as checkpoints:
        ending = train(
            spec,
            dataset,
            sizes=sizes,
            execution=execution_for(spec, sizes, device=device),
            device=device,
            reporter=heard,
            control=heard,
            checkpointer=checkpoints,
        )
        checkpoints.write_best()
    assert isinstance(ending, Outcome)
    LocalArtifacts(folder).write("job", "weights.npz", weights_npz(ending.weights))
    sys.stdout.write(f"{json.dumps({'idle': idle, 'peak': memory.peak_bytes(), 'after': memory.held_bytes()})}\n")


if __name__ == "__main__":
    main()
