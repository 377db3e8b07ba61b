"""What a model's outputs say about it: scores of each class or target, calibration, and where it is most wrong.

By NumPy on the host, from the outputs of the test examples, batch by batch.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.datasets import DatasetInfo
from jobs.encoding import rounded
from jobs.evaluation import (
    Calibration,
    CalibrationBin,
    ClassEvaluation,
    ClassScores,
    Confusion,
    Histogram,
    Interval,
    Points,
    ShownExample,
    TargetErrors,
    TargetEvaluation,
    WrongClass,
    WrongNumber,
)

MOST_WORST = 24
MOST_CONFUSIONS = 50
MOST_IN_MATRIX = 100
"""Classes of a confusion matrix: one of a thousand is two million bytes of JSON that nobody looks at."""
CALIBRATION_BINS = 15
HISTOGRAM_BINS = 40
MOST_POINTS = 500
POINTS_IN_ALL = 4000
"""Of all targets together, but for 50 of each."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL_95 = 1.959964
"""Deviations of a normal distribution between which 95 % of it lie, on either side."""
LEAST_SHARE = 1e-6
"""Share of a softmax in the probabilities of a network that learnt one-hot labels: keeps the order of its outputs where
none is above 0."""

Told = tuple[np.ndarray, np.ndarray]
"""Outputs float32 [B, outputs] of a batch, and its labels int32 [B] or targets float32 [B, targets]."""
ModelEvaluation = ClassEvaluation | TargetEvaluation


def evaluate(told: Iterable[Told], dataset: DatasetInfo, *, loss: str) -> ModelEvaluation:
    """Evaluate what a model that was trained by a loss tells of all test examples, in their order."""
    if dataset.task == "regression":
        return _of_targets(told, dataset)
    return _of_classes(told, dataset.classes, loss=loss)


