"""Max-pooling: the library's, the same with its gradient apart, for a CPU, and one for XLA on a GPU, where the
library's has no deterministic gradient."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, cast

import keras
import tensorflow as tf

Pooling = Literal["library", "apart", "own"]
"""How: `library_max_pool`, `max_pool_apart` or `max_pool`."""


def library_max_pool(x: tf.Tensor, window: tuple[int, int]) -> tf.Tensor:
    """As `max_pool`, by TensorFlow's operation."""
    return tf.nn.max_pool2d(x, window, window, "VALID")


def max_pool_apart(
    x: tf.Tensor, window: Sequence[int], strides: Sequence[int] | None = None, padding: str = "VALID"
) -> tf.Tensor:
    """TensorFlow's pooling of x [B, H, W, C], and its gradient in a function of its own.

    oneDNN replaces a gradient of which it has replaced the pooling before. In a loop that is a matter of the order in
    which it comes by them, which is another one in each process: the gradient is then some times slower, and sums up
    differently where windows overlap. A function is a graph of its own, and without a loop.
    """

    @tf.custom_gradient
    def pool(x: tf.Tensor) -> Any:
        told = tf.nn.max_pool2d(x, window, strides or window, padding)
        return told, lambda above: _gradient(tuple(window), tuple(strides or window), padding)(x, above)

    return cast("tf.Tensor", pool(x))


@cache
def _gradient(window: tuple[int, ...], strides: tuple[int, ...], padding: str) -> Callable[[Any, Any], Any]:
    sizes = {"ksize": (1, *window, 1), "strides": (1, *strides, 1), "padding": padding}

    def gradient(x: tf.Tensor, above: tf.Tensor) -> Any:
        return tf.raw_ops.MaxPoolGrad(
            orig_input=x, orig_output=tf.raw_ops.MaxPool(input=x, **sizes), grad=above, **sizes
        )

    return tf.function(gradient, autograph=False, experimental_attributes={"_noinline": True})


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


class MaxPooling1D(keras.layers.MaxPooling1D):
    """Keras' layer, with its gradient apart."""

    def call(self, inputs: Any) -> Any:
        """See `max_pool_apart`."""
        across: Any = tf.expand_dims(inputs, 1)
        told = max_pool_apart(across, (1, *self.pool_size), (1, *self.strides), self.padding.upper())
        return tf.squeeze(told, 1)


class MaxPooling2D(keras.layers.MaxPooling2D):
    """Keras' layer, with its gradient apart."""

    def call(self, inputs: Any) -> Any:
        """See `max_pool_apart`."""
        return max_pool_apart(inputs, self.pool_size, self.strides, self.padding.upper())


POOLS: dict[Pooling, Callable[[tf.Tensor, tuple[int, int]], tf.Tensor]] = {
    "library": library_max_pool,
    "apart": max_pool_apart,
    "own": max_pool,
}
