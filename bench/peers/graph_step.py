"""A GradientTape step of a Keras model under tf.function, over tf.data: what a careful user writes."""

# A gradient is always a tensor here, which the stubs do not know.
# pyright: reportOperatorIssue=false

import sys
import time
from typing import Any

import numpy as np
import tensorflow as tf

from bench.peers.protocol import serve
from bench.peers.resnet import resnet

LEARNING_RATE = 0.1
BATCH = 128


def scale(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.expand_dims(tf.cast(x, tf.float32) / 255.0, -1), tf.cast(y, tf.int32)


def main() -> None:
    with np.load(sys.argv[1]) as arrays:
        images, labels = arrays["x_train"], arrays["y_train"]
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(10_000).batch(BATCH).map(scale)
    batches = batches.prefetch(tf.data.AUTOTUNE)
    model: Any = resnet()

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=outputs)
            loss = tf.reduce_mean(losses)
        for variable, gradient in zip(
            model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
        ):
            variable.assign_sub(LEARNING_RATE * gradient)
        return loss

    def train_epoch() -> float:
        """Seconds of one pass over the data."""
        began = time.perf_counter()
        loss = tf.constant(0.0)
        for x, y in batches:
            loss = step(x, y)
        float(loss)
        return time.perf_counter() - began

    serve(train_epoch, version=f"TensorFlow {tf.__version__}")


if __name__ == "__main__":
    main()
