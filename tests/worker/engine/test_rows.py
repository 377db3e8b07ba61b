"""Training on rows of a table: numbers to tell, weights of classes, and the same bits after a stop."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jobs.datasets import DatasetInfo, Target
from jobs.errors import InvalidSpec
from jobs.estimate import estimate
from tests.worker.engine.listening import Listener, run, same_bits, spec_of, stopped
from worker.datasets.memory import Dataset
from worker.engine.class_weights import class_weights
from worker.engine.losses import huber, mae

NUMBERS = DatasetInfo(
    name="numbers@1",
    kind="table",
    shape=(6,),
    targets=(Target("width", 100.0, 20.0), Target("weight", 0.0, 0.01)),
    train_examples=400,
    test_examples=100,
)
RARE = DatasetInfo(
    name="rare@1", kind="table", shape=(3,), classes=("often", "rarely"), train_examples=500, test_examples=200
)
SPEC: dict[str, Any] = {
    "model": {"type": "mlp", "hidden": [16]},
    "optimizer": {"type": "adam", "learning_rate": 0.01},
    "batch_size": 64,
    "epochs": 6,
}


@pytest.fixture(scope="module")
def numbers() -> Dataset:
    """Two numbers that are sums of six others, one of them with noise."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 6)).astype(np.float32)
    y = np.stack([x[:, 0] - x[:, 1], x[:, 2] + 0.1 * rng.normal(size=500)], axis=1).astype(np.float32)
    return Dataset(NUMBERS, x[:400], y[:400], x[400:], y[400:])


@pytest.fixture(scope="module")
def rare() -> Dataset:
    """Two classes that lie within each other, one of them a tenth."""
    rng = np.random.default_rng(2)
    y = (np.arange(700) % 10 == 0).astype(np.int32)
    x = (rng.normal(size=(700, 3)) + y[:, None]).astype(np.float32)
    return Dataset(RARE, x[:500], y[:500], x[500:], y[500:])


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
@pytest.mark.parametrize("execution", ["graph", "xla"])
def test_numbers_are_learnt_and_measured_in_their_units(numbers: Dataset, loss: str, execution: str) -> None:
    outcome, heard = run(numbers, spec_of(**{**SPEC, "epochs": 25}, loss=loss, execution=execution))
    assert outcome.test["r2"] > 0.9
    assert heard.epochs[-1].loss < heard.epochs[0].loss
    assert heard.epochs[-1].accuracy is None
    assert heard.epochs[-1].val_r2 == pytest.approx(outcome.test["r2"])
    # The width's deviation is 20, the weight's 0.01: their mean error is half of the first's, in its unit.
    assert 0.1 < outcome.test["mae"] < 5
    assert outcome.test["mae"] <= outcome.test["rmse"]


def test_metrics_are_those_of_the_weights(numbers: Dataset) -> None:
    outcome, _ = run(numbers, spec_of(**SPEC))
    weights = outcome.weights
    hidden = np.maximum(numbers.test_x @ weights["dense_1/kernel"] + weights["dense_1/bias"], 0)
    errors = hidden @ weights["output/kernel"] + weights["output/bias"] - numbers.test_y
    assert outcome.test["loss"] == pytest.approx((errors**2).sum(axis=1).mean(), rel=1e-5)
    scale = np.array([20.0, 0.01])
    assert outcome.test["mae"] == pytest.approx((np.abs(errors).mean(axis=0) * scale).mean(), rel=1e-5)


@pytest.mark.parametrize("stop_at", [2, 5])
def test_a_job_that_was_stopped_ends_in_the_same_bits_and_metrics(numbers: Dataset, stop_at: int) -> None:
    spec = spec_of(**SPEC, loss="huber", validation_split=0.1, early_stopping={"monitor": "val_rmse", "patience": 3})
    whole, heard = run(numbers, spec)
    half = stopped(numbers, spec, listener=Listener(stop_at=stop_at))
    rest, heard_rest = run(numbers, spec, resume=half.snapshot)
    assert same_bits(whole.weights, rest.weights)
    assert whole.test == rest.test
    assert heard_rest.epochs[-1].rmse == heard.epochs[-1].rmse


def test_stopping_by_r2_waits_for_it_to_rise_no_more(numbers: Dataset) -> None:
    rule = {"monitor": "val_r2", "patience": 2, "min_delta": 0.001}
    spec = spec_of(**{**SPEC, "epochs": 200}, validation_split=0.2, early_stopping=rule)
    outcome, heard = run(numbers, spec)
    assert outcome.reason == "early_stopped"
    measured = [epoch.val_r2 or 0 for epoch in heard.epochs]
    assert measured.index(max(measured[:-2])) == len(measured) - 3 or max(measured) - max(measured[:-2]) < 0.001


def test_losses_are_their_formulas() -> None:
    outputs, wanted = np.array([[0.5, -3.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    assert mae(tf.constant(outputs), tf.constant(wanted)).numpy() == pytest.approx([4.5])
    assert huber(tf.constant(outputs), tf.constant(wanted)).numpy() == pytest.approx([0.125 + 3.5])


def test_balanced_weights_find_the_rare_class(rare: Dataset) -> None:
    spec = {**SPEC, "loss": "cross_entropy", "epochs": 15}
    plain, _ = run(rare, spec_of(**spec))
    balanced, heard = run(rare, spec_of(**spec, class_weights="balanced"))
    assert balanced.test["recall"] > plain.test["recall"] + 0.05
    assert heard.epochs[-1].val_loss == pytest.approx(balanced.test["loss"])


def test_weights_average_one_over_the_training_examples() -> None:
    counts = np.array([90, 10, 0])
    for wanted in ("balanced", {"b": 3.0}):
        weights = class_weights(wanted, counts, names=("a", "b", "c"))  # pyright: ignore[reportArgumentType]
        assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
    assert class_weights("balanced", counts, names=("a", "b", "c")) == pytest.approx([100 / 180, 5, 0])
    given = class_weights({"b": 3.0}, counts, names=("a", "b", "c"))
    assert given[1] / given[0] == pytest.approx(3)


def test_a_cnn_over_rows_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="a cnn needs images") as refused:
        estimate(spec_of(model={"type": "cnn"}), NUMBERS)
    assert refused.value.pointer == "/model/type"
