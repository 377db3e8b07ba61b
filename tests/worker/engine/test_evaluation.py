"""What is said of outputs, beside scikit-learn, SciPy, Keras and plain loops."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from jobs.architecture import describe
from jobs.datasets import DatasetInfo, Target
from jobs.evaluation import ClassEvaluation, TargetEvaluation
from jobs.spec import Spec
from worker.engine import evaluation
from worker.engine.evaluation import evaluate, probabilities, wilson
from worker.files.keras_model import keras_model

Told = tuple[np.ndarray, np.ndarray]

ANIMALS = ("ant", "bee", "cat", "dog", "eel")
TARGETS = (Target("width", 1000.0, 20.0), Target("weight", -3.0, 0.01), Target("profit", 1.7e9, 3e6))
STDS, MEANS = (np.array([target[place] for target in TARGETS]) for place in (2, 1))


def info_of(*, classes: tuple[str, ...] = (), targets: tuple[Target, ...] = ()) -> DatasetInfo:
    """A dataset of which only what is to be told matters."""
    return DatasetInfo(
        name="made-up", kind="table", shape=(3,), classes=classes, targets=targets, train_examples=1, test_examples=1
    )


def in_batches(told: Told, *ends: int) -> Iterator[Told]:
    """The examples in batches that end there."""
    edges = [0, *sorted(ends), len(told[1])]
    for start, stop in pairwise(edges):
        if stop > start:
            yield told[0][start:stop], told[1][start:stop]


def of_classes(
    told: Told, *ends: int, names: tuple[str, ...] = ANIMALS, loss: str = "cross_entropy"
) -> ClassEvaluation:
    """The evaluation of outputs [N, classes] and labels [N]."""
    found = evaluate(in_batches(told, *ends), info_of(classes=names), loss=loss)
    assert isinstance(found, ClassEvaluation)
    return found


def of_targets(told: Told, *ends: int, targets: tuple[Target, ...] = TARGETS) -> TargetEvaluation:
    """The evaluation of outputs and targets [N, targets]."""
    found = evaluate(in_batches(told, *ends), info_of(targets=targets), loss="mse")
    assert isinstance(found, TargetEvaluation)
    return found


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def numbered(count: int) -> tuple[str, ...]:
    return tuple(f"class {n}" for n in range(count))


# --- classes --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def animals() -> Told:
    """Outputs for 300 examples; there is no eel among them, and no dog is told."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 300).astype(np.int32)
    outputs = rng.normal(scale=1.5, size=(300, len(ANIMALS))).astype(np.float32)
    outputs[:, 3] = -100
    outputs[np.arange(300), labels] += 1.5
    return outputs, labels


def test_scores_of_each_class_are_scikit_learns(animals: Told) -> None:
    outputs, labels = animals
    found, best = of_classes(animals, 64, 128, 192, 256), outputs.argmax(axis=1)
    known: Any = {"labels": range(len(ANIMALS))}
    assert found.confusion_matrix == tuple(map(tuple, metrics.confusion_matrix(labels, best, **known).tolist()))
    assert found.accuracy == metrics.accuracy_score(labels, best)
    scores: Any = metrics.precision_recall_fscore_support(labels, best, **known, zero_division=cast(Any, 0.0))
    precision, recall, f1, support = scores
    assert tuple(of.name for of in found.classes) == ANIMALS
    assert [of.precision for of in found.classes] == pytest.approx(precision)
    assert [of.recall for of in found.classes] == pytest.approx(recall)
    assert [of.f1 for of in found.classes] == pytest.approx(f1)
    assert [of.examples for of in found.classes] == support.tolist()
    assert [of.predicted for of in found.classes] == np.bincount(best, minlength=len(ANIMALS)).tolist()
    dog, eel = found.classes[3:]
    assert (dog.predicted, dog.precision, dog.recall, dog.f1) == (0, 0, 0, 0)
    assert dog.examples > 50
    assert (eel.examples, eel.recall, eel.f1) == (0, 0, 0)
    assert eel.predicted > 10


def test_a_class_that_is_neither_there_nor_told_scores_nothing() -> None:
    outputs = np.array([[5, 0, 0], [0, 5, 0]], np.float32)
    unknown = of_classes((outputs, np.array([0, 1], np.int32)), names=("a", "b", "c")).classes[2]
    assert (unknown.examples, unknown.predicted, unknown.precision, unknown.recall, unknown.f1) == (0, 0, 0, 0, 0)


