"""A set of the shape of MNIST, small, with hashes of its own."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from worker.datasets.idx import Arrays, idx_digest


def digits(*, seed: int = 0) -> Arrays:
    """300 and 100 images of noise, as large as MNIST's, with labels."""
    generator = np.random.default_rng(seed)
    return {
        "x_train": generator.integers(0, 256, (300, 28, 28), np.uint8),
        "y_train": generator.integers(0, 10, 300, np.uint8),
        "x_test": generator.integers(0, 256, (100, 28, 28), np.uint8),
        "y_test": generator.integers(0, 10, 100, np.uint8),
    }


def digests(arrays: Arrays) -> Mapping[str, str]:
    return {name: idx_digest(array) for name, array in arrays.items()}


def npz(arrays: Mapping[str, Any], *, compressed: bool = True) -> bytes:
    """A file in Keras' layout."""
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def same(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
