"""Random numbers of a training step: pure functions of seed, step and place, the same under every execution.

TensorFlow's own stateless generators do not serve: the same key gives other numbers under XLA than in a graph.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True, slots=True)
class StatelessRandom:
    """Where a step's random numbers come from. `seed` and `step` are int32 scalars."""

    seed: tf.Tensor
    step: tf.Tensor

    def uniform(self, shape: Sequence[int], *, stream: int) -> tf.Tensor:
        """float32 values in [0, 1) of the given shape. Each use within a step has a `stream` of its own."""
        key = tf.constant(stream, tf.uint32)
        for part in (self.seed, self.step):
            key = _mixed(key + tf.cast(part, tf.uint32))
        place = tf.cast(tf.range(math.prod(shape)), tf.uint32)
        # Mixed twice, with the key in between: two keys never give the same numbers in another order.
        words = _mixed(tf.bitwise.bitwise_xor(_mixed(place + key), _mixed(key + 1)))
        # The upper 24 bits: exact in float32. By way of int32, which every device can convert.
        return tf.reshape(tf.cast(tf.cast(_shifted(words, 8), tf.int32), tf.float32) * 2.0**-24, shape)


def _mixed(x: tf.Tensor) -> tf.Tensor:
    """A bijection of uint32 that changes about half of the bits for any changed bit (C. Wellons' lowbias32)."""
    x = _folded(x, 16) * 0x7FEB352D
    x = _folded(x, 15) * 0x846CA68B
    return _folded(x, 16)


def _folded(x: tf.Tensor, bits: int) -> tf.Tensor:
    """x ^ (x >> bits)."""
    return tf.bitwise.bitwise_xor(x, _shifted(x, bits))


def _shifted(x: tf.Tensor, bits: int) -> tf.Tensor:
    """x >> bits, unsigned."""
    return tf.bitwise.right_shift(x, tf.constant(bits, tf.uint32))