def test_calibration_error_is_that_of_a_plain_loop(animals: Told) -> None:
    outputs, labels = animals
    shares = softmax(outputs)
    top, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    found = of_classes(animals, 50).calibration
    error = 0.0
    for n, each in enumerate(found.bins):
        there = [at for at in range(300) if n / 15 < top[at] <= (n + 1) / 15]
        assert each.examples == len(there)
        assert (each.low, each.high) == pytest.approx((n / 15, (n + 1) / 15))
        if there:
            assert each.probability == pytest.approx(sum(top[at] for at in there) / len(there))
            assert each.accuracy == pytest.approx(sum(right[at] for at in there) / len(there))
            error += len(there) / 300 * abs(top[there].mean() - right[there].mean())
        else:
            assert (each.probability, each.accuracy) == (None, None)
    assert found.expected_error == pytest.approx(error)
    assert 0.01 < error < 0.5


def test_calibration_bins_cover_all_probabilities_and_add_up(animals: Told) -> None:
    found = of_classes(animals)
    bins = found.calibration.bins
    assert (bins[0].low, bins[-1].high) == (0, 1)
    assert all(left.high == right.low for left, right in pairwise(bins))
    assert sum(each.examples for each in bins) == 300
    assert sum(each.examples * (each.accuracy or 0) for each in bins) == pytest.approx(found.accuracy * 300)
    assert all(each.low < each.probability <= each.high for each in bins if each.probability is not None)


@pytest.mark.parametrize("count", [3, 5, 15])
def test_a_range_of_probabilities_includes_its_upper_end(count: int) -> None:
    found = of_classes((np.zeros((1, count), np.float32), np.zeros(1, np.int32)), names=numbered(count))
    (there,) = (each for each in found.calibration.bins if each.examples)
    assert there.high == there.probability == 1 / count


def test_certain_and_right_is_perfectly_calibrated() -> None:
    outputs = np.eye(4, dtype=np.float32) * 1000
    found = of_classes((outputs, np.arange(4, dtype=np.int32)), names=numbered(4))
    assert found.calibration.expected_error == 0
    assert found.calibration.bins[-1].model_dump() == {
        "low": pytest.approx(14 / 15),
        "high": 1,
        "examples": 4,
        "probability": 1,
        "accuracy": 1,
    }
    assert (found.worst, found.confusions) == ((), ())


def test_certain_and_wrong_is_off_by_all_of_it() -> None:
    outputs = np.eye(4, dtype=np.float32) * 1000
    found = of_classes((outputs, np.array([1, 2, 3, 0], np.int32)), names=numbered(4))
    assert found.calibration.expected_error == 1
    assert [(it.probability, it.actual_probability) for it in found.worst] == [(1, 0)] * 4
    assert [it.index for it in found.worst] == [0, 1, 2, 3]


def test_worst_are_those_whose_own_class_was_given_least(animals: Told) -> None:
    outputs, labels = animals
    shares = softmax(outputs)
    own, best = shares[np.arange(300), labels], shares.argmax(axis=1)
    wrong = sorted((at for at in range(300) if best[at] != labels[at]), key=lambda at: own[at])
    assert len(wrong) > 2 * 24
    for ends in ((), (100, 200), tuple(range(0, 300, 7))):
        worst = of_classes(animals, *ends).worst
        assert [it.index for it in worst] == wrong[:24]
        for it in worst:
            assert (it.actual, it.predicted) == (ANIMALS[labels[it.index]], ANIMALS[best[it.index]])
            assert it.probability == pytest.approx(shares[it.index].max())
            assert it.actual_probability == pytest.approx(own[it.index], abs=0)


def test_fewer_mistakes_than_are_shown_are_all_shown(animals: Told) -> None:
    outputs, labels = animals[0].copy(), animals[1]
    outputs[np.arange(300), labels] = 100
    outputs[[17, 250], labels[[17, 250]]] = -1
    assert sorted(it.index for it in of_classes((outputs, labels), 64).worst) == [17, 250]


