"""The arrays in an archive: NumPy's own (.npz), and IDX files (LeCun, "THE MNIST DATABASE"). Nothing is unpickled."""

import gzip
import io
import math
import re
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from tokenize import TokenError
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from api.uploads.archives import DAMAGED, ArchivedFile, opened
from api.uploads.checked import Limits
from api.uploads.folders import Part, is_ignored, segments
from jobs.escapes import escaped
from jobs.faults import InvalidUpload
from jobs.inputs import ARRAY_ALIASES, ARRAYS

Arrays = dict[str, NDArray[Any]]
"""`x_train`, `y_train` and so on: mapped from files, to be read."""

LONGEST_HEADER = 1 << 16
MOST_AXES = 32

_NO_NPY = (ValueError, SyntaxError, OverflowError, TypeError, EOFError, TokenError, RecursionError, MemoryError)
"""What NumPy, and Python's parser in it, raise for a header that is none."""

_IDX = re.compile(
    r"(train|t10k|test|val(?:id|idation)?)[-_.](images|labels)[-_.].*(ubyte|idx\d?)(\.gz)?", re.IGNORECASE
)
_IDX_PARTS: dict[str, Part] = {"train": "train", "t10k": "test", "test": "test"}
_IDX_UNSIGNED_BYTES = 8


def is_idx(name: str) -> bool:
    """Whether a file's name is that of one of MNIST's kind: `train-images-idx3-ubyte.gz`."""
    path = segments(name)
    return bool(path) and _IDX.fullmatch(path[-1]) is not None


@contextmanager
def npz_arrays(path: Path, *, scratch: Path, limits: Limits) -> Generator[Arrays]:
    """The arrays of a .npz.

    Raises:
        InvalidUpload: there are others than it takes, or one that cannot be read.
    """
    with TemporaryDirectory(dir=scratch.parent) as folder:
        arrays: Arrays = {}
        with opened(path, most_bytes=limits.most_encoded_bytes) as files:
            for file in files:
                if is_ignored(file.name):
                    continue
                name = "/".join(segments(file.name)).removesuffix(".npy")
                name = ARRAY_ALIASES.get(name, name)
                if name not in ARRAYS:
                    detail = f"the archive has an array {escaped(name)[:100]!r}; wanted: x_train, y_train, and perhaps "
                    raise InvalidUpload(detail + "x_val, y_val, x_test, y_test")
                if name in arrays:
                    raise InvalidUpload(f"the array {name!r} is there twice")
                unpacked = _unpacked(file, Path(folder) / f"{name}.npy", most_bytes=file.size_bytes)
                arrays[name] = _npy(unpacked, name)
        yield arrays


@contextmanager
def idx_arrays(path: Path, *, scratch: Path, limits: Limits) -> Generator[Arrays]:
    """The arrays of IDX files in an archive, gzipped or not.

    Raises:
        InvalidUpload: one cannot be read, or is there twice.
    """
    with TemporaryDirectory(dir=scratch.parent) as folder:
        arrays: Arrays = {}
        left = limits.most_encoded_bytes
        with opened(path, most_bytes=left) as files:
            for file in files:
                if is_ignored(file.name):
                    continue
                shown = escaped(file.name)[:100]
                found = _IDX.fullmatch((segments(file.name) or [""])[-1])
                if found is None:
                    raise InvalidUpload(
                        f"{shown!r} stands beside IDX files; wanted: images and labels of train and test"
                    )
                part = _IDX_PARTS.get(found[1].lower(), "val")
                name = f"{'x' if found[2].lower() == 'images' else 'y'}_{part}"
                if name in arrays:
                    raise InvalidUpload(f"{shown!r} is another file of the same part")
                unpacked = _unpacked(file, Path(folder) / name, most_bytes=left, is_idx=True)
                left -= unpacked.stat().st_size
                arrays[name] = _idx(unpacked, shown)
        yield arrays


