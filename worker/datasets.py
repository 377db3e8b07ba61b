"""Datasets as arrays, kept in memory from one job to the next."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from jobs.datasets import DatasetInfo, find
from worker import mnist

MOST_IN_MEMORY = 2
"""Datasets kept decoded; the one used longest ago makes room."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images uint8 [N, pixels], pixels row by row with channels last; labels int32 [N]. Not to be written to."""

    info: DatasetInfo
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Datasets:
    """The datasets of the catalogue, by name. `folder` is where large ones are looked for and kept."""

    def __init__(self, folder: Path, *, obtain_mnist: Callable[[Path], mnist.Arrays] = mnist.obtain) -> None:
        self._folder = folder
        self._readers: dict[str, Callable[[], mnist.Arrays]] = {
            "mnist-10k": _packaged,
            "mnist": lambda: obtain_mnist(folder),
        }
        self._loaded: OrderedDict[str, Dataset] = OrderedDict()

    def load(self, name: str) -> Dataset:
        """A dataset; the same object again while it is kept.

        Raises InvalidSpec for an unknown name, DatasetUnavailable where its files are nowhere to be had.
        """
        info = find(name)
        if name not in self._loaded:
            self._loaded[name] = from_arrays(info, self._readers[name]())
        self._loaded.move_to_end(name)
        if len(self._loaded) > MOST_IN_MEMORY:
            self._loaded.popitem(last=False)
        return self._loaded[name]


def from_arrays(info: DatasetInfo, arrays: mnist.Arrays) -> Dataset:
    """A dataset of images [N, height, width(, channels)] uint8 and labels [N], named as in Keras' mnist.npz."""
    return Dataset(
        info,
        train_images=_flat(arrays["x_train"], info),
        train_labels=arrays["y_train"].astype(np.int32),
        test_images=_flat(arrays["x_test"], info),
        test_labels=arrays["y_test"].astype(np.int32),
    )


def _flat(images: np.ndarray, info: DatasetInfo) -> np.ndarray:
    return np.ascontiguousarray(images, np.uint8).reshape(-1, info.pixels)


def _packaged() -> mnist.Arrays:
    """mnist-10k, which comes with the package."""
    with resources.files("worker").joinpath("data/mnist-10k.npz").open("rb") as file, np.load(file) as archive:
        return dict(archive)