@pytest.mark.parametrize(("count", "has_matrix"), [(100, True), (101, False)])
def test_above_a_hundred_classes_there_is_no_matrix(count: int, has_matrix: bool) -> None:
    labels = np.arange(count, dtype=np.int32)
    outputs = np.roll(np.eye(count, dtype=np.float32), 1, axis=1)
    found = of_classes((outputs, labels), names=numbered(count))
    assert (found.confusion_matrix is not None) == has_matrix
    assert len(found.classes) == count
    assert len(found.confusions) == 50
    assert (found.confusions[0].actual, found.confusions[0].predicted) == ("class 0", "class 1")


def test_most_confused_pairs_come_first(animals: Told) -> None:
    outputs, labels = animals
    pairs = Counter(
        (ANIMALS[actual], ANIMALS[told])
        for actual, told in zip(labels, outputs.argmax(axis=1), strict=True)
        if actual != told
    )
    found = of_classes(animals, 99).confusions
    assert {(it.actual, it.predicted): it.count for it in found} == pairs
    assert [it.count for it in found] == sorted(pairs.values(), reverse=True)


def test_one_example_is_enough_for_classes() -> None:
    found = of_classes((np.array([[0, 3, 0, 0, 0]], np.float32), np.array([2], np.int32)))
    assert (found.accuracy, [it.index for it in found.worst]) == (0, [0])
    assert [(it.actual, it.predicted, it.count) for it in found.confusions] == [("cat", "bee", 1)]


