"""Datasets as arrays, kept in memory from one job to the next."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, overload

import numpy as np

from jobs.dataset_versions import DatasetVersion
from jobs.datasets import DatasetInfo, find
from jobs.errors import DatasetUnavailable
from jobs.model_encoding import ModelEncoding
from jobs.reencoding import Reencoder, info_with
from store import checked_files
from store.dataset_files import DatasetFiles
from worker.datasets import mnist
from worker.datasets.idx import Arrays, Unusable, read_npz

MOST_IN_MEMORY = 4
"""Datasets kept decoded; the one used longest ago makes room."""

LOOK_SECONDS = 0.05
"""How often somebody who waits for a dataset asks whether to stop."""

PACKAGED = Path(str(files("store"))) / "data" / "mnist-10k.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """x: uint8 or float32 [N, values], an example's in C order: of pixels row by row with channels last. y: labels
    int32 [N], or standardised targets float32 [N, targets]. Read-only.
    """

    info: DatasetInfo
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    val_x: np.ndarray | None = None
    """Examples that were brought to validate on."""
    val_y: np.ndarray | None = None
    encoding: ModelEncoding | None = None
    """What the models that learn it are fed and tell; None for that of a built-in one."""
    version: DatasetVersion | None = None
    """The record of an uploaded one."""
    test_sources: bytes | None = None
    """Where each test example is in the upload, a line each; None where that is not known."""

    def encoded_as(self, encoding: ModelEncoding) -> "Dataset":
        """The same examples as a network is fed them by an encoding that was `jobs.reencoding.adopted` for them; with
        their own it is this one."""
        own = self.encoding or ModelEncoding.of(self.info)
        if encoding == own:
            return self
        turn = Reencoder(own, encoding)

        def turned(x: np.ndarray | None, y: np.ndarray | None) -> tuple[Any, Any]:
            if x is None or y is None:
                return None, None
            return _read_only(turn.examples(x)), _read_only(turn.targets(y))

        parts = [turned(self.train_x, self.train_y), turned(self.test_x, self.test_y), turned(self.val_x, self.val_y)]
        names = [f"{part}_{axis}" for part in ("train", "test", "val") for axis in "xy"]
        arrays = dict(zip(names, (array for part in parts for array in part), strict=True))
        return replace(self, info=info_with(self.info, encoding), encoding=encoding, **arrays)


class Datasets:
    """The built-in datasets by name, and uploaded ones by version. `root` is where large ones of the first are looked
    for and kept; nothing is made there before the first of them is needed. `files` holds the others. Threads may share
    it.
    """

    def __init__(
        self,
        root: Path,
        *,
        files: DatasetFiles | None = None,
        obtain_mnist: Callable[[Path], Arrays] = mnist.obtain,
    ) -> None:
        self._readers: dict[str, Callable[[], Arrays]] = {
            "mnist-10k": lambda: packaged(PACKAGED),
            "mnist": lambda: obtain_mnist(root),
        }
        self._files = files
        self._loads: OrderedDict[str, Future[Dataset]] = OrderedDict()
        """Begun and done; one that failed is not kept."""
        self._lock = threading.Lock()

    @overload
    def load(self, dataset: str | DatasetVersion) -> Dataset: ...

    @overload
    def load(self, dataset: str | DatasetVersion, *, check_stop: Callable[[], Any | None]) -> Dataset | None: ...

    def load(
        self, dataset: str | DatasetVersion, *, check_stop: Callable[[], Any | None] = lambda: None
    ) -> Dataset | None:
        """A dataset; the same object again while it is kept.

        `check_stop` is called all the while, as a fetch may take minutes. A reason ends the waiting, and None is
        returned; the fetch goes on, for whoever asks next.

        Raises UnknownDataset, DatasetUnavailable where its files are nowhere to be had.
        """
        if isinstance(dataset, str):
            info, read = find(dataset), self._readers[find(dataset).name]
            return self._loaded(dataset, lambda: from_arrays(info, read()), check_stop)
        version = dataset
        # Its owner may have given the name to others' versions too: the folder alone is this one's.
        return self._loaded(version.folder, lambda: self._read(version), check_stop)

    def _loaded(self, key: str, read: Callable[[], Dataset], check_stop: Callable[[], Any | None]) -> Dataset | None:
        with self._lock:
            if key not in self._loads:
                self._loads[key] = self._begin(key, read)
            load = self._loads[key]
            self._loads.move_to_end(key)
            if len(self._loads) > MOST_IN_MEMORY:
                self._loads.popitem(last=False)
        while not wait([load], LOOK_SECONDS).done:
            if check_stop() is not None:
                return None
        return load.result()

    def _begin(self, key: str, read: Callable[[], Dataset]) -> Future[Dataset]:
        load: Future[Dataset] = Future()

        def run() -> None:
            try:
                dataset = read()
            except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
                with self._lock:
                    self._loads.pop(key, None)
                load.set_exception(error)
            else:
                load.set_result(dataset)

        # Its log lines tell which job it began for. A process that ends does not wait for it.
        threading.Thread(target=copy_context().run, args=(run,), name=f"load-{key}", daemon=True).start()
        return load

    def _read(self, version: DatasetVersion) -> Dataset:
        """The arrays of an uploaded dataset. Raises DatasetUnavailable."""
        assert self._files
        try:
            parts = ("train", "test", *(["val"] if version.validation_examples else []))
            arrays = {
                name: self._files.read(version.folder, name) for part in parts for name in (f"{part}_x", f"{part}_y")
            }
            sources = self._files.read_sources(version.folder)
        except (OSError, ValueError, checked_files.Damaged) as error:
            raise DatasetUnavailable(
                f"the files of {version.ref} cannot be read; upload it again, or look after the data directory: {error}"
            ) from error
        encoding = ModelEncoding.of_version(version)
        return Dataset(version.info, **arrays, encoding=encoding, version=version, test_sources=sources)


def from_arrays(info: DatasetInfo, arrays: Arrays) -> Dataset:
    """A dataset of images [N, height, width(, channels)] uint8 and labels [N], named as in Keras' mnist.npz."""
    return Dataset(
        info,
        train_x=_flat(arrays["x_train"], info),
        train_y=_read_only(arrays["y_train"].astype(np.int32)),
        test_x=_flat(arrays["x_test"], info),
        test_y=_read_only(arrays["y_test"].astype(np.int32)),
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
    return _read_only(np.ascontiguousarray(images, np.uint8).reshape(-1, info.values))


def _read_only(array: np.ndarray) -> np.ndarray:
    """Jobs share the arrays: none may change them for the next."""
    array.flags.writeable = False
    return array
