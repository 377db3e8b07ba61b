"""One step: what its batch and its masks mean."""

import numpy as np
import pytest
import tensorflow as tf

from tests.worker.engine.conftest import made_up
from tests.worker.engine.listening import spec_of
from worker.engine.program import program
from worker.engine.scaling import LossScale
from worker.engine.stateless_random import StatelessRandom
from worker.engine.step import Batch, TrainState, measure, train_step

INFO = made_up(train=1, test=1, shape=(4, 4, 1), classes=3).info
NOISE = StatelessRandom(tf.constant(0), tf.constant(1))


def batch(images: int, *, filling: int = 0) -> Batch:
    """A batch of real images, and of filling that would do harm if it counted."""
    generator = np.random.default_rng(images)
    pixels = generator.random((images + filling, 16)).astype(np.float32)
    pixels[images:] = 1e6
    labels = generator.integers(0, 3, images + filling).astype(np.int32)
    mask = np.arange(images + filling) < images
    return Batch(tf.constant(pixels), tf.constant(labels), tf.constant(mask, tf.float32))


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_filling_changes_neither_loss_nor_hits_nor_weights(loss: str) -> None:
    runner = program(spec_of(loss=loss), INFO, execution="eager", device="/device:CPU:0")
    train_state, filled = runner.initial(0), batch(5, filling=3)
    real = Batch(filled.images[:5], filled.labels[:5], filled.mask[:5])
    one = tf.constant(1.0)
    plain = train_step(runner.kind, train_state, real, one * 0.1, one, {}, NOISE)
    masked = train_step(runner.kind, train_state, filled, one * 0.1, one, {}, NOISE)
    for a, b in zip(tf.nest.flatten(plain), tf.nest.flatten(masked), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_mean_is_over_the_real_images() -> None:
    runner = program(spec_of(), INFO, execution="eager", device="/device:CPU:0")
    outputs = tf.constant([[1.0, 0, 0], [0, 2, 0], [5, 5, 5]])
    given = Batch(tf.zeros((3, 16)), tf.constant([0, 0, 2]), tf.constant([1.0, 1, 0]))
    measured = measure(runner.kind, outputs, given)
    assert float(measured.loss) == (0 + (1 + 4)) / 2
    assert float(measured.loss_sum) == 5
    assert float(measured.correct) == 1


def test_float16_skips_a_step_that_overflows_and_halves_the_scale() -> None:
    runner = program(spec_of(precision="mixed_float16"), INFO, execution="eager", device="/device:CPU:0")
    train_state = runner.initial(0)
    train_state = train_state._replace(scale=LossScale(tf.constant(2.0**100), tf.constant(7.0)))
    after, measured = one_step(runner.kind, train_state)
    assert np.isfinite(measured.loss)
    assert all(np.array_equal(a, b) for a, b in zip(after.weights, train_state.weights, strict=True))
    assert float(after.scale.factor) == 2.0**99
    assert float(after.scale.finite_steps) == 0


def test_float16_learns_what_float32_learns() -> None:
    exact = program(spec_of(), INFO, execution="eager", device="/device:CPU:0")
    half = program(spec_of(precision="mixed_float16"), INFO, execution="eager", device="/device:CPU:0")
    train_state = half.initial(0)
    train_state = train_state._replace(scale=train_state.scale._replace(factor=tf.constant(2.0**8)))
    after_half, _ = one_step(half.kind, train_state)
    after_exact, _ = one_step(exact.kind, exact.initial(0))
    for a, b in zip(after_half.weights, after_exact.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=5e-3)
    assert float(after_half.scale.finite_steps) == 1


def one_step(kind, train_state: TrainState):
    one = tf.constant(1.0)
    return train_step(kind, train_state, batch(5), one * 0.1, one, {}, NOISE)
