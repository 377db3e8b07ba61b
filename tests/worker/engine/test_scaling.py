"""The scale of the loss over many steps."""

import tensorflow as tf

from worker.engine.scaling import GROWTH_STEPS, LossScale, all_finite


def scale(factor: float, finite_steps: float) -> LossScale:
    return LossScale(tf.constant(factor), tf.constant(finite_steps, tf.float32))


def test_it_doubles_after_a_long_calm() -> None:
    after = scale(8.0, GROWTH_STEPS - 1).after(tf.constant(True))
    assert (float(after.factor), float(after.finite_steps)) == (16, 0)


def test_it_waits_during_the_calm() -> None:
    after = scale(8.0, 5).after(tf.constant(True))
    assert (float(after.factor), float(after.finite_steps)) == (8, 6)


def test_it_never_falls_below_one() -> None:
    assert float(scale(1.0, 5).after(tf.constant(False)).factor) == 1


def test_one_infinity_is_seen_among_many_numbers() -> None:
    assert all_finite((tf.zeros(3), tf.ones((2, 2))))
    assert not all_finite((tf.zeros(3), tf.constant([1.0, float("inf")])))
    assert not all_finite((tf.constant([float("nan")]), tf.zeros(3)))
