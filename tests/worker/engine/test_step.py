"""One step: what its batch and its masks mean."""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from jobs.architecture import Architecture
from tests.worker.engine.conftest import made_up
from tests.worker.engine.listening import spec_of
from worker.engine.device_data import device_data
from worker.engine.network import Weights
from worker.engine.optimizers import hyper_of
from worker.engine.program import State, program
from worker.engine.scaling import SMALLEST_FACTOR, LossScale
from worker.engine.stateless_random import StatelessRandom
from worker.engine.step import Batch, TrainState, measure, train_step

SMALL = made_up(train=8, test=1, shape=(4, 4, 1), classes=3)
INFO = SMALL.info
NOISE = StatelessRandom(tf.constant(0), tf.constant(1))


def scale(train_state: TrainState) -> LossScale:
    """The scale of a kind that has one."""
    assert train_state.scale
    return train_state.scale


def batch(images: int, *, filling: int = 0) -> Batch:
    """A batch of real images, and of filling that would do harm if it counted."""
    generator = np.random.default_rng(images)
    pixels = generator.random((images + filling, 16)).astype(np.float32)
    pixels[images:] = 1e6
    labels = generator.integers(0, 3, images + filling).astype(np.int32)
    mask = np.arange(images + filling) < images
    return Batch(tf.constant(pixels), tf.constant(labels), tf.constant(mask, tf.float32))


@dataclass(frozen=True)
class LookUp:
    """A network of a softmax's weights whose outputs are the kernel's rows of each example's pixels in turn, and whose
    bias has no influence."""

    described: Architecture
    initial: Any = None

    def forward(self, weights: Weights, fixed: Weights, features: tf.Tensor, noise: StatelessRandom | None = None):
        kernel, _ = weights
        rows = tf.argmax(features, axis=1, output_type=tf.int32)
        return tf.gather(kernel, rows) * 2.0, fixed


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_rows_that_were_looked_up_move_and_what_has_no_influence_stays(optimizer: str) -> None:
    spec = spec_of(model={"type": "softmax"}, optimizer={"type": optimizer}, loss="cross_entropy")
    runner = program(spec, INFO, execution="eager", device="/device:CPU:0")
    kind = replace(runner.kind, network=LookUp(runner.kind.network.described))
    before, given = runner.initial(0), batch(5)
    hyper = {name: tf.constant(value) for name, value in hyper_of(spec.optimizer).items()}
    one = tf.constant(1.0)
    after, _ = train_step(kind, before, given, one, one, hyper, NOISE)
    (kernel, bias), (old_kernel, old_bias) = after.weights, before.weights
    moved = np.flatnonzero(np.abs(kernel - old_kernel).max(axis=1))
    assert moved.tolist() == sorted(set(np.argmax(given.features, axis=1).tolist()))
    assert np.array_equal(bias, old_bias)


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_filling_changes_neither_loss_nor_hits_nor_weights(loss: str) -> None:
    runner = program(spec_of(loss=loss), INFO, execution="eager", device="/device:CPU:0")
    train_state, filled = runner.initial(0), batch(5, filling=3)
    real = Batch(filled.features[:5], filled.targets[:5], filled.mask[:5])
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
    assert measured.counts.numpy().tolist() == [1]


def test_float16_skips_a_step_that_overflows_and_halves_the_scale() -> None:
    runner = program(spec_of(precision="mixed_float16"), INFO, execution="eager", device="/device:CPU:0")
    train_state = runner.initial(0)
    train_state = train_state._replace(scale=LossScale(tf.constant(2.0**100), tf.constant(7.0), tf.constant(0)))
    after, measured = one_step(runner.kind, train_state)
    assert np.isfinite(measured.loss)
    assert all(np.array_equal(a, b) for a, b in zip(after.weights, train_state.weights, strict=True))
    assert float(scale(after).factor) == 2.0**99
    assert (float(scale(after).finite_steps), int(scale(after).skipped)) == (0, 1)
    assert measured.finite


