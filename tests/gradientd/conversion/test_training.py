"""A converted model learns as the model itself does in Keras."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from gradientd.conversion.keras_models import from_keras
from jobs.datasets import DatasetInfo
from tests.gradientd.conversion.examples import attention, convnet, structured, texts, xception
from tests.worker.engine.conftest import made_up
from tests.worker.engine.listening import run, spec_of
from worker.datasets.memory import Dataset, Datasets

SEEDS = 3
BATCH = 32
LEARNING_RATE = 3e-3


def of_values(x: np.ndarray, y: np.ndarray, *, classes: int) -> Dataset:
    """A dataset of arrays, of which the last fifth is to test on."""
    cut = len(x) * 4 // 5
    info = DatasetInfo(
        name="values",
        kind="arrays",
        shape=x.shape[1:],
        classes=tuple(map(str, range(classes))),
        train_examples=cut,
        test_examples=len(x) - cut,
    )
    rows = np.ascontiguousarray(x.reshape(len(x), -1), np.float32)
    labels = y.astype(np.int32)
    return Dataset(info, train_x=rows[:cut], train_y=labels[:cut], test_x=rows[cut:], test_y=labels[cut:])


def rows() -> Dataset:
    generator = np.random.default_rng(1)
    x = generator.normal(0, 1, (2500, 13))
    return of_values(x, x @ generator.normal(0, 1, 13) + x[:, 0] * x[:, 1] > 0, classes=2)


def words() -> Dataset:
    """Each class prefers other numbers."""
    generator = np.random.default_rng(2)
    y = generator.integers(0, 3, 4000)
    x = np.where(generator.random((4000, 20)) < 0.3, 16 * y[:, None] + 3, generator.integers(0, 50, (4000, 20)))
    return of_values(x, y, classes=3)


def waves() -> Dataset:
    """Each class has another frequency and level, and noise."""
    generator = np.random.default_rng(3)
    y = generator.integers(0, 4, 6000)
    steps = np.arange(24)[None, :, None] * (1 + y[:, None, None]) / 4 + np.arange(3)
    levels = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, -1.0, 1.0]])[y][:, None]
    return of_values(np.sin(steps) + levels + generator.normal(0, 0.5, (6000, 24, 3)), y, classes=4)


class Case(NamedTuple):
    """A model, and what it is to learn."""

    make: Callable[[], Any]
    data: Callable[[], Dataset]


CASES = {
    "convnet": Case(convnet, lambda: Datasets(None).load("mnist-10k")),  # pyright: ignore[reportArgumentType] (packaged)
    "structured": Case(structured, rows),
    "texts": Case(texts, words),
    "attention": Case(attention, waves),
    "xception": Case(xception, lambda: made_up(train=3000, test=500, shape=(32, 32, 3), classes=5)),
}


def by_keras(make: Callable[[], Any], dataset: Dataset, *, seed: int) -> float:
    """Accuracy on the test examples after an epoch of `fit`."""
    keras.utils.set_random_seed(seed)
    model = make()
    loss = "binary_crossentropy" if model.output_shape[1] == 1 else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss=loss, metrics=["accuracy"])
    shape = (-1, *dataset.info.shape)
    model.fit(dataset.train_x.reshape(shape), dataset.train_y, batch_size=BATCH, epochs=1, verbose=0)
    return model.evaluate(dataset.test_x.reshape(shape), dataset.test_y, verbose=0)[1]


def by_us(make: Callable[[], Any], dataset: Dataset, *, seed: int) -> float:
    """The same of a job."""
    spec = spec_of(
        model=from_keras(make()).model,
        loss="cross_entropy",
        optimizer={"type": "adam", "learning_rate": LEARNING_RATE},
        epochs=1,
        batch_size=BATCH,
        seed=seed,
        execution="graph",
    )
    return run(dataset, spec)[0].test["accuracy"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_epoch_gives_the_accuracy_of_keras_within_the_spread(case: Case) -> None:
    dataset = case.data()
    theirs = [by_keras(case.make, dataset, seed=seed) for seed in range(SEEDS)]
    ours = [by_us(case.make, dataset, seed=seed) for seed in range(SEEDS)]
    spread = max(max(theirs) - min(theirs), max(ours) - min(ours), 0.02)
    assert max(theirs) > 1.2 / len(dataset.info.classes), "nothing was learnt that could differ"
    assert abs(np.mean(ours) - np.mean(theirs)) <= spread, (ours, theirs)
