"""Checks weights: a `.npz` of named floating-point arrays, as a job's `weights.npz` is. Nothing is unpickled.

What is kept is a file of this service's own making: the same arrays, float32, uncompressed.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.uploads.archives import DAMAGED, ArchivedFile, is_archive, opened
from api.uploads.checked import CheckedWeights
from jobs.escapes import escaped
from jobs.faults import InvalidUpload
from jobs.uploaded_weights import ARRAY_NAME, LONGEST_ARRAY_NAME, MOST_ARRAYS, NamedArray
from store.npz import head_of, npz_parts

KEPT = "weights.npz"
BLOCK_BYTES = 1 << 20
MOST_AXES = 8
VARIANCE = "/moving_variance"
"""End of the name of an array that a batch normalization takes the root of."""

_NO_NPY = (ValueError, SyntaxError, OverflowError, TypeError, EOFError, TokenError, RecursionError, MemoryError)
"""What NumPy, and Python's parser in it, raise for a header that is none."""


def check_weights(path: Path, *, into: Path, most_bytes: int) -> CheckedWeights:
    """Check an upload and write its arrays into a folder; `most_bytes` are those of all of them, unpacked.

    Raises:
        InvalidUpload: it is no archive of arrays, or one of them holds something else than finite numbers, or a
            negative variance.
    """
    if not is_archive(path):
        raise InvalidUpload("this is no .npz: wanted are arrays by name, as np.savez writes them")
    arrays: list[NamedArray] = []
    with TemporaryDirectory(dir=into.parent) as folder, (into / KEPT).open("wb") as out:
        for part in npz_parts(_arrays(path, arrays, Path(folder) / "array", most_bytes=most_bytes)):
            out.write(part)
    if not arrays:
        raise InvalidUpload("there are no arrays in it")
    return CheckedWeights(arrays=tuple(arrays))


def _arrays(
    path: Path, found: list[NamedArray], scratch: Path, *, most_bytes: int
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays one after the other, float32; what they are goes to `found`."""
    names: set[str] = set()
    with opened(path, most_bytes=most_bytes) as files:
        for file in files:
            name = _name(file)
            if len(names) >= MOST_ARRAYS:
                raise InvalidUpload(f"there are more than {MOST_ARRAYS:,} arrays")
            if name in names:
                raise InvalidUpload(f"the array {name!r} is there twice")
            names.add(name)
            array = _read(file, name, scratch)
            found.append(NamedArray(name=name, shape=array.shape, dtype=array.dtype.name))
            yield name, _checked(array, name)


def _name(file: ArchivedFile) -> str:
    name = file.name.removesuffix(".npy")
    shown = escaped(name)[:100]
    if file.odd or name == file.name:
        raise InvalidUpload(f"{escaped(file.name)[:100]!r} is {file.odd or 'no .npy file'}; wanted: arrays alone")
    if len(name) > LONGEST_ARRAY_NAME or not ARRAY_NAME.fullmatch(name):
        wanted = f"layer/weight, at most {LONGEST_ARRAY_NAME} characters"
        raise InvalidUpload(f"{shown!r} cannot be the name of an array of weights; wanted: {wanted}")
    return name


def _read(file: ArchivedFile, name: str, scratch: Path) -> NDArray[Any]:
    """An array, mapped from a scratch file that the next one takes the place of. Raises InvalidUpload."""
    size = 0
    try:
        scratch.unlink(missing_ok=True)
        with scratch.open("wb") as out, file.open() as stream:
            while block := stream.read(BLOCK_BYTES):
                size += len(block)
                if size > file.size_bytes:
                    raise InvalidUpload(f"{name!r} has more bytes than the archive says")
                out.write(block)
    except (*DAMAGED, RuntimeError) as error:
        raise InvalidUpload(f"{name!r} is damaged: {escaped(str(error))[:100]}") from error
    try:
        with scratch.open("rb") as head:
            shape, dtype = head_of(head)
            begin = head.tell()
    except _NO_NPY as error:
        why = escaped(str(error))[:100] or type(error).__name__
        raise InvalidUpload(f"{name!r} is no array that can be read: {why}") from error
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise InvalidUpload(f"{name!r} is of {escaped(str(dtype))[:100]}; wanted: float16, float32 or float64")
    if len(shape) > MOST_AXES or any(length < 1 for length in shape):
        raise InvalidUpload(f"{name!r} has the shape {shape}; wanted: at most {MOST_AXES} axes, none of them empty")
    if size - begin != math.prod(shape) * dtype.itemsize:
        raise InvalidUpload(f"{name!r} has {size - begin:,} bytes of values, and its shape {shape} needs others")
    return np.load(scratch, mmap_mode="r" if shape else None, allow_pickle=False)


def _checked(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values = np.array(array, np.float32, order="C")
    if not np.isfinite(values).all():
        where = [int(place) for place in np.argwhere(~np.isfinite(values))[0]]
        raise InvalidUpload(f"{name!r} holds {array[tuple(where)]} at {where}; wanted: finite numbers within float32")
    if name.endswith(VARIANCE) and (values < 0).any():
        where = [int(place) for place in np.unravel_index(int(values.argmin()), values.shape)]
        raise InvalidUpload(f"{name!r} holds {values.min():g} at {where}; no variance is negative: set it to 0 or more")
    return values
