"""Large files with checksums at their end: written whole or not at all, checked each time they are read.

Needs NumPy.
"""

import os
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from store.files import atomic_write, make_folder, sweep_abandoned

PIECES = 8
"""Parts read and checked side by side. 55 MB take 30 ms so on two cores; with SHA-256 in one go it is 60."""

CHUNK_BYTES = 1 << 20
"""Bytes that are read in one go."""

TRAILER_BYTES = 4 * PIECES
"""What follows the content: each piece's CRC-32. It finds damage, not forgery: the folder is the operator's."""


class Damaged(Exception):
    """A file is not what was once written to it."""


def write(path: Path, parts: Iterable[bytes | np.ndarray]) -> None:
    """Store a file's content, the parts (bytes, or uint8) one after the other. Raises OSError.

    The bytes are on disk before the name is. Of several writers the last one wins.
    """
    content = np.concatenate([np.frombuffer(part, np.uint8) for part in parts])
    sums = np.array([zlib.crc32(piece.data) for piece in _pieces(content)], "<u4")
    make_folder(path.parent)
    sweep_abandoned(path)
    atomic_write(path, [content.data, sums.data], mode=0o644)


def seal(path: Path) -> None:
    """Append the checksums to a file that has none yet, and see it on the disk. Raises OSError.

    A reader of .npy files takes no notice of them.
    """
    with path.open("r+b") as file:
        sums = np.array([_sum_of_next(file, length) for length in _lengths(os.fstat(file.fileno()).st_size)], "<u4")
        file.seek(0, os.SEEK_END)
        file.write(sums.data)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> np.ndarray:
    """A file's content, uint8 [N], read-only, in memory of its own: what happens to the file later does not
    matter. (A mapping would be faster, and a truncated file would then kill the process.)

    Raises Damaged, or OSError where there is none.
    """
    # Everything goes through one descriptor: a file renamed over this one meanwhile changes nothing.
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size - TRAILER_BYTES
        if size < 0:
            raise Damaged(f"it has {size + TRAILER_BYTES} bytes")
        content, expected = np.empty(size, np.uint8), np.empty(PIECES, "<u4")
        _fill(file.fileno(), expected.view(np.uint8), size)
        with ThreadPoolExecutor(PIECES) as pool:
            pieces = _pieces(content)
            starts = np.cumsum([0, *(piece.size for piece in pieces[:-1])])
            sums = list(pool.map(partial(_fill, file.fileno()), pieces, map(int, starts)))
    if sums != expected.tolist():
        raise Damaged("its checksums differ")
    content.flags.writeable = False
    return content


def _lengths(size: int) -> list[int]:
    """Bytes of each piece, as `_pieces` divides."""
    return [size // PIECES + (n < size % PIECES) for n in range(PIECES)]


def _sum_of_next(file: IO[bytes], length: int) -> int:
    total = 0
    while length and (part := file.read(min(length, CHUNK_BYTES))):
        total = zlib.crc32(part, total)
        length -= len(part)
    return total


def _pieces(content: np.ndarray) -> list[np.ndarray]:
    return np.array_split(content, PIECES)


def _fill(descriptor: int, piece: np.ndarray, start: int) -> int:
    """Read a piece and return its CRC-32. Reading and checking both release the interpreter."""
    rest = piece.data
    while rest:
        count = os.preadv(descriptor, [rest], start)
        if not count:
            raise Damaged("it ends too early")
        rest, start = rest[count:], start + count
    return zlib.crc32(piece.data)
