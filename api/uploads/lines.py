"""The physical lines of an uploaded text, decompressed and decoded, with what no text may cost bounded."""

import gzip
import io
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from jobs.faults import Fault, InvalidUpload

GZIP = b"\x1f\x8b"
OTHERS = {
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet file within gzip",
    b"PARE": "an encrypted Parquet file",
    b"\x93NUMPY": "a NumPy array",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"\x7fELF": "a program",
}
"""What else an upload may begin with."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
LONGEST_LINE = 1 << 20
"""Characters; a line within a quoted cell counts too."""
LOOKED_AT = 4096


@contextmanager
def open_lines(path: Path, *, most_bytes: int) -> Generator[Iterator[str]]:
    """The lines of a file, each with its end, gzip and a byte order mark taken off.

    Raises:
        InvalidUpload: it is empty, no text in UTF-8, has NULs or too long a line, or is damaged or longer than
            `most_bytes` when decompressed. Raised while the lines are read, too.
    """
    with path.open("rb") as raw:
        compressed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        plain = io.BufferedReader(_Bounded(gzip.GzipFile(fileobj=raw) if compressed else raw, most_bytes))
        try:
            _look_at(plain.peek(LOOKED_AT)[:LOOKED_AT])
            if compressed:
                _measure(path, most_bytes=most_bytes)
            with io.TextIOWrapper(plain, encoding="utf-8-sig", newline="") as text:
                yield _lines(text, path=path, most_bytes=most_bytes)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InvalidUpload(f"the gzip file is damaged: {error}") from error


def _lines(text: io.TextIOWrapper, *, path: Path, most_bytes: int) -> Iterator[str]:
    number = 0
    try:
        while line := text.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
                raise InvalidUpload(f"line {number:,} is longer than {LONGEST_LINE:,} characters")
            if "\0" in line:
                raise InvalidUpload("", [Fault(line=number, found="the character NUL", wanted="text")])
            yield line
    except UnicodeDecodeError as error:
        line = _undecodable(path, most_bytes=most_bytes)
        found = f"bytes that are no UTF-8 ({error.reason})"
        raise InvalidUpload("", [Fault(line=line, found=found, wanted="text in UTF-8")]) from error


def _measure(path: Path, *, most_bytes: int) -> None:
    """Raise InvalidUpload where a gzip file is longer than `most_bytes` when decompressed.

    That takes seconds; the rows that lie within so many bytes can take minutes to read.
    """
    with gzip.open(path) as file:
        bounded = _Bounded(file, most_bytes)
        while bounded.read(1 << 20):
            pass


def _look_at(start: bytes) -> None:
    """Raise InvalidUpload where a file's first bytes are none of a text."""
    if not start:
        raise InvalidUpload("the upload is empty")
    if start.startswith(UTF_16) or (len(start) > 3 and 0 in start[:4] and start[:4].count(0) == 2):
        raise InvalidUpload("the text is in UTF-16; save it as UTF-8")
    for magic, name in OTHERS.items():
        if start.startswith(magic):
            raise InvalidUpload(f"the upload is {name}, and no CSV")


def _undecodable(path: Path, *, most_bytes: int) -> int | None:
    """Number of the first line that is no UTF-8: the decoder had read on beyond the lines that it gave."""
    with path.open("rb") as raw:
        compressed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        plain = io.BufferedReader(_Bounded(gzip.GzipFile(fileobj=raw) if compressed else raw, most_bytes))
        number = 1
        while part := plain.readline(LONGEST_LINE):
            try:
                part.decode()
            except UnicodeDecodeError:
                return number
            number += part.endswith(b"\n")
    return None


class _Bounded(io.RawIOBase):
    """Bytes of another file, and no more than so many."""

    def __init__(self, file: "IO[bytes] | gzip.GzipFile", most_bytes: int) -> None:
        super().__init__()
        self._file = file
        self._left = most_bytes
        self._most = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        data = self._file.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise InvalidUpload(f"the upload is longer than {self._most:,} bytes when decompressed")
        buffer[: len(data)] = data
        return len(data)
