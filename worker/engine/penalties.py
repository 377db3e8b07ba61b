"""What regularizers add to the loss that training minimises."""

from collections.abc import Sequence

import tensorflow as tf

from jobs.layers.base import Weight
from worker.engine.network import Weights


def penalty(described: Sequence[Weight], weights: Weights) -> tf.Tensor | None:
    """Σ (l1·Σ|w| + l2·Σw²) over the weights that have a regularizer, float32; None where none has."""
    terms = [
        term
        for weight, values in zip(described, weights, strict=True)
        if (rule := weight.regularizer)
        for term in (
            [rule.l1 * tf.reduce_sum(tf.abs(values))] * (rule.l1 > 0)
            + [rule.l2 * tf.reduce_sum(tf.square(values))] * (rule.l2 > 0)
        )
    ]
    return tf.add_n(terms) if terms else None
