"""What is counted of a network's outputs, and the metrics that the counts become.

Counts are sums over examples, so that chunks and batches can be added up in any number. They are exact where they count
examples: float32 holds whole numbers up to 16.7 million.
"""

import numpy as np
import tensorflow as tf

from jobs.datasets import DatasetInfo

MetricValues = dict[str, float]
"""Metrics by name, without `val_` or `test_`."""


def count_right(outputs: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """How many examples are told as their class: float32 [1], for outputs [B, classes], labels [B], mask [B]."""
    return tf.reduce_sum(_right(outputs, labels) * mask)[None]


def count_by_class(outputs: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor, *, classes: int) -> tf.Tensor:
    """Of each class the examples that are told as it and are, that are told as it, and that are it: [3, classes]."""
    told = tf.argmax(outputs, axis=1, output_type=tf.int32)
    sums = [(labels, _right(outputs, labels) * mask), (told, mask), (labels, mask)]
    return tf.stack([tf.math.unsorted_segment_sum(weights, at, classes) for at, weights in sums])


def add_up_errors(outputs: tf.Tensor, wanted: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Absolute and squared errors of each target: float32 [2, targets], for outputs and targets [B, targets]."""
    errors = (outputs - wanted) * mask[:, None]
    return tf.stack([tf.reduce_sum(tf.abs(errors), axis=0), tf.reduce_sum(tf.square(errors), axis=0)])


def _right(outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.equal(tf.argmax(outputs, axis=1, output_type=tf.int32), labels), tf.float32)


# --- on the host ----------------------------------------------------------------------------------


def of_classes(by_class: np.ndarray) -> MetricValues:
    """Accuracy, and the macro means of precision, recall and F1 over the classes that are there or told, as
    scikit-learn has them (0 where a class is never told, or never there).
    """
    counts = by_class.astype(np.float64)
    right, told, there = counts[:, counts.any(axis=0)]
    return {
        "accuracy": float(right.sum() / there.sum()),
        "precision": float(_shares(right, told).mean()),
        "recall": float(_shares(right, there).mean()),
        "f1": float(_shares(2 * right, told + there).mean()),
    }


def of_numbers(errors: np.ndarray, dataset: DatasetInfo, *, count: int, variances: np.ndarray) -> MetricValues:
    """Mean absolute error, root of the mean squared error, and R², each the mean over the targets.

    The errors [2, targets] are sums of standardised ones over `count` examples, whose targets have these variances
    [targets]; the metrics are in the targets' units. Where all targets are the same, R² is 1 without an error, else 0.
    """
    stds = np.array([target.std for target in dataset.targets])
    absolute, squared = errors.astype(np.float64) / count
    unexplained = np.where(variances > 0, squared / np.where(variances > 0, variances, 1), np.sign(squared))
    return {
        "mae": float((absolute * stds).mean()),
        "rmse": float((np.sqrt(squared) * stds).mean()),
        "r2": float((1 - unexplained).mean()),
    }


def _shares(of: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(of, whole, out=np.zeros_like(of), where=whole > 0)
