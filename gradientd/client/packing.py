"""What is no single file, as one to be uploaded: a folder as a tar, packed while it is sent, and arrays as a `.npz`."""

import io
import os
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

BLOCK = 512
"""A tar is made of these (POSIX ustar)."""
CHUNK_BYTES = 1 << 20


class Array(Protocol):
    """A NumPy array, or what says of itself what one does."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of its values."""
        ...

    def tobytes(self) -> bytes:
        """Its values in C order."""
        ...


def folder_packed(folder: Path) -> tuple[int, Iterator[bytes]]:
    """A folder's files as a tar: how many bytes, and they themselves, each file's as it is read.

    The same bytes whenever the files are the same. What begins with a dot is left out. Links are followed, but into no
    folder a second time.

    Raises OSError, also where a file changes meanwhile or a folder cannot be read, and ValueError for a folder without
    files.
    """
    found = sorted(visible_files(folder))
    if not found:
        raise ValueError(f"{folder} holds no files")
    heads: list[tuple[Path, bytes, int]] = []
    for path in found:
        info = tarfile.TarInfo(path.relative_to(folder).as_posix())
        info.size = path.stat().st_size
        heads.append((path, info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"), info.size))
    total = sum(len(head) + -(-size // BLOCK) * BLOCK for _, head, size in heads) + 2 * BLOCK
    return total, _tar(heads)


def arrays_packed(arrays: Mapping[str, Array]) -> bytes:
    """Arrays by name as a `.npz`. Raises ValueError for arrays of Python objects."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            if array.dtype.hasobject:
                raise ValueError(f"{name} holds Python objects; make it an array of numbers or of texts")
            content = _npy_head(array) + array.tobytes()
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content)  # of a fixed date
    return packed.getvalue()


def visible_files(folder: Path) -> Iterator[Path]:
    """The files in a folder and all below it, but for what begins with a dot. Raises OSError for a folder that cannot
    be read."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = (Path(place, name) for name in names if not name.startswith("."))
        yield from (path for path in files if path.is_file())


def _refuse(error: OSError) -> None:
    raise error


def _tar(heads: list[tuple[Path, bytes, int]]) -> Iterator[bytes]:
    for path, head, size in heads:
        yield head
        left = size
        with path.open("rb") as file:
            while chunk := file.read(min(CHUNK_BYTES, left)):
                left -= len(chunk)
                yield chunk
            if left or file.read(1):
                raise OSError(None, "the file changed while it was read", os.fspath(path))
        yield b"\0" * (-size % BLOCK)
    yield b"\0" * (2 * BLOCK)


def _npy_head(array: Array) -> bytes:
    """NumPy's format 1.0, without NumPy."""
    shape = "".join(f"{size}, " for size in array.shape)
    told = f"{{'descr': {array.dtype.str!r}, 'fortran_order': False, 'shape': ({shape}), }}"
    padded = told + " " * (-(len(told) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode("latin-1")
