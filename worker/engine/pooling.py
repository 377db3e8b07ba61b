"""Max-pooling without overlap: the library's, and one for XLA on a GPU, where that has no deterministic gradient."""

from typing import Any, cast

import tensorflow as tf


def library_max_pool(x: tf.Tensor, window: tuple[int, int]) -> tf.Tensor:
    """As `max_pool`, by TensorFlow's operation."""
    return tf.nn.max_pool2d(x, window, window, "VALID")


def max_pool(x: tf.Tensor, window: tuple[int, int]) -> tf.Tensor:
    """The largest of each window, (height, width), of x [B, H, W, C]: [B, H // height, W // width, C], of x's dtype.

    What does not fill a window is left out. As with `tf.nn.max_pool2d`, of equal values the first has the gradient.
    """
    height, width = window
    _, rows, columns, channels = cast("tuple[int, int, int, int]", tuple(x.shape))
    down, across = rows // height, columns // width

    @tf.custom_gradient
    def pool(x: tf.Tensor) -> Any:
        inside = x[:, : down * height, : across * width]
        windows = tf.reshape(inside, (-1, down, height, across, width, channels))
        windows = tf.transpose(windows, (0, 1, 3, 5, 2, 4))
        windows = tf.reshape(windows, (-1, down, across, channels, height * width))

        def gradient(above: tf.Tensor) -> tf.Tensor:
            first = tf.one_hot(tf.argmax(windows, axis=-1, output_type=tf.int32), height * width, dtype=x.dtype)
            spread = tf.reshape(tf.expand_dims(above, -1) * first, (-1, down, across, channels, height, width))
            spread = tf.reshape(tf.transpose(spread, (0, 1, 4, 2, 5, 3)), (-1, down * height, across * width, channels))
            return tf.pad(spread, ((0, 0), (0, rows - down * height), (0, columns - across * width), (0, 0)))

        return tf.reduce_max(windows, axis=-1), gradient

    return cast("tf.Tensor", pool(x))
