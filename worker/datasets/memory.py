"""Datasets as arrays, kept in memory from one job to the next."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, overload

import numpy as np

from jobs.datasets import DatasetInfo, find
from jobs.errors import DatasetUnavailable
from worker.datasets import mnist
from worker.datasets.idx import Arrays, Unusable, read_npz

MOST_IN_MEMORY = 4
"""Datasets kept decoded; the one used longest ago makes room."""

LOOK_SECONDS = 0.05
"""How often somebody who waits for a dataset asks whether to stop."""

PACKAGED = Path(str(files("store"))) / "data" / "mnist-10k.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images uint8 [N, pixels], pixels row by row with channels last; labels int32 [N]. Read-only."""

    info: DatasetInfo
    train_examples: np.ndarray
    train_labels: np.ndarray
    test_examples: np.ndarray
    test_labels: np.ndarray


class Datasets:
    """The datasets of the catalogue, by name. `root` is where large ones are looked for and kept; nothing is
    made there before the first of them is needed. Threads may share it."""

    def __init__(self, root: Path, *, obtain_mnist: Callable[[Path], Arrays] = mnist.obtain) -> None:
        self._readers: dict[str, Callable[[], Arrays]] = {
            "mnist-10k": lambda: packaged(PACKAGED),
            "mnist": lambda: obtain_mnist(root),
        }
        self._loads: OrderedDict[str, Future[Dataset]] = OrderedDict()
        """Begun and done; one that failed is not kept."""
        self._lock = threading.Lock()

    @overload
    def load(self, name: str) -> Dataset: ...

    @overload
    def load(self, name: str, *, check_stop: Callable[[], Any | None]) -> Dataset | None: ...

    def load(self, name: str, *, check_stop: Callable[[], Any | None] = lambda: None) -> Dataset | None:
        """A dataset; the same object again while it is kept.

        `check_stop` is called all the while, as a fetch may take minutes. A reason ends the waiting, and None is
        returned; the fetch goes on, for whoever asks next.

        Raises UnknownDataset, DatasetUnavailable where its files are nowhere to be had.
        """
        info = find(name)
        with self._lock:
            if name not in self._loads:
                self._loads[name] = self._begin(info)
            load = self._loads[name]
            self._loads.move_to_end(name)
            if len(self._loads) > MOST_IN_MEMORY:
                self._loads.popitem(last=False)
        while not wait([load], LOOK_SECONDS).done:
            if check_stop() is not None:
                return None
        return load.result()

    def _begin(self, info: DatasetInfo) -> Future[Dataset]:
        load: Future[Dataset] = Future()

        def run() -> None:
            try:
                dataset = from_arrays(info, self._readers[info.name]())
            except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
                with self._lock:
                    self._loads.pop(info.name, None)
                load.set_exception(error)
            else:
                load.set_result(dataset)

        # Its log lines tell which job it began for. A process that ends does not wait for it.
        threading.Thread(target=copy_context().run, args=(run,), name=f"load-{info.name}", daemon=True).start()
        return load


def from_arrays(info: DatasetInfo, arrays: Arrays) -> Dataset:
    """A dataset of images [N, height, width(, channels)] uint8 and labels [N], named as in Keras' mnist.npz."""
    return Dataset(
        info,
        train_examples=_flat(arrays["x_train"], info),
        train_labels=_read_only(arrays["y_train"].astype(np.int32)),
        test_examples=_flat(arrays["x_test"], info),
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
