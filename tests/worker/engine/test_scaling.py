"""The scale of the loss over many steps."""

import tensorflow as tf

from worker.engine.scaling import GROWTH_STEPS, LARGEST_FACTOR, SMALLEST_FACTOR, LossScale, all_finite


def scale(factor: float, finite_steps: float, *, skipped: int = 0) -> LossScale:
    return LossScale(tf.constant(factor), tf.constant(finite_steps, tf.float32), tf.constant(skipped))


def test_it_doubles_after_a_long_calm() -> None:
    after = scale(8.0, GROWTH_STEPS - 1).after(tf.constant(True))
    assert (float(after.factor), float(after.finite_steps)) == (16, 0)


def test_it_waits_during_the_calm() -> None:
    after = scale(8.0, 5, skipped=3).after(tf.constant(True))
    assert (float(after.factor), float(after.finite_steps), int(after.skipped)) == (8, 6, 3)


def test_it_halves_below_one_and_counts_what_was_skipped() -> None:
    after = scale(1.0, 5, skipped=3).after(tf.constant(False))
    assert (float(after.factor), float(after.finite_steps), int(after.skipped)) == (0.5, 0, 4)


def test_it_ends_at_the_smallest_and_says_so() -> None:
    last = scale(SMALLEST_FACTOR * 2, 5).after(tf.constant(False))
    assert float(last.factor) == SMALLEST_FACTOR
    assert not last.can_halve
    assert scale(SMALLEST_FACTOR * 2, 5).can_halve
    assert float(last.after(tf.constant(False)).factor) == SMALLEST_FACTOR


def test_it_stays_finite_however_long_the_calm() -> None:
    after = scale(LARGEST_FACTOR, GROWTH_STEPS - 1).after(tf.constant(True))
    assert float(after.factor) == LARGEST_FACTOR


def test_one_infinity_is_seen_among_many_numbers() -> None:
    assert all_finite((tf.zeros(3), tf.ones((2, 2))))
    assert not all_finite((tf.zeros(3), tf.constant([1.0, float("inf")])))
    assert not all_finite((tf.constant([float("nan")]), tf.zeros(3)))
