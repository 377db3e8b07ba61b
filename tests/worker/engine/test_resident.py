"""Datasets on a device."""

from tests.worker.engine.conftest import made_up
from worker.engine.resident import MOST_RESIDENTS, resident

CPU = "/device:CPU:0"


def small(images: int = 20):
    return made_up(train=images, test=5, shape=(4, 4, 1), classes=2)


def test_the_next_job_finds_the_same_tensors() -> None:
    dataset = small()
    assert resident(dataset, 20, CPU) is resident(dataset, 20, CPU)


def test_images_are_held_out_from_the_end() -> None:
    dataset = small()
    found = resident(dataset, 15, CPU)
    assert (found.train.images.numpy() == dataset.train_images[:15]).all()
    assert (found.validation.images.numpy() == dataset.train_images[15:]).all()
    assert found.validation is not found.test


def test_with_none_held_out_validation_is_the_test() -> None:
    found = resident(small(), 20, CPU)
    assert found.validation is found.test


def test_the_one_used_longest_ago_makes_room() -> None:
    first, others = small(), [small(21 + n) for n in range(MOST_RESIDENTS)]
    kept = resident(first, 20, CPU)
    for dataset in others:
        resident(dataset, 20, CPU)
    assert resident(first, 20, CPU) is not kept
