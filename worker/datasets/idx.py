"""MNIST as arrays, as IDX files and as Keras' npz: from each to arrays, and what the published bytes are."""

import hashlib
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]
"""x_train, x_test: uint8 [N, 28, 28]; y_train, y_test: uint8 [N]. The names are those of Keras' file."""

FILES: Mapping[str, str] = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
"""Names of the published files."""

DIGESTS: Mapping[str, str] = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the uncompressed IDX files as LeCun, Cortes and Burges published them."""

UINT8 = 8
"""IDX's code for bytes."""


class Unusable(Exception):
    """A place does not have the set, or has something else under its name."""


def verified(arrays: Arrays, digests: Mapping[str, str]) -> Arrays:
    """The arrays, if written as IDX files they are the published bytes. Raises Unusable."""
    for name, digest in digests.items():
        array = arrays[name]
        if array.dtype != np.uint8:
            raise Unusable(f"its {name} is {array.dtype}, MNIST's is uint8")
        if idx_digest(array) != digest:
            shape = " x ".join(map(str, array.shape))
            raise Unusable(f"its {name} ({shape}) is not MNIST's: as an IDX file its SHA-256 is not {digest}")
    return arrays


def header(array: np.ndarray) -> bytes:
    """How a uint8 array's IDX file begins: two zero bytes, the type, the number of axes, each axis as a
    big-endian 32-bit number. The values follow, row by row."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, UINT8, array.ndim, *array.shape)


def idx_digest(array: np.ndarray) -> str:
    """SHA-256, in hex, of a uint8 array's IDX file."""
    digest = hashlib.sha256(header(array))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def from_idx(content: bytes) -> np.ndarray:
    """The uint8 array of an IDX file; shares the content's memory. Raises Unusable."""
    array, rest = split_idx(np.frombuffer(content, np.uint8))
    if rest.size:
        raise Unusable(f"not an IDX file: {rest.size} bytes too many")
    return array


def split_idx(content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The uint8 array of the IDX file with which `content` (uint8 [N]) begins, and what follows it. Copies
    nothing. Raises Unusable."""
    start = bytes(content[:4])
    if len(start) < 4 or start[:3] != bytes([0, 0, UINT8]):
        raise Unusable("not an IDX file of bytes")
    values_at = 4 + 4 * start[3]
    try:
        shape = struct.unpack(f">{start[3]}I", bytes(content[4:values_at]))
        end = values_at + math.prod(shape)
        return content[values_at:end].reshape(shape), content[end:]
    except (ValueError, OverflowError, struct.error) as error:
        raise Unusable(f"not a whole IDX file: {error}") from error


def read_npz(file: Path | io.BytesIO) -> Arrays:
    """The four arrays of a file in Keras' layout, compressed or not.

    Raises OSError where it cannot be read, Unusable where it is torn or something else.
    """
    content = io.BytesIO(file.read_bytes()) if isinstance(file, Path) else file
    try:
        with zipfile.ZipFile(content) as archive:
            missing = [name for name in FILES if f"{name}.npy" not in archive.namelist()]
        if missing:
            raise Unusable(f"it has no {', '.join(missing)}")
        with np.load(content, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in FILES}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise Unusable(f"it is not a whole npz file: {error}") from error
