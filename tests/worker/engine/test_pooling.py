"""Pooling of our own gives what the library's gives, values and gradients, to the bit."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from jobs.datasets import DatasetInfo
from tests.worker.engine.listening import spec_of
from worker.engine.build import build
from worker.engine.network import Network
from worker.engine.pooling import POOLS, MaxPooling1D, MaxPooling2D, Pooling

Pooled = tuple[np.ndarray, np.ndarray]


def pooled(x: tf.Tensor, pool: Callable[[tf.Tensor], Any]) -> Pooled:
    """The largest values, and the gradient of the sum of their squares."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = pool(x)
        loss = tf.reduce_sum(y * y)
    return y.numpy(), np.asarray(tape.gradient(loss, x))


def of_few_values(shape: tuple[int, ...], dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Whole numbers below 4: nearly every window has its largest value twice."""
    return tf.cast(tf.random.stateless_uniform(shape, seed=(1, 2), minval=0, maxval=4, dtype=tf.int32), dtype)


@pytest.mark.parametrize("pooling", ["apart", "own"])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
@pytest.mark.parametrize(
    ("shape", "window"),
    [((3, 28, 28, 4), (2, 2)), ((2, 21, 15, 3), (2, 2)), ((2, 1, 9, 2), (1, 2)), ((4, 7, 7, 3), (3, 2))],
)
def test_values_and_gradients_are_the_librarys(
    shape: tuple[int, ...], window: tuple[int, int], dtype: tf.DType, pooling: Pooling
) -> None:
    x = of_few_values(shape, dtype)
    both = (pooled(x, lambda x, pool=POOLS[kind]: pool(x, window)) for kind in (pooling, "library"))
    for ours, librarys in zip(*both, strict=True):
        np.testing.assert_array_equal(ours, librarys)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [None, 1, 2])
@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("kind", [MaxPooling1D, MaxPooling2D])
def test_layers_are_kerases(kind: Any, window: int, strides: int | None, padding: str) -> None:
    x = of_few_values((3, 9, 11, 2)[: 3 if kind is MaxPooling1D else 4])
    both = (pooled(x, made(window, strides, padding)) for made in (kind, getattr(keras.layers, kind.__name__)))
    (value, gradient), (kerases, kerases_gradient) = both
    np.testing.assert_array_equal(value, kerases)
    np.testing.assert_allclose(gradient, kerases_gradient, rtol=1e-6)


def test_a_compiled_network_learns_the_same_with_either() -> None:
    info = DatasetInfo(
        name="digits", shape=(28, 28, 1), classes=tuple("0123456789"), train_examples=10, test_examples=10
    )
    spec = spec_of(model={"type": "cnn", "filters": [4, 4]})
    weights = tuple(map(tf.constant, build(spec, info).initial(3).weights))
    images = tf.random.stateless_uniform((8, info.values), seed=(1, 2))

    def gradients(network: Network) -> list[np.ndarray]:
        @tf.function(jit_compile=True, autograph=False)
        def compiled(*weights: tf.Tensor) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(weights)
                loss = tf.reduce_sum(network.forward(weights, (), images)[0] ** 2)
            return tape.gradient(loss, weights)

        return [gradient.numpy() for gradient in compiled(*weights)]

    for ours, librarys in zip(
        gradients(build(spec, info, on_gpu=True, by_xla=True)), gradients(build(spec, info)), strict=True
    ):
        np.testing.assert_allclose(ours, librarys, rtol=1e-5, atol=1e-6)
