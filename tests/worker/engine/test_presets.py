"""What the presets of layers learn."""

import numpy as np
import pytest

from jobs.datasets import DatasetInfo
from jobs.presets import resolve
from jobs.spec import Spec
from tests.worker.engine.listening import run
from worker.datasets.memory import Dataset


def accuracy(preset: str, dataset: Dataset, **changes: object) -> float:
    """On the test examples, by the graph: convolutions take XLA minutes to compile on a CPU."""
    body = {"preset": preset, "dataset": dataset.info.name, "execution": "graph", **changes}
    spec = resolve(Spec.model_validate(body), dataset.info)
    return run(dataset, spec)[0].test["accuracy"]


def as_arrays(dataset: Dataset) -> Dataset:
    """Its images as arrays of 28 steps of 28 features, standardised as uploads are."""
    info = DatasetInfo(
        name="rows",
        kind="arrays",
        shape=(28, 28),
        classes=dataset.info.classes,
        train_examples=dataset.info.train_examples,
        test_examples=dataset.info.test_examples,
    )
    mean, std = dataset.train_x.mean(), dataset.train_x.std()
    train, test = (((x - mean) / std).astype(np.float32) for x in (dataset.train_x, dataset.test_x))
    return Dataset(info, train_x=train, train_y=dataset.train_y, test_x=test, test_y=dataset.test_y)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_residual_network_tells_digits(digits: Dataset) -> None:
    assert accuracy("resnet-small", digits) >= 0.99  # 0.995 measured


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("preset", "least"), [("lstm", 0.955), ("attention", 0.955)])
def test_sequences_are_told_apart(preset: str, least: float, digits: Dataset) -> None:
    assert accuracy(preset, as_arrays(digits)) >= least


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_residual_network_tells_small_colour_images(colours: Dataset) -> None:
    assert accuracy("resnet-small", colours) >= 0.95
