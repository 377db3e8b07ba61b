"""What pictures and arrays have in common: parts, the order in which they are kept, and what occurs twice."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.uploads.folders import Part
from api.uploads.options import UploadOptions
from api.uploads.split import shuffled
from jobs.encoding import MOST_CATEGORIES
from jobs.faults import InvalidUpload

Number = TypeVar("Number", np.uint8, np.int32, np.float32)

HASH_BYTES = 16


class Places(NamedTuple):
    """The examples of each part, in the order in which they are kept: places in the upload's order."""

    train: NDArray[np.intp]
    val: NDArray[np.intp]
    test: NDArray[np.intp]

    @property
    def there(self) -> dict[Part, NDArray[np.intp]]:
        """Those parts that have any."""
        parts: dict[Part, NDArray[np.intp]] = {"train": self.train, "val": self.val, "test": self.test}
        return {name: places for name, places in parts.items() if places.size}


def divided(given: Mapping[Part, NDArray[np.intp]], groups: NDArray[np.int32], options: UploadOptions) -> Places:
    """Each part's examples, shuffled; a test part is taken from those for training where none was brought.

    `groups` int32 [N] are the classes of all examples of the upload, or all 0.

    Raises:
        InvalidUpload: there are none for training, or none for testing.
    """
    none = np.empty(0, np.intp)
    parts = {part: _shuffled(given.get(part, none), groups, options.split_seed) for part in ("train", "val", "test")}
    train, val, test = parts["train"], parts["val"], parts["test"]
    if not train.size:
        raise InvalidUpload("no example is left to train on")
    if not test.size:
        testing = round(len(train) * options.test_split)
        if not 0 < testing < len(train):
            detail = f"of {len(train)} examples, test_split={options.test_split:g} leaves {testing} for testing"
            raise InvalidUpload(f"{detail}; there must be some for it and for training")
        train, test = train[: len(train) - testing], train[len(train) - testing :]
    return Places(train, val, test)


def check_classes(classes: Sequence[str], labels: NDArray[np.int32], places: Places) -> None:
    """Raise InvalidUpload where there is nothing to tell apart, too much, or a class that training does not have."""
    if len(classes) < 2:
        raise InvalidUpload(f"there is one class, {classes[0]!r}: nothing to tell apart")
    if len(classes) > MOST_CATEGORIES:
        raise InvalidUpload(f"{len(classes):,} classes; at most {MOST_CATEGORIES:,} are taken")
    trained = np.bincount(labels[places.train], minlength=len(classes))
    if missing := [name for name, count in zip(classes, trained, strict=True) if not count]:
        some = ", ".join(map(repr, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise InvalidUpload(f"no training example has the class {some}")


def class_counts(classes: Sequence[str], labels: NDArray[np.int32], places: Places) -> dict[str, int]:
    """Examples of each class."""
    counts = np.bincount(labels[np.concatenate(places)], minlength=len(classes))
    return {name: int(count) for name, count in zip(classes, counts, strict=True)}


class Twice(NamedTuple):
    """How many examples there are of which there is another one."""

    duplicates: int
    train_test: int
    class_conflicts: int


def occurring_twice(hashes: NDArray[np.void], labels: NDArray[np.int32] | None, places: Places) -> Twice:
    """By the hashes of all examples of the upload, V16 [N]."""
    kept = np.concatenate(places)
    _, which = np.unique(hashes[kept], return_inverse=True)
    distinct = int(which.max()) + 1
    across = int(np.isin(hashes[places.test], hashes[places.train]).sum())
    if labels is None:
        return Twice(len(kept) - distinct, across, 0)
    lowest, highest = np.full(distinct, np.iinfo(np.int32).max, np.int32), np.full(distinct, -1, np.int32)
    np.minimum.at(lowest, which, labels[kept])
    np.maximum.at(highest, which, labels[kept])
    return Twice(len(kept) - distinct, across, int((lowest != highest)[which].sum()))


def new_array(into: Path, name: str, dtype: type[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """A .npy file in a folder, as memory to be written. Raises OSError where the disk has no room for it."""
    path = into / f"{name}.npy"
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    with path.open("r+b") as file:  # room for it now: a disk that is full under a mapping kills its process
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _shuffled(places: NDArray[np.intp], groups: NDArray[np.int32], seed: int) -> NDArray[np.intp]:
    return places[shuffled(groups[places], seed=seed)] if places.size else places
