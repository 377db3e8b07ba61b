"""Loss scaling for float16: gradients too small for the format are lifted before, lowered after."""

from typing import Any, NamedTuple

import tensorflow as tf

FIRST_FACTOR = 2.0**15
GROWTH_STEPS = 2000
"""Finite steps in a row after which the factor doubles (Micikevicius et al. 2018)."""

SMALLEST_FACTOR = 2.0**-14
"""float16's smallest normal number. Below 1 the factor makes room for gradients of up to 65504 / factor; where those of
10⁹ do not fit, training has diverged, and with a smaller factor the loss's own gradient would lose its digits."""

LARGEST_FACTOR = 2.0**127
"""float32's largest power of two: where gradients are exactly 0 nothing else ends the doubling, and an infinite factor
could not be halved again."""


class LossScale(NamedTuple):
    """Factor on the loss, and finite steps since it last changed: float32 scalars; int32 steps skipped so far."""

    factor: tf.Tensor
    finite_steps: tf.Tensor
    skipped: tf.Tensor

    def lift(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss whose gradients fit the format."""
        return loss * self.factor

    def lower(self, gradients: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        """Gradients of the loss from those of the scaled loss."""
        return tuple(gradient / self.factor for gradient in gradients)

    def after(self, finite: tf.Tensor) -> "LossScale":
        """The scale for the next step: halved when the gradients overflowed, doubled after a long calm."""
        calm = self.finite_steps + 1
        grown = tf.where(calm >= GROWTH_STEPS, tf.minimum(self.factor * 2, LARGEST_FACTOR), self.factor)
        return LossScale(
            tf.where(finite, grown, tf.maximum(self.factor / 2, SMALLEST_FACTOR)),
            tf.where(finite & (calm < GROWTH_STEPS), calm, 0.0),
            self.skipped + tf.where(finite, 0, 1),
        )

    @property
    def can_halve(self) -> tf.Tensor:
        """bool scalar: whether gradients that overflow may yet fit."""
        return self.factor > SMALLEST_FACTOR


def all_finite(tensors: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """bool scalar: no NaN or infinity anywhere."""
    return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]))


def choose(condition: tf.Tensor, yes: Any, no: Any) -> Any:
    """`yes` or `no`, tensor by tensor, of two equal structures."""
    return tf.nest.map_structure(lambda a, b: tf.where(condition, a, b), yes, no)
