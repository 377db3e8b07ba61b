"""Slots of one program end each on its own, and leave their neighbours' bits alone."""

from typing import Any

from jobs.errors import NonFiniteLoss
from jobs.estimate import estimate
from jobs.record import Device
from tests.worker.engine.listening import Listener, run, same_bits, spec_of
from worker.datasets.memory import Dataset
from worker.engine import devices
from worker.engine.device_data import device_data
from worker.engine.pace import Pace
from worker.engine.program import program
from worker.engine.slot import Outcome, Slot, Stopped
from worker.engine.train import Training

SOUND: dict[str, Any] = {
    "model": {"type": "mlp", "hidden": [16]},
    "batch_size": 96,
    "optimizer": {"type": "sgd", "learning_rate": 0.02},
    "execution": "graph",
    "epochs": 3,
}
BROKEN = SOUND | {"optimizer": {"type": "sgd", "learning_rate": 1e4}}


def trained(dataset: Dataset, *jobs: tuple[dict[str, Any], Listener]) -> list[Slot]:
    """Slots of one program, one a job, after training."""
    cpu: Device = devices.choose("cpu")
    kind = spec_of(**SOUND)
    runner = program(kind, dataset.info, execution="graph", device=cpu.name)
    slots = [
        Slot(
            spec_of(**body),
            estimate(spec_of(**body), dataset.info),
            program=runner,
            reporter=heard,
            control=heard,
            checkpointer=heard,
            pace=Pace(estimate(spec_of(**body), dataset.info), epochs=3, batch_size=96, test_examples=1),
        )
        for body, heard in jobs
    ]
    data = device_data(dataset, slots[0].sizes.train_examples, cpu.name)
    Training(runner, dataset.info, data, execution="graph", device=cpu, slots=slots).run()
    return slots


def test_a_loss_that_is_not_finite_ends_its_slot_alone(bands: Dataset) -> None:
    alone, _ = run(bands, spec_of(**SOUND))
    broken, sound = (slot.ending for slot in trained(bands, (BROKEN, Listener()), (SOUND, Listener())))
    assert isinstance(broken, NonFiniteLoss)
    assert isinstance(sound, Outcome)
    assert same_bits(alone.weights, sound.weights)


def test_a_reason_to_stop_ends_its_slot_alone_where_it_stands(bands: Dataset) -> None:
    alone, _ = run(bands, spec_of(**SOUND))
    stopped, sound = (slot.ending for slot in trained(bands, (SOUND, Listener(stop_at=2)), (SOUND, Listener())))
    assert isinstance(stopped, Stopped)
    assert isinstance(sound, Outcome)
    assert same_bits(alone.weights, sound.weights)
    resumed, _ = run(bands, spec_of(**SOUND), resume=stopped.snapshot)
    assert same_bits(alone.weights, resumed.weights)
