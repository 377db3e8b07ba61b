"""The products of the MLP's `training`, or of an `epoch` with its evaluation, by NumPy's BLAS, and nothing else."""

import itertools
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.peers.protocol import serve

WIDTHS = (784, 256, 128, 10)
TRAINING_BATCH = 128
EVALUATION_BATCH = 500
REPEATS = 5

_generator = np.random.default_rng(0)


def _random(*shape: int) -> np.ndarray:
    """float32 values in [0, 1)."""
    return _generator.random(shape, np.float32)


def products(batch: int, *, training: bool) -> Callable[[], None]:
    """What multiplies the matrices of one batch: forward, and in training backward too, into arrays made once."""
    weights = [_random(*shape) for shape in itertools.pairwise(WIDTHS)]
    inputs = [_random(batch, width) for width in WIDTHS[:-1]]
    outputs = [_random(batch, width) for width in WIDTHS[1:]]
    weight_gradients = [np.empty_like(weight) for weight in weights]
    input_gradients = [np.empty_like(values) for values in inputs]

    def multiply() -> None:
        for x, weight, output in zip(inputs, weights, outputs, strict=True):
            np.dot(x, weight, out=output)
        for layer in reversed(range(len(weights) if training else 0)):
            np.dot(inputs[layer].T, outputs[layer], out=weight_gradients[layer])
            if layer:  # Nobody asks for the gradient of the images.
                np.dot(outputs[layer], weights[layer].T, out=input_gradients[layer])

    return multiply


def main() -> None:
    with np.load(Path(sys.argv[1])) as arrays:
        steps = math.ceil(len(arrays["y_train"]) / TRAINING_BATCH)
        evaluations = math.ceil(len(arrays["y_test"]) / EVALUATION_BATCH) if sys.argv[2] == "epoch" else 0
    train, evaluate = products(TRAINING_BATCH, training=True), products(EVALUATION_BATCH, training=False)

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            train()
        for _ in range(evaluations):
            evaluate()
        return time.perf_counter() - began

    # The best of some repeats, as for the machine's rate: it is to bound what others reach.
    serve(lambda: min(seconds() for _ in range(REPEATS)), version=f"NumPy {np.__version__}")


if __name__ == "__main__":
    main()
