"""Losses against their formulas."""

import numpy as np
import tensorflow as tf

from worker.engine.losses import cross_entropy, mse, one_hot

OUTPUTS = np.array([[1.0, -2.0, 0.5], [30.0, 0.0, -30.0]], np.float32)
LABELS = tf.constant([0, 1])


def test_mse_is_the_sum_over_classes() -> None:
    expected = ((OUTPUTS - np.eye(3)[[0, 1]]) ** 2).sum(1)
    np.testing.assert_allclose(mse(tf.constant(OUTPUTS), one_hot(LABELS, 3, smoothing=0.0)), expected, rtol=1e-6)


def test_cross_entropy_is_exact_for_large_outputs() -> None:
    exact = OUTPUTS.astype(np.float64)
    expected = np.log(np.exp(exact).sum(1)) - exact[[0, 1], [0, 1]]
    ours = cross_entropy(tf.constant(OUTPUTS), one_hot(LABELS, 3, smoothing=0.0))
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_smoothing_spreads_weight_evenly_and_keeps_the_sum() -> None:
    smooth = one_hot(LABELS, 3, smoothing=0.3).numpy()
    np.testing.assert_allclose(smooth[0], [0.8, 0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(smooth.sum(1), 1, rtol=1e-6)
