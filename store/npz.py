"""Arrays as an uncompressed `.npz`, part by part: it is never in memory as a whole.

Needs NumPy.
"""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from store.files import Chunk

LONGEST_HEADER = 1 << 14
"""Bytes of an array's head that are looked at."""


class Unreadable(Exception):
    """A file is no `.npz` of numbers."""


def npz_parts(arrays: Iterable[tuple[str, NDArray[Any]]]) -> Iterator[Chunk]:
    """The bytes of a file of named arrays that `np.load` reads without pickle. An array's own memory is one of the
    parts: nothing may change it before the next one is asked for.
    """
    written = _Written()
    # Without `seek`, zipfile writes an array's length and checksum behind it.
    with zipfile.ZipFile(written, "w") as archive:  # pyright: ignore[reportCallIssue, reportArgumentType] (it takes what can write)
        for name, array in arrays:
            values = np.ascontiguousarray(array).reshape(array.shape)  # which makes a scalar an array of one
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array_header_1_0(member, npy.header_data_from_array_1_0(values))
                member.write(values.reshape(-1).view(np.uint8).data)
            yield from written.taken()
    yield from written.taken()


class _Written:
    """A file that keeps what is written to it until it is taken."""

    def __init__(self) -> None:
        self._parts: list[Chunk] = []

    def write(self, data: Chunk) -> int:
        self._parts.append(data)
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Nothing waits but what is to be taken."""

    def taken(self) -> list[Chunk]:
        parts, self._parts = self._parts, []
        return parts


class NpzReader:
    """Reads a `.npz` of this service's own array by array: their heads alone at first. A context that holds it open."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, and Unreadable for a file that is damaged or something else."""
        self._file = path.open("rb")
        try:
            self._archive = zipfile.ZipFile(self._file)
            members = [name for name in self._archive.namelist() if name.endswith(".npy")]
            self.shapes = {name.removesuffix(".npy"): self._shape(name) for name in members}
            """Of each array, in the file's order."""
        except _DAMAGED as error:
            self._file.close()
            raise Unreadable(f"it is no .npz of arrays, or damaged: {error}") from error
        except BaseException:
            self._file.close()
            raise

    def read(self, name: str) -> NDArray[Any]:
        """An array, checked against its checksum. Raises OSError and Unreadable."""
        try:
            with self._archive.open(f"{name}.npy") as member:
                return npy.read_array(member, allow_pickle=False)
        except _DAMAGED as error:
            raise Unreadable(f"its array {name!r} is damaged: {error}") from error

    def _shape(self, name: str) -> tuple[int, ...]:
        with self._archive.open(name) as member:
            return head_of(member)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
        self._file.close()


def head_of(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array whose `.npy` begins here. Raises ValueError, or what Python's parser does."""
    read = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream, max_header_size=LONGEST_HEADER)
    return shape, dtype


_DAMAGED = (zipfile.BadZipFile, ValueError, SyntaxError, KeyError, EOFError, NotImplementedError, RuntimeError)
