"""The machine's float32 matrix product: GFLOP/s of a large square one, the better of NumPy's and TensorFlow's."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from bench.peers.protocol import serve

SIDE = 2048
REPEATS = 5

numbers = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
tensor = tf.constant(numbers)


def gflops(multiply: Callable[[], object]) -> float:
    """The best of some repeats."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        multiply()
        best = min(best, time.perf_counter() - began)
    return 2 * SIDE**3 / best / 1e9


def measure() -> float:
    return max(gflops(lambda: numbers @ numbers), gflops(lambda: tf.matmul(tensor, tensor).numpy()))


if __name__ == "__main__":
    serve(measure, version=f"NumPy {np.__version__}, TensorFlow {tf.__version__}")