@given(st.lists(st.integers(0, 300), max_size=8), st.sampled_from(["cross_entropy", "mse"]))
def test_how_batches_of_classes_are_cut_makes_no_difference(ends: list[int], loss: str) -> None:
    rng = np.random.default_rng(6)
    outputs = rng.normal(size=(300, 4)).round(1).astype(np.float32)  # with ties
    told = outputs, rng.integers(0, 4, 300).astype(np.int32)
    whole, parts = (of_classes(told, *cut, names=numbered(4), loss=loss) for cut in ((), ends))
    exact = parts.model_copy(update={"calibration": whole.calibration})
    assert exact == whole
    assert parts.calibration.expected_error == pytest.approx(whole.calibration.expected_error)
    for one, other in zip(parts.calibration.bins, whole.calibration.bins, strict=True):
        assert one.model_dump() == pytest.approx(other.model_dump())


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=20))
def test_probabilities_are_shares_whatever_the_outputs(outputs: list[list[float]]) -> None:
    for loss in ("cross_entropy", "mse"):
        shares = probabilities(np.array(outputs, np.float32), loss=loss)
        assert (shares >= 0).all()
        assert (shares <= 1).all()
        assert shares.sum(axis=1) == pytest.approx(1)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # within Keras
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_probabilities_are_those_of_the_exported_model(loss: str) -> None:
    info = info_of(classes=ANIMALS)
    spec = Spec.model_validate({"model": {"type": "softmax"}, "loss": loss})
    rng = np.random.default_rng(8)
    kernel, bias = rng.normal(size=(3, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    model: Any = keras_model(spec, info, describe(spec, info), {"output/kernel": kernel, "output/bias": bias})
    inputs = np.concatenate([rng.normal(scale=3, size=(60, 3)), np.zeros((1, 3))]).astype(np.float32)
    outputs = inputs @ kernel + bias
    assert (outputs.max(axis=1) < 0).any()
    np.testing.assert_allclose(probabilities(outputs, loss=loss), model.predict(inputs, verbose=0), atol=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("outputs", [[0.0, 1e-30], [-1e-30, 0.0], [0.5, 0.5, 0.25]], ids=["above", "below", "equal"])
def test_what_is_predicted_is_what_metrics_count(outputs: list[float], loss: str) -> None:
    """`test_accuracy` asks for the largest output: outputs too close to have probabilities of their own count too."""
    told = np.array([outputs], np.float32)
    best = tf.argmax(told, axis=1, output_type=tf.int32).numpy()
    assert of_classes((told, best), names=numbered(len(outputs)), loss=loss).accuracy == 1


# --- Wilson's interval ----------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "low", "high"), [(45, 0.7864, 0.9565), (0, 0.0, 0.0713), (50, 0.9287, 1.0)])
def test_the_interval_is_the_known_one(right: int, low: float, high: float) -> None:
    found = wilson(right, 50)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 100_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_interval_is_scipys(counts: tuple[int, int]) -> None:
    right, examples = counts
    found = wilson(right, examples)
    wanted = stats.binomtest(right, examples).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-7)
    assert found.low - 1e-12 <= right / examples <= found.high + 1e-12


def test_the_interval_is_that_of_the_accuracy(animals: Told) -> None:
    found = of_classes(animals)
    assert found.accuracy_interval == wilson(round(300 * found.accuracy), 300)


# --- targets --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def numbers() -> Told:
    """Outputs and targets of 240 examples, in deviations."""
    rng = np.random.default_rng(4)
    wanted = rng.normal(size=(240, 3))
    told = wanted + rng.normal(loc=(0.2, 0, -0.1), scale=(0.3, 0.5, 1.5), size=(240, 3))
    return told.astype(np.float32), wanted.astype(np.float32)


def test_errors_of_each_target_are_scikit_learns_in_its_own_units(numbers: Told) -> None:
    guess, real = (values.astype(np.float64) * STDS + MEANS for values in numbers)
    found = of_targets(numbers, 100, 200).targets
    assert [of.name for of in found] == ["width", "weight", "profit"]
    each: Any = {"multioutput": "raw_values"}
    assert [of.mae for of in found] == pytest.approx(metrics.mean_absolute_error(real, guess, **each), rel=1e-6)
    assert [of.rmse for of in found] == pytest.approx(metrics.root_mean_squared_error(real, guess, **each), rel=1e-6)
    assert [of.r2 for of in found] == pytest.approx(metrics.r2_score(real, guess, **each), rel=1e-6)
    assert [of.mean_error for of in found] == pytest.approx((guess - real).mean(axis=0), rel=1e-6)
    for n, of in enumerate(found):
        assert of.quantiles.keys() == {"0.05", "0.25", "0.5", "0.75", "0.95"}
        for share, value in of.quantiles.items():
            wanted = np.quantile((guess - real)[:, n], float(share))
            assert value == pytest.approx(wanted, rel=1e-5, abs=1e-6 * STDS[n])


def test_every_error_is_in_the_histogram(numbers: Told) -> None:
    guess, real = (values.astype(np.float64) * STDS + MEANS for values in numbers)
    for n, of in enumerate(of_targets(numbers).targets):
        edges, errors = of.histogram.edges, (guess - real)[:, n]
        assert len(edges) == len(of.histogram.counts) + 1
        assert (edges[0], edges[-1]) == pytest.approx((errors.min(), errors.max()), rel=1e-6)
        assert list(edges) == sorted(set(edges))
        below = [int((errors < edge).sum()) for edge in edges[1:-1]]
        assert np.cumsum(of.histogram.counts).tolist() == [*below, 240]


def test_worst_errors_are_ranked_in_deviations(numbers: Told) -> None:
    told, wanted = numbers
    distances = np.abs(told - wanted)
    ranked = sorted(range(240), key=lambda at: -distances[at].max())[:24]
    for ends in ((), (100,), tuple(range(0, 240, 7))):
        worst = of_targets(numbers, *ends).worst
        assert [it.index for it in worst] == ranked
        for it in worst:
            n = int(distances[it.index].argmax())
            assert it.target == TARGETS[n].name
            assert it.actual == pytest.approx(wanted[it.index, n] * STDS[n] + MEANS[n], abs=1e-5 * STDS[n])
            assert it.predicted == pytest.approx(told[it.index, n] * STDS[n] + MEANS[n], abs=1e-5 * STDS[n])


def test_a_small_unit_hides_no_large_error() -> None:
    wanted = np.zeros((3, 3), np.float32)
    told = np.array([[0.5, 0, 0], [0, 2, 0], [0, 0, -1]], np.float32)
    found = [(it.index, it.target, it.actual, it.predicted) for it in of_targets((told, wanted)).worst]
    assert found == [
        (1, "weight", -3.0, pytest.approx(-2.98)),
        (2, "profit", 1.7e9, pytest.approx(1.697e9)),
        (0, "width", 1000.0, pytest.approx(1010.0)),
    ]


@pytest.mark.parametrize(("count", "targets", "most"), [(1201, 1, 500), (500, 1, 500), (1201, 16, 250), (333, 100, 50)])
def test_points_are_so_many_and_evenly_spaced(count: int, targets: int, most: int) -> None:
    places = np.repeat(np.arange(count, dtype=np.float32)[:, None], targets, axis=1)
    units = tuple(Target(f"t{n}", 0.0, 1.0) for n in range(targets))
    for of in of_targets((places + 0.5, places), 77, targets=units).targets:
        at = np.array(of.points.actual)
        assert len(at) == most
        assert (at[0], at[-1]) == (0, count - 1)
        assert np.diff(at).max() - np.diff(at).min() <= 1
        assert of.points.predicted == pytest.approx(at + 0.5)


def test_few_examples_are_all_points(numbers: Told) -> None:
    told, wanted = (values[:7] for values in numbers)
    for n, of in enumerate(of_targets((told, wanted)).targets):
        assert of.points.actual == pytest.approx(wanted[:, n] * STDS[n] + MEANS[n], abs=1e-5 * STDS[n])
        assert of.points.predicted == pytest.approx(told[:, n] * STDS[n] + MEANS[n], abs=1e-5 * STDS[n])


def test_where_all_targets_are_the_same_r2_says_whether_they_are_told() -> None:
    wanted = np.full((30, 3), 0.1, np.float32)
    told = wanted.copy()
    told[:, 1] += 1
    found = of_targets((told, wanted), 10).targets
    assert [of.r2 for of in found] == [1, 0, 1]
    assert [of.rmse for of in found] == pytest.approx([0, 0.01, 0])
    assert [sum(of.histogram.counts) for of in found] == [30, 30, 30]


def test_one_example_is_enough_for_targets() -> None:
    told, wanted = np.array([[1, 0, 2]], np.float32), np.array([[0, 0, 0]], np.float32)
    found = of_targets((told, wanted))
    assert [of.mae for of in found.targets] == [20, 0, 6e6]
    assert [of.r2 for of in found.targets] == [0, 1, 0]
    assert [of.points.actual for of in found.targets] == [(1000,), (-3,), (1.7e9,)]
    assert [(it.index, it.target) for it in found.worst] == [(0, "profit")]


@given(st.lists(st.integers(0, 240), max_size=8))
def test_how_batches_of_targets_are_cut_makes_no_difference(ends: list[int]) -> None:
    rng = np.random.default_rng(9)
    told = rng.normal(size=(240, 3)).round(1).astype(np.float32), rng.normal(size=(240, 3)).round(1).astype(np.float32)
    assert of_targets(told, *ends) == of_targets(told)


@pytest.mark.parametrize("std", [1e-300, 1e-200, 1e200, 1e300])
def test_targets_of_any_unit_are_evaluated(numbers: Told, std: float) -> None:
    """A table may have them, and training standardises them: its own metrics are finite."""
    told, wanted = (values[:, :1] for values in numbers)
    (of,) = of_targets((told, wanted), targets=(Target("x", 3 * std, std),)).targets
    assert of.r2 == pytest.approx(metrics.r2_score(wanted, told), rel=1e-5)
    assert of.mae / std == pytest.approx(metrics.mean_absolute_error(wanted, told), rel=1e-5)
    assert of.rmse / std == pytest.approx(metrics.root_mean_squared_error(wanted, told), rel=1e-5)
    assert all(map(math.isfinite, (*of.points.actual, *of.points.predicted, *of.histogram.edges)))


@pytest.mark.parametrize("told", [1.0, 1e18])
@pytest.mark.parametrize("difference", [0.0, 2e-16, 1e-15])
def test_errors_that_hardly_differ_are_evaluated(told: float, difference: float) -> None:
    """As of a network that tells the same of all examples, where the targets are as good as 0."""
    outputs, wanted = np.full((4, 1), told, np.float32), np.array([[0], [0], [difference], [0]], np.float32)
    (of,) = of_targets((outputs, wanted), targets=(Target("x", 0.0, 1.0),)).targets
    assert of.mae == pytest.approx(told)
    assert sum(of.histogram.counts) == 4


def test_what_is_shown_is_bounded() -> None:
    assert (evaluation.MOST_WORST, evaluation.MOST_CONFUSIONS, evaluation.MOST_IN_MATRIX) == (24, 50, 100)
    assert (evaluation.MOST_POINTS, evaluation.POINTS_IN_ALL, evaluation.CALIBRATION_BINS) == (500, 4000, 15)
