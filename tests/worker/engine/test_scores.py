"""Metrics beside scikit-learn's."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from jobs.datasets import DatasetInfo, Target
from worker.engine import scores

CLASSES = 6
NUMBERS = DatasetInfo(
    name="numbers",
    kind="table",
    shape=(3,),
    targets=(Target("width", 10.0, 2.0), Target("weight", -3.0, 0.5)),
    train_examples=1,
    test_examples=1,
)


@pytest.fixture
def outputs() -> tuple[Any, Any]:
    """Of 300 examples, and their labels; class 4 is never there, 3 never told, and 5 neither."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 300).astype(np.int32)
    told = rng.normal(size=(300, CLASSES)).astype(np.float32)
    told[:, [3, 5]] = -100
    told[np.arange(300), labels] += 1.5
    return told, labels


def test_metrics_of_classes_are_scikit_learns(outputs: tuple[Any, Any]) -> None:
    told, labels = outputs
    mask = tf.ones(300)
    halves = [
        scores.count_by_class(told[half], labels[half], mask[half], classes=CLASSES).numpy()
        for half in (slice(0, 170), slice(170, 300))
    ]
    found = scores.of_classes(halves[0] + halves[1])
    best = told.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels,
        best,
        average="macro",
        zero_division=0.0,  # pyright: ignore[reportArgumentType]
    )
    wanted = {"accuracy": metrics.accuracy_score(labels, best), "precision": precision, "recall": recall, "f1": f1}
    assert found == pytest.approx(wanted)
    assert scores.count_right(told, labels, mask).numpy().tolist() == [(best == labels).sum()]


def test_filling_counts_for_nothing(outputs: tuple[Any, Any]) -> None:
    told, labels = outputs
    mask = tf.cast(tf.range(300) < 200, tf.float32)
    whole = scores.count_by_class(told[:200], labels[:200], tf.ones(200), classes=CLASSES)
    assert np.array_equal(scores.count_by_class(told, labels, mask, classes=CLASSES), whole)
    errors = scores.add_up_errors(told, told[::-1].copy(), mask)
    assert np.allclose(errors, scores.add_up_errors(told[:200], told[::-1][:200].copy(), tf.ones(200)), rtol=1e-5)


def test_metrics_of_numbers_are_scikit_learns_in_their_units() -> None:
    rng = np.random.default_rng(4)
    wanted: Any = rng.normal(size=(200, 2)).astype(np.float32)
    told: Any = (wanted + rng.normal(scale=0.3, size=(200, 2))).astype(np.float32)
    errors = scores.add_up_errors(told, wanted, tf.ones(200)).numpy()
    variances = wanted.astype(np.float64).var(axis=0)
    found = scores.of_numbers(errors, NUMBERS, count=200, variances=variances)
    scale, shift = np.array([2.0, 0.5]), np.array([10.0, -3.0])
    real, guess = wanted * scale + shift, told * scale + shift
    assert found == pytest.approx(
        {
            "mae": metrics.mean_absolute_error(real, guess),
            "rmse": metrics.root_mean_squared_error(real, guess),
            "r2": metrics.r2_score(real, guess),
        },
        rel=1e-5,
    )


def test_where_all_targets_are_the_same_r2_says_whether_they_are_told() -> None:
    right = scores.of_numbers(np.zeros((2, 2)), NUMBERS, count=3, variances=np.zeros(2))
    wrong = scores.of_numbers(np.ones((2, 2)), NUMBERS, count=3, variances=np.zeros(2))
    assert (right["r2"], wrong["r2"]) == (1.0, 0.0)
