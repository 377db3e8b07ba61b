"""What a job's buffers take. That it is what a trainer takes is tested beside the engine (test_memory_bound)."""

from typing import Any

import pytest

from jobs.architecture import describe
from jobs.datasets import find
from jobs.estimate import Estimate, estimate
from jobs.memory import EVALUATION_BYTES, VALUE, evaluated_values
from jobs.presets import PRESETS, resolve
from jobs.spec import Spec


def of(dataset: str = "mnist-10k", **body: Any) -> Estimate:
    return estimate(Spec.model_validate(body), find(dataset))


def test_a_batch_is_no_larger_than_the_examples_there_are() -> None:
    assert of(batch_size=65_536).batches.training == 9000
    assert of(batch_size=65_536).memory == of(batch_size=9000).memory
    assert of(batch_size=65_536, validation_split=0.1).batches.training == 8100
    assert of().batches.training == 128


@pytest.mark.parametrize("preset", PRESETS)
def test_a_presets_network_is_evaluated_in_batches_of_500(preset: str) -> None:
    spec = resolve(Spec(preset=preset))
    assert estimate(spec, find(spec.dataset)).batches.evaluation == 500


def test_a_wide_network_is_evaluated_in_smaller_batches() -> None:
    widest = of(model={"type": "cnn", "filters": [1024]})
    assert 1 < widest.batches.evaluation < 50
    assert widest.batches.evaluations_at_once == 1


@pytest.mark.parametrize("filters", [[1], [16, 32, 64], [100], [1024, 1024]])
def test_evaluations_under_way_take_no_more_than_they_may(filters: list[int]) -> None:
    spec = Spec.model_validate({"model": {"type": "cnn", "filters": filters}})
    network, sizes = describe(spec, find("mnist")), estimate(spec, find("mnist")).batches
    assert sizes.evaluation * sizes.evaluations_at_once * VALUE * evaluated_values(network) <= EVALUATION_BYTES


def test_each_copy_of_the_state_counts() -> None:
    plain, adam = of(), of(optimizer={"type": "adam"})
    assert plain.memory.state == 2 * plain.weight_bytes
    assert adam.memory.state == 2 * 3 * plain.weight_bytes
    assert of(execution="eager").memory.state == 3 * plain.weight_bytes
    assert plain.memory.snapshots == 3 * plain.weight_bytes
    assert of(checkpoint={"every_epochs": 1}).memory.snapshots == 4 * plain.weight_bytes
    stopping = of(validation_split=0.1, early_stopping={})
    assert stopping.memory.snapshots == 7 * plain.weight_bytes
    forgetful = of(validation_split=0.1, early_stopping={"restore_best": False})
    assert forgetful.memory.snapshots == plain.memory.snapshots


def test_the_rates_of_all_steps_count() -> None:
    # One step an example for ten thousand epochs: the schedule alone takes gigabytes.
    long = of(model={"type": "softmax"}, batch_size=1, epochs=10_000)
    assert long.memory.host_dataset > 90e6 * 24


def test_a_machine_holds_what_device_and_host_do() -> None:
    memory = of().memory
    assert memory.total_bytes == memory.device_bytes + memory.host_bytes == of().memory_bytes
