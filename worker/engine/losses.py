"""Losses per image; the step takes their mean over the batch."""

from collections.abc import Callable

import tensorflow as tf


def mse(outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Σ (out − y)² over the classes. [B, classes], [B, classes] → [B], float32."""
    return tf.reduce_sum(tf.square(outputs - targets), axis=1)


def cross_entropy(outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """−Σ y · log softmax(out) over the classes. [B, classes], [B, classes] → [B], float32."""
    return tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=outputs)


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {"mse": mse, "cross_entropy": cross_entropy}


def targets(labels: tf.Tensor, classes: int, *, smoothing: float) -> tf.Tensor:
    """One-hot rows [B, classes], float32, for labels [B]; `smoothing` of their weight spread evenly."""
    one_hot = tf.one_hot(labels, classes)
    return one_hot * (1 - smoothing) + smoothing / classes if smoothing else one_hot
