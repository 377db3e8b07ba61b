"""What the engine's tests share: a configured TensorFlow, and datasets small enough to train on in no time."""

import numpy as np
import pytest

from jobs.datasets import DatasetInfo
from jobs.settings import Settings
from worker.datasets.memory import Dataset, Datasets, from_arrays
from worker.engine import devices

# TensorFlow takes its threads before its first operation only.
devices.configure(Settings(threads=2))


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """mnist-10k, the real images."""
    return Datasets(tmp_path_factory.mktemp("none")).load("mnist-10k")


def made_up(*, train: int, test: int, shape: tuple[int, int, int], classes: int) -> Dataset:
    """Images whose brightest band tells their class, on noise."""
    height, width, channels = shape
    names = tuple(str(number) for number in range(classes))
    info = DatasetInfo(name="made-up", shape=shape, classes=names, train_examples=train, test_examples=test)
    generator = np.random.default_rng(7)
    labels = generator.integers(0, classes, train + test).astype(np.uint8)
    images = generator.integers(0, 100, (train + test, height, width, channels)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label * height // classes : (label + 1) * height // classes] += 120
    parts = {"x_train": images[:train], "y_train": labels[:train], "x_test": images[train:], "y_test": labels[train:]}
    return from_arrays(info, parts)


@pytest.fixture(scope="session")
def bands() -> Dataset:
    """1,000 grey images of 14 x 14 in 10 classes: 9 steps of 96 and one of 36 when 100 are held out."""
    return made_up(train=1000, test=200, shape=(14, 14, 1), classes=10)


@pytest.fixture(scope="session")
def colours() -> Dataset:
    """300 colour images of 21 x 15 in 7 classes."""
    return made_up(train=300, test=70, shape=(21, 15, 3), classes=7)
