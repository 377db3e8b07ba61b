"""Pooling of our own gives what the library's gives, values and gradients, to the bit."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jobs.datasets import DatasetInfo
from tests.worker.engine.listening import spec_of
from worker.engine.build import build
from worker.engine.network import Network
from worker.engine.pooling import library_max_pool, max_pool

Pooled = tuple[np.ndarray, np.ndarray]


def pooled(x: tf.Tensor, window: tuple[int, int], *, ours: bool) -> Pooled:
    """The largest values, and the gradient of the sum of their squares."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = (max_pool if ours else library_max_pool)(x, window)
        loss = tf.reduce_sum(y * y)
    return y.numpy(), np.asarray(tape.gradient(loss, x))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
@pytest.mark.parametrize(
    ("shape", "window"),
    [((3, 28, 28, 4), (2, 2)), ((2, 21, 15, 3), (2, 2)), ((2, 1, 9, 2), (1, 2)), ((4, 7, 7, 3), (3, 2))],
)
def test_values_and_gradients_are_the_librarys(
    shape: tuple[int, ...], window: tuple[int, int], dtype: tf.DType
) -> None:
    # Whole numbers below 4: nearly every window has its largest value twice.
    x = tf.cast(tf.random.stateless_uniform(shape, seed=(1, 2), minval=0, maxval=4, dtype=tf.int32), dtype)
    for ours, librarys in zip(pooled(x, window, ours=True), pooled(x, window, ours=False), strict=True):
        np.testing.assert_array_equal(ours, librarys)


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
