"""Batch normalization with a gradient of its own: Keras' layer in what it gives, keeps and learns."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from worker.engine.batch_norm import BatchNormalization

RNG = np.random.default_rng(3)


def learnt(
    kind: type[keras.layers.BatchNormalization], x: np.ndarray, *, center: bool, scale: bool, dtype: str
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Outputs, gradients of the input and the weights, and the weights after a step."""
    layer = kind(center=center, scale=scale, momentum=0.8, dtype=dtype)
    layer.build((None, *x.shape[1:]))
    for variable in layer.trainable_variables:
        variable.assign(np.linspace(0.5, 1.5, x.shape[-1]))
    given = tf.constant(x)
    wanted = tf.constant(np.random.default_rng(5).normal(size=x.shape).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(given)
        told = layer(given, training=True)
        loss = tf.reduce_sum(tf.cast(told, tf.float32) * wanted)
    sources = [given, *(variable.value for variable in layer.trainable_variables)]
    given_back: Any = tape.gradient(loss, sources)
    gradients = [gradient.numpy() for gradient in given_back]
    return told.numpy().astype(np.float32), gradients, [variable.numpy() for variable in layer.variables]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(("center", "scale"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("shape", [(16, 5), (6, 7, 3), (4, 5, 6, 2)])
def test_it_is_kerases_layer(shape: tuple[int, ...], center: bool, scale: bool, dtype: str) -> None:
    x = RNG.normal(2, 3, shape).astype(np.float32)
    ours, theirs = (
        learnt(kind, x, center=center, scale=scale, dtype=dtype)
        for kind in (BatchNormalization, keras.layers.BatchNormalization)
    )
    np.testing.assert_array_equal(ours[0], theirs[0])
    for one, other in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_array_equal(one, other)
    share = 2e-5 if dtype == "float32" else 2e-2
    for one, other in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=share * np.abs(other).max())


def test_one_that_is_frozen_goes_by_what_it_keeps() -> None:
    layer = BatchNormalization()
    layer.build((None, 4))
    layer.trainable = False
    x = RNG.normal(size=(8, 4)).astype(np.float32)
    np.testing.assert_allclose(layer(x, training=True), x / np.sqrt(1 + layer.epsilon), rtol=1e-6)