def probabilities(outputs: np.ndarray, *, loss: str) -> NDArray[np.float64]:
    """Probabilities [B, classes] of outputs [B, classes], as the exported model gives them."""
    logits = outputs.astype(np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    soft = exponentials / exponentials.sum(axis=1, keepdims=True)
    if loss == "cross_entropy":
        return soft
    above = np.maximum(logits, 0) + LEAST_SHARE * soft
    return above / above.sum(axis=1, keepdims=True)


# --- classes --------------------------------------------------------------------------------------


class _Mistake(NamedTuple):
    place: int
    actual: int
    predicted: int
    probability: float
    actual_probability: float


def _of_classes(told: Iterable[Told], classes: tuple[str, ...], *, loss: str) -> ClassEvaluation:
    count = len(classes)
    matrix = np.zeros((count, count), np.int64)
    bins = np.zeros((3, CALIBRATION_BINS))
    """Examples, sum of their probabilities, and right ones, of each bin."""
    worst: list[_Mistake] = []
    examples = 0
    for outputs, labels in told:
        # As metrics have it: two outputs may be too close for probabilities that differ.
        given, predicted = probabilities(outputs, loss=loss), outputs.argmax(axis=1)
        top, own = (given[np.arange(len(given)), at] for at in (predicted, labels))
        np.add.at(matrix, (labels, predicted), 1)
        bin_of = np.clip(np.ceil(top * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
        for row, weights in enumerate((None, top, predicted == labels)):
            bins[row] += np.bincount(bin_of, weights, CALIBRATION_BINS)
        wrong = np.flatnonzero(predicted != labels)
        worst += (
            _Mistake(examples + at, int(labels[at]), int(predicted[at]), float(top[at]), float(own[at]))
            for at in wrong[np.argsort(own[wrong], kind="stable")[:MOST_WORST]].tolist()
        )
        worst = sorted(worst, key=lambda it: it.actual_probability)[:MOST_WORST]
        examples += len(given)
    right = int(np.trace(matrix))
    return ClassEvaluation(
        accuracy=right / examples,
        accuracy_interval=wilson(right, examples),
        classes=tuple(_scores(matrix, classes)),
        confusion_matrix=tuple(map(tuple, matrix.tolist())) if count <= MOST_IN_MATRIX else None,
        confusions=tuple(_confusions(matrix, classes)),
        calibration=_calibration(*bins),
        worst=tuple(
            WrongClass(
                index=it.place,
                actual=classes[it.actual],
                predicted=classes[it.predicted],
                probability=it.probability,
                actual_probability=it.actual_probability,
                example=ShownExample(),
            )
            for it in worst
        ),
    )


def _scores(matrix: NDArray[np.int64], classes: tuple[str, ...]) -> Iterator[ClassScores]:
    columns = np.diag(matrix).tolist(), matrix.sum(axis=0).tolist(), matrix.sum(axis=1).tolist()
    for name, right, predicted, there in zip(classes, *columns, strict=True):
        yield ClassScores(
            name=name,
            examples=there,
            predicted=predicted,
            right=right,
            precision=right / predicted if predicted else 0.0,
            recall=right / there if there else 0.0,
            f1=2 * right / (predicted + there) if predicted + there else 0.0,
        )


def _confusions(matrix: NDArray[np.int64], classes: tuple[str, ...]) -> Iterator[Confusion]:
    wrong = matrix - np.diag(np.diag(matrix))
    for place in np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS].tolist():
        actual, predicted = divmod(place, len(classes))
        if count := int(wrong[actual, predicted]):
            yield Confusion(actual=classes[actual], predicted=classes[predicted], count=count)


def _calibration(examples: np.ndarray, probability: np.ndarray, right: np.ndarray) -> Calibration:
    bins: list[CalibrationBin] = []
    for n, (count, of, good) in enumerate(zip(examples.tolist(), probability.tolist(), right.tolist(), strict=True)):
        low, high = n / CALIBRATION_BINS, (n + 1) / CALIBRATION_BINS
        means = (min(of / count, 1.0), good / count) if count else (None, None)
        bins.append(CalibrationBin(low=low, high=high, examples=int(count), probability=means[0], accuracy=means[1]))
    return Calibration(
        bins=tuple(bins), expected_error=min(1.0, float(np.abs(probability - right).sum() / examples.sum()))
    )


def wilson(right: int, examples: int) -> Interval:
    """95 % interval of a share (Wilson 1927)."""
    share, z = right / examples, NORMAL_95
    middle = share + z * z / (2 * examples)
    reach = z * math.sqrt(share * (1 - share) / examples + z * z / (4 * examples * examples))
    whole = 1 + z * z / examples
    # The share itself is within, whatever was rounded.
    return Interval(
        low=min(share, max(0.0, (middle - reach) / whole)), high=max(share, min(1.0, (middle + reach) / whole))
    )


# --- targets --------------------------------------------------------------------------------------


def _of_targets(told: Iterable[Told], dataset: DatasetInfo) -> TargetEvaluation:
    pairs = list(told)
    predicted, actual = (np.concatenate([pair[n] for pair in pairs]) for n in (0, 1))
    distances = np.abs(predicted - actual)  # in deviations
    of_target = distances.argmax(axis=1)
    largest = distances[np.arange(len(distances)), of_target]
    worst = np.argsort(-largest, kind="stable")[:MOST_WORST]
    return TargetEvaluation(
        targets=tuple(_errors(predicted[:, n], actual[:, n], dataset, n) for n in range(dataset.outputs)),
        worst=tuple(_worst(at, int(of_target[at]), predicted, actual, dataset) for at in worst.tolist()),
    )


def _worst(at: int, of: int, predicted: np.ndarray, actual: np.ndarray, dataset: DatasetInfo) -> WrongNumber:
    target = dataset.targets[of]
    told, wanted = (float(values[at, of]) * target.std + target.mean for values in (predicted, actual))
    return WrongNumber(
        index=at,
        target=target.name,
        actual=rounded(wanted, target.std),
        predicted=rounded(told, target.std),
        example=ShownExample(),
    )


def _errors(predicted: np.ndarray, actual: np.ndarray, dataset: DatasetInfo, of: int) -> TargetErrors:
    """Those of one target, for standardised values [N]."""
    target = dataset.targets[of]
    # In deviations, whose squares are finite whatever the unit.
    errors = predicted.astype(np.float64) - actual
    squares, variance = float(np.square(errors).mean()), float(actual.astype(np.float64).var())
    low, high = float(errors.min()), float(errors.max())
    least = 1e-9 * max(1.0, abs(low), abs(high))
    reach = 0.0 if high - low > least else max(0.5, least)
    counts, edges = np.histogram(errors, HISTOGRAM_BINS, (low - reach, high + reach))
    most = max(50, min(MOST_POINTS, POINTS_IN_ALL // dataset.outputs))
    some = np.unique(np.linspace(0, len(errors) - 1, min(most, len(errors))).astype(int))
    points = [
        tuple(rounded(float(values[at]) * target.std + target.mean, target.std) for at in some.tolist())
        for values in (actual, predicted)
    ]
    return TargetErrors(
        name=target.name,
        mae=float(np.abs(errors).mean()) * target.std,
        rmse=math.sqrt(squares) * target.std,
        r2=1 - squares / variance if variance else float(squares == 0),
        mean_error=float(errors.mean()) * target.std,
        quantiles={f"{q:g}": float(np.quantile(errors, q)) * target.std for q in QUANTILES},
        histogram=Histogram(edges=tuple((edges * target.std).tolist()), counts=tuple(counts.tolist())),
        points=Points(actual=points[0], predicted=points[1]),
    )
