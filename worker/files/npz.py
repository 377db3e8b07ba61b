"""Arrays as an uncompressed `.npz`, part by part: it is never in memory as a whole."""

import zipfile
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.lib import format as npy

from store.files import Chunk


def npz_parts(arrays: Mapping[str, np.ndarray]) -> Iterator[Chunk]:
    """The bytes of a file that `np.load` reads without pickle. An array's own memory is one of the parts: nothing may
    change it before the next one is asked for.
    """
    written = _Written()
    # Without `seek`, zipfile writes an array's length and checksum behind it.
    with zipfile.ZipFile(written, "w") as archive:  # pyright: ignore[reportCallIssue, reportArgumentType] (it takes what can write)
        for name, array in arrays.items():
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
