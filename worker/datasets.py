"""Datasets as arrays, kept in memory from one job to the next."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.datasets import DatasetInfo, find
from jobs.errors import DatasetUnavailable
from worker import mnist
from worker.idx import Arrays, Unusable, read_npz

MOST_IN_MEMORY = 4
"""Datasets kept decoded; the one used longest ago makes room."""

PACKAGED = Path(__file__).parent / "data" / "mnist-10k.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images uint8 [N, pixels], pixels row by row with channels last; labels int32 [N]. Read-only."""

    info: DatasetInfo
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Datasets:
    """The datasets of the catalogue, by name. `root` is where large ones are looked for and kept; nothing is
    made there before the first of them is needed. Threads may share it."""

    def __init__(self, root: Path, *, obtain_mnist: Callable[[Path], Arrays] = mnist.obtain) -> None:
        self._readers: dict[str, Callable[[], Arrays]] = {
            "mnist-10k": lambda: packaged(PACKAGED),
            "mnist": lambda: obtain_mnist(root),
        }
        self._loaded: OrderedDict[str, Dataset] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, name: str) -> Dataset:
        """A dataset; the same object again while it is kept.

        Raises InvalidSpec for an unknown name, DatasetUnavailable where its files are nowhere to be had.
        """
        info = find(name)
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = from_arrays(info, self._readers[name]())
            self._loaded.move_to_end(name)
            if len(self._loaded) > MOST_IN_MEMORY:
                self._loaded.popitem(last=False)
            return self._loaded[name]


def from_arrays(info: DatasetInfo, arrays: Arrays) -> Dataset:
    """A dataset of images [N, height, width(, channels)] uint8 and labels [N], named as in Keras' mnist.npz."""
    return Dataset(
        info,
        train_images=_flat(arrays["x_train"], info),
        train_labels=_read_only(arrays["y_train"].astype(np.int32)),
        test_images=_flat(arrays["x_test"], info),
        test_labels=_read_only(arrays["y_test"].astype(np.int32)),
    )


def packaged(path: Path) -> Arrays:
    """A set that comes with the package. Raises DatasetUnavailable where the installation is damaged."""
    try:
        return read_npz(path)
    except (OSError, Unusable) as error:
        raise DatasetUnavailable(
            f"{path}, which comes with gradientd, cannot be read; install it again: {error}"
        ) from error


def _flat(images: np.ndarray, info: DatasetInfo) -> np.ndarray:
    return _read_only(np.ascontiguousarray(images, np.uint8).reshape(-1, info.pixels))


def _read_only(array: np.ndarray) -> np.ndarray:
    """Jobs share the arrays: none may change them for the next."""
    array.flags.writeable = False
    return array