def test_float16_learns_what_float32_learns() -> None:
    exact = program(spec_of(), INFO, execution="eager", device="/device:CPU:0")
    half = program(spec_of(precision="mixed_float16"), INFO, execution="eager", device="/device:CPU:0")
    train_state = half.initial(0)
    train_state = train_state._replace(scale=scale(train_state)._replace(factor=tf.constant(2.0**8)))
    after_half, _ = one_step(half.kind, train_state)
    after_exact, _ = one_step(exact.kind, exact.initial(0))
    for a, b in zip(after_half.weights, after_exact.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=5e-3)
    assert float(scale(after_half).finite_steps) == 1


def one_step(kind, train_state: TrainState):
    one = tf.constant(1.0)
    return train_step(kind, train_state, batch(5), one * 0.1, one, {}, NOISE)


def test_gradients_too_large_for_the_smallest_scale_are_not_finite() -> None:
    """The outputs are just below float16's largest number: the loss is finite, and its gradients are 10¹⁰."""
    spec = spec_of(precision="mixed_float16", model={"type": "mlp", "hidden": [1]})
    runner = program(spec, INFO, execution="eager", device="/device:CPU:0")
    weights = tf.fill((16, 1), 7500.0), tf.zeros(1), tf.fill((1, 3), 0.9), tf.zeros(3)
    train_state = runner.initial(0)._replace(weights=weights)
    grey = Batch(tf.fill((5, 16), 0.5), tf.zeros(5, tf.int32), tf.ones(5))
    for factor, finite in ((2 * SMALLEST_FACTOR, True), (SMALLEST_FACTOR, False)):
        smallest = LossScale(tf.constant(factor), tf.constant(0.0), tf.constant(0))
        after, measured = train_step(
            runner.kind, train_state._replace(scale=smallest), grey, tf.constant(0.1), tf.constant(1.0), {}, NOISE
        )
        assert np.isfinite(measured.loss)
        assert bool(measured.finite) is finite
        assert int(scale(after).skipped) == 1


def test_skipped_steps_count_for_neither_adam_nor_the_schedule_as_in_keras() -> None:
    spec = spec_of(precision="mixed_float16", optimizer={"type": "adam"}, batch_size=8)
    runner = program(spec, INFO, execution="graph", device="/device:CPU:0")
    images = device_data(SMALL, 8, "/device:CPU:0").train.examples
    rates = np.linspace(0.01, 0.1, 40, dtype=np.float32)
    order = np.tile(np.arange(8, dtype=np.int32), 40)
    plan = runner.epoch(order, rates, count=8 * 40, first_step=0, first_update=0, seed=0)
    hyper = runner.hyper({"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7})
    initial = runner.initial(0)
    large = LossScale(tf.constant(2.0**30), tf.constant(0.0), tf.constant(0))
    state = State(initial._replace(scale=large), runner.sums())
    steps = 0
    while steps == int(scale(state.train_state).skipped):
        state = runner.chunk(state, images, plan, hyper, start=steps, stop=steps + 1)
        steps += 1
    assert steps > 5

    variables = [keras.Variable(weight) for weight in initial.weights]
    schedule: Any = keras.optimizers.schedules.PolynomialDecay(0.01, 39, 0.1)
    theirs = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(schedule), initial_scale=2.0**30)
    for _ in range(steps - 1):
        theirs.apply([tf.fill(weight.shape, np.inf) for weight in initial.weights], variables)
    factor = float(scale(state.train_state).factor)
    assert factor == theirs.dynamic_scale.numpy()
    # Adam's first mean is a tenth of the gradient.
    means = state.train_state.memory[: len(variables)]
    theirs.apply([mean * 10 * factor for mean in means], variables)
    for before, ours, variable in zip(initial.weights, state.train_state.weights, variables, strict=True):
        np.testing.assert_allclose(ours - before, variable.numpy() - before, rtol=1e-4, atol=1e-7)
    largest = max(
        float(tf.reduce_max(abs(a - b))) for a, b in zip(state.train_state.weights, initial.weights, strict=True)
    )
    assert largest == pytest.approx(0.01, rel=1e-2)
