"""The textbook's eager loop: tf.data, GradientTape, one operation after the other."""

# A gradient is always a tensor here, which the stubs do not know.
# pyright: reportOperatorIssue=false

import sys
import time

import numpy as np
import tensorflow as tf

from bench.peers.protocol import serve

LEARNING_RATE = 0.1


def prepare(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    x = tf.reshape(tf.cast(x, tf.float32) / 255.0, [784])
    return x, tf.one_hot(tf.cast(y, tf.int32), depth=10)


with np.load(sys.argv[1]) as arrays:
    images, labels = arrays["x_train"], arrays["y_train"]

train_db = tf.data.Dataset.from_tensor_slices((images, labels)).map(prepare).shuffle(10_000).batch(128)

w1 = tf.Variable(tf.random.truncated_normal([784, 256], stddev=0.05))
b1 = tf.Variable(tf.zeros([256]))
w2 = tf.Variable(tf.random.truncated_normal([256, 128], stddev=0.09))
b2 = tf.Variable(tf.zeros([128]))
w3 = tf.Variable(tf.random.truncated_normal([128, 10], stddev=0.09))
b3 = tf.Variable(tf.zeros([10]))


def train_epoch() -> float:
    """Seconds of one pass over the data."""
    began = time.perf_counter()
    for x, y in train_db:
        with tf.GradientTape() as tape:
            h1 = tf.nn.relu(tf.matmul(x, w1) + b1)
            h2 = tf.nn.relu(tf.matmul(h1, w2) + b2)
            out = tf.matmul(h2, w3) + b3
            loss = tf.reduce_mean(tf.reduce_sum(tf.square(out - y), axis=1))
        grads = tape.gradient(loss, [w1, b1, w2, b2, w3, b3])
        w1.assign_sub(LEARNING_RATE * grads[0])
        b1.assign_sub(LEARNING_RATE * grads[1])
        w2.assign_sub(LEARNING_RATE * grads[2])
        b2.assign_sub(LEARNING_RATE * grads[3])
        w3.assign_sub(LEARNING_RATE * grads[4])
        b3.assign_sub(LEARNING_RATE * grads[5])
    return time.perf_counter() - began


if __name__ == "__main__":
    serve(train_epoch, version=f"TensorFlow {tf.__version__}")
