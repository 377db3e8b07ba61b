"""Losses per example; the step takes their mean over the batch."""

from collections.abc import Callable

import tensorflow as tf


def mse(outputs: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Σ (out − y)² over the classes or targets. [B, outputs], [B, outputs] → [B], float32."""
    return tf.reduce_sum(tf.square(outputs - wanted), axis=1)


def mae(outputs: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Σ |out − y| over the targets. [B, targets], [B, targets] → [B], float32."""
    return tf.reduce_sum(tf.abs(outputs - wanted), axis=1)


def huber(outputs: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Σ over the targets of ½d² for |d| below 1 and |d| − ½ above, d = out − y (Huber 1964). → [B], float32."""
    distance = tf.abs(outputs - wanted)
    return tf.reduce_sum(tf.where(distance < 1, 0.5 * tf.square(distance), distance - 0.5), axis=1)


def cross_entropy(outputs: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """−Σ y · log softmax(out) over the classes. [B, classes], [B, classes] → [B], float32."""
    return tf.nn.softmax_cross_entropy_with_logits(labels=wanted, logits=outputs)


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "cross_entropy": cross_entropy,
}


def one_hot(labels: tf.Tensor, classes: int, *, smoothing: float) -> tf.Tensor:
    """One-hot rows [B, classes], float32, for labels [B]; `smoothing` of their weight spread evenly."""
    rows = tf.one_hot(labels, classes)
    return rows * (1 - smoothing) + smoothing / classes if smoothing else rows
