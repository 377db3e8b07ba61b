"""Run as a process of its own: trains a network whose pooling windows overlap, and tells a digest of its weights."""

import hashlib
import sys

from jobs.settings import Settings
from tests.worker.engine.conftest import made_up
from tests.worker.engine.listening import run, spec_of
from worker.engine import devices

CONVOLUTION = {"type": "conv2d", "filters": 4, "kernel_size": 3, "padding": "same"}
LAYERS = [
    CONVOLUTION,
    {"type": "max_pooling", "pool_size": 3, "strides": 2, "padding": "same"},
    CONVOLUTION,
    {"type": "batch_normalization"},
    {"type": "activation", "activation": "relu"},
    CONVOLUTION,
    {"type": "batch_normalization"},
    {"type": "max_pooling", "pool_size": 3, "strides": 1},
    CONVOLUTION,
    {"type": "flatten"},
    {"type": "dense"},
]


def main() -> None:
    """Print the digest."""
    devices.configure(Settings())
    spec = spec_of(model={"type": "layers", "layers": LAYERS}, loss="cross_entropy", optimizer={"type": "adam"})
    images = made_up(train=300, test=30, shape=(21, 15, 3), classes=7)
    outcome, _ = run(images, spec.model_copy(update={"batch_size": 30, "epochs": 1}))
    sys.stdout.write(hashlib.sha256(b"".join(weight.tobytes() for weight in outcome.weights.values())).hexdigest())


if __name__ == "__main__":
    main()
