"""Datasets on a device."""

from tests.worker.engine.conftest import made_up
from worker.engine.device_data import MOST_ON_DEVICE, device_data

CPU = "/device:CPU:0"


def small(images: int = 20):
    return made_up(train=images, test=5, shape=(4, 4, 1), classes=2)


def test_the_next_job_finds_the_same_tensors() -> None:
    dataset = small()
    assert device_data(dataset, 20, CPU) is device_data(dataset, 20, CPU)


def test_images_are_held_out_from_the_end() -> None:
    dataset = small()
    found = device_data(dataset, 15, CPU)
    assert (found.train.examples.features.numpy() == dataset.train_x[:15]).all()
    assert (found.validation.examples.features.numpy() == dataset.train_x[15:]).all()
    assert found.validation is not found.test


def test_with_none_held_out_validation_is_the_test() -> None:
    found = device_data(small(), 20, CPU)
    assert found.validation is found.test


def test_the_one_used_longest_ago_makes_room() -> None:
    first, others = small(), [small(21 + n) for n in range(MOST_ON_DEVICE)]
    kept = device_data(first, 20, CPU)
    for dataset in others:
        device_data(dataset, 20, CPU)
    assert device_data(first, 20, CPU) is not kept
