"""The files of an uploaded archive, one after the other: zip, tar and tar.gz. Nothing is ever unpacked to a path."""

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tarfile import HeaderError, ReadError, TarFile
from typing import IO, Self, cast

from jobs.escapes import escaped
from jobs.faults import InvalidUpload

MOST_FILES = 200_000
LONGEST_NAME = 1000
_TAR_MAGIC = slice(257, 262)
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_PEEKED = 512
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
)
"""What is raised for an archive that is no sound one."""


class UnreadableFile(ValueError):
    """A file of an archive cannot be read. The message says what it is."""


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file of an archive."""

    name: str
    size_bytes: int
    """As the archive says."""
    odd: str
    """What it is instead of a file; empty for a file."""
    open: Callable[[], IO[bytes]]

    def read(self, *, most_bytes: int) -> bytes:
        """Its bytes. Raises UnreadableFile where there are more, or they are damaged."""
        if self.odd:
            raise UnreadableFile(self.odd)
        try:
            with self.open() as stream:
                content = stream.read(most_bytes + 1)
        except (*DAMAGED, RuntimeError, OSError) as error:
            raise UnreadableFile(
                f"damaged or locked data: {escaped(str(error))[:100] or type(error).__name__}"
            ) from error
        if len(content) > most_bytes:
            raise UnreadableFile(f"more than {most_bytes:,} bytes")
        return content


def is_archive(path: Path) -> bool:
    """Whether an upload is an archive, by its first bytes."""
    return _head(path)[:4] in _ZIP_MAGICS or _is_tar(path) is not None


@contextmanager
def opened(path: Path, *, most_bytes: int) -> Generator[Iterator[ArchivedFile]]:
    """The files of an archive, in its own order: each is to be read before the next is asked for.

    Raises:
        InvalidUpload: it is damaged, or has too many files, or more than `most_bytes` in them.
    """
    try:
        if _head(path)[:4] in _ZIP_MAGICS:
            with zipfile.ZipFile(path) as archive:
                yield _bounded(_of_zip(archive), most_bytes)
        else:
            with (
                cast("IO[bytes]", gzip.open(path) if _is_tar(path) else path.open("rb")) as whole,
                tarfile.open(fileobj=whole, mode="r|", tarinfo=_Member) as archive,
            ):
                yield _bounded(_of_tar(archive, whole, most_bytes), most_bytes)
    except (*DAMAGED, RecursionError, UnicodeDecodeError) as error:
        raise InvalidUpload(f"the archive cannot be read: {escaped(str(error))[:200]}") from error


class _Member(tarfile.TarInfo):
    """A member of a tar, whose header is not overlooked where it is damaged, cut off or absent: tarfile ends there."""

    @classmethod
    def fromtarfile(cls, tarfile: TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # a block of zeros, the true end
                raise
            raise ReadError(str(error)) from error


def _of_zip(archive: zipfile.ZipFile) -> Iterator[ArchivedFile]:
    if len(archive.infolist()) > 2 * MOST_FILES:
        raise InvalidUpload(f"the archive has {len(archive.infolist()):,} entries; at most {MOST_FILES:,} are taken")
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.is_dir():
            continue
        kind = stat.S_IFMT(info.external_attr >> 16)
        odd = "" if kind in (0, stat.S_IFREG) else "a link" if kind == stat.S_IFLNK else "a device or a pipe"
        odd = odd or ("an encrypted file" if info.flag_bits & 1 else "")
        yield ArchivedFile(_zip_name(info), info.file_size, odd, lambda info=info: archive.open(info))


def _of_tar(archive: tarfile.TarFile, whole: IO[bytes], most_bytes: int) -> Iterator[ArchivedFile]:
    for count, member in enumerate(archive, 1):
        if count > 2 * MOST_FILES:
            raise InvalidUpload(f"the archive has more than {2 * MOST_FILES:,} entries")
        archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] (it would keep all)
        if member.isdir():
            continue
        odd = "" if member.isreg() else "a link" if member.islnk() or member.issym() else "a device or a pipe"
        name = member.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        yield ArchivedFile(name, member.size, odd, lambda member=member: _member(archive, member))
    left = most_bytes
    for stream in (cast("IO[bytes]", archive.fileobj), whole):  # what was read ahead, then what was not
        while block := stream.read(1 << 20):  # to the end, where gzip compares its checksum
            left -= len(block)
            if block.strip(b"\0"):
                raise InvalidUpload(
                    "behind the archive's end there is more: it is damaged there, or several are joined"
                )
            if left < 0:
                raise InvalidUpload(f"behind the archive's end there are more than {most_bytes:,} bytes")


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise EOFError("no file")
    return stream


def _zip_name(info: zipfile.ZipInfo) -> str:
    """A name without the flag that says UTF-8 is often in UTF-8 all the same."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _bounded(files: Iterator[ArchivedFile], most_bytes: int) -> Iterator[ArchivedFile]:
    size = 0
    for count, file in enumerate(files, 1):
        size += file.size_bytes
        if count > MOST_FILES:
            raise InvalidUpload(f"the archive has more than {MOST_FILES:,} files")
        if size > most_bytes:
            raise InvalidUpload(f"the archive's files have more than {most_bytes:,} bytes")
        if len(file.name) > LONGEST_NAME:
            raise InvalidUpload(f"the archive has a name of {len(file.name):,} characters")
        yield file


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_PEEKED)


def _is_tar(path: Path) -> str | None:
    """How a tar is packed, `gz` or not at all; None for what is no tar."""
    head = _head(path)
    if head[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as stream:
                return "gz" if stream.read(_PEEKED)[_TAR_MAGIC] == b"ustar" else None
        except (*DAMAGED, OSError):
            return None
    return "" if head[_TAR_MAGIC] == b"ustar" else None
