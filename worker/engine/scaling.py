"""Loss scaling for float16: gradients too small for the format are lifted before, lowered after."""

from typing import Any, NamedTuple

import tensorflow as tf

FIRST_FACTOR = 2.0**15
GROWTH_STEPS = 2000
"""Finite steps in a row after which the factor doubles (Micikevicius et al. 2018)."""


class LossScale(NamedTuple):
    """Factor on the loss, and finite steps since it last changed; float32 scalars."""

    factor: tf.Tensor
    finite_steps: tf.Tensor

    def lift(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss whose gradients fit the format."""
        return loss * self.factor

    def lower(self, gradients: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        """Gradients of the loss from those of the scaled loss."""
        return tuple(gradient / self.factor for gradient in gradients)

    def after(self, finite: tf.Tensor) -> "LossScale":
        """The scale for the next step: halved when the gradients overflowed, doubled after a long calm."""
        calm = self.finite_steps + 1
        grown = tf.where(calm >= GROWTH_STEPS, self.factor * 2, self.factor)
        return LossScale(
            tf.where(finite, grown, tf.maximum(self.factor / 2, 1.0)),
            tf.where(finite & (calm < GROWTH_STEPS), calm, 0.0),
        )


def all_finite(tensors: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """bool scalar: no NaN or infinity anywhere."""
    return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]))


def choose(condition: tf.Tensor, yes: Any, no: Any) -> Any:
    """`yes` or `no`, tensor by tensor, of two equal structures."""
    return tf.nest.map_structure(lambda a, b: tf.where(condition, a, b), yes, no)