def _unpacked(file: ArchivedFile, path: Path, *, most_bytes: int, is_idx: bool = False) -> Path:
    """A file of an archive as one of its own; IDX files may be gzipped within, and end where their heads say."""
    shown, size, most = escaped(file.name)[:100], 0, most_bytes
    try:
        with path.open("wb") as out, closing(_blocks(file.open, gzipped=is_idx)) as blocks:
            for block in blocks:
                if is_idx and not size:
                    most = min(most_bytes, _idx_bytes(block))
                size += len(block)
                if size > most:
                    raise InvalidUpload(f"{shown!r} has more than {most:,} bytes, unpacked")
                out.write(block)
    except (*DAMAGED, RuntimeError) as error:
        raise InvalidUpload(f"{shown!r} is damaged: {escaped(str(error))[:100]}") from error
    return path


def _blocks(open_file: Callable[[], IO[bytes]], *, gzipped: bool) -> Generator[bytes]:
    """The bytes of a file of an archive. Raises EOFError where its data are damaged, also where those raise OSError."""
    try:
        with open_file() as stream:
            head = stream.read(2)
            rest = cast("IO[bytes]", _Again(head, stream))
            whole = gzip.GzipFile(fileobj=rest) if gzipped and head == b"\x1f\x8b" else rest
            while block := whole.read(1 << 20):
                yield block
    except OSError as error:  # of bzip2, say; what the disk raises is raised where `out` is written
        raise EOFError(str(error)) from error


def _idx_bytes(head: bytes) -> int:
    """How long an IDX file is by its head; no longer than the head for what is none."""
    rank = head[3] if len(head) > 3 else 0
    sizes = np.frombuffer(head[4 : 4 + 4 * rank].ljust(4 * rank, b"\0"), ">u4").tolist()
    return max(len(head), 4 + 4 * rank + math.prod(sizes))


class _Again(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            head, self._head = self._head, b""
            return head + self._rest.read()
        head, self._head = self._head[:size], self._head[size:]
        return head + self._rest.read(size - len(head)) if size > len(head) else head


def _npy(path: Path, name: str) -> NDArray[Any]:
    """An array of numbers or texts, mapped. Raises InvalidUpload."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file, max_header_size=LONGEST_HEADER)
            begin = file.tell()
        if dtype.hasobject:
            raise InvalidUpload(f"{name} holds Python objects, which are not read; wanted: numbers, or texts as labels")
        if dtype.kind not in "biufUS" or dtype.names:
            raise InvalidUpload(f"{name} is of {dtype}; wanted: numbers, or texts as labels")
        if any(length < 0 for length in shape):
            raise InvalidUpload(f"{name} has the shape {shape}")
        wanted = math.prod(shape) * dtype.itemsize
        if path.stat().st_size - begin != wanted:
            found = path.stat().st_size - begin
            raise InvalidUpload(f"{name} has {found:,} bytes of data; {wanted:,} are wanted by its shape")
        if not wanted:
            return np.empty(shape, dtype)
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except _NO_NPY as error:
        why = escaped(str(error))[:100] or type(error).__name__
        raise InvalidUpload(f"{name} is no array that can be read: {why}") from error


def _idx(path: Path, shown: str) -> NDArray[np.uint8]:
    """A file of unsigned bytes, mapped. Raises InvalidUpload."""
    with path.open("rb") as file:
        magic = file.read(4)
        rank = magic[3] if len(magic) == 4 else 0
        sizes = file.read(4 * rank)
    sound = magic[:3] == bytes([0, 0, _IDX_UNSIGNED_BYTES]) and 1 <= rank <= MOST_AXES and len(sizes) == 4 * rank
    if not sound:
        raise InvalidUpload(f"{shown!r} begins as no IDX file of unsigned bytes does")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    begin = 4 + 4 * rank
    if path.stat().st_size - begin != math.prod(shape):
        what = " x ".join(f"{size:,}" for size in shape)
        raise InvalidUpload(f"{shown!r} has {path.stat().st_size - begin:,} bytes of data; its head says {what}")
    if not math.prod(shape):
        raise InvalidUpload(f"{shown!r} holds nothing: its head says {' x '.join(f'{size:,}' for size in shape)}")
    return np.memmap(path, np.uint8, mode="r", offset=begin, shape=shape)
