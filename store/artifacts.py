"""Files that jobs leave behind, in a folder for each job. A file is there whole, with its hash, or not at all."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from jobs.record import Artifact
from jobs.settings import Settings
from store.files import Chunk, Content, atomic_write, chunks_of, make_folder

CHUNK_BYTES = 1 << 20
"""Bytes that are read in one go."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""Names of folders and files. They are part of paths, hence no slash, and what begins with a dot is not whole yet."""


class StoredFile(NamedTuple):
    """A file that is there."""

    name: str
    size_bytes: int


class OpenArtifact(Protocol):
    """A file that is read in chunks: iterate over it once, and close it. What is written meanwhile changes nothing."""

    @property
    def size_bytes(self) -> int:
        """Length of the whole file."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None:
        """Let go of it."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Artifacts(Protocol):
    """Where files are kept, by folder (a job's id) and name. From any thread and process.

    Each operation raises ValueError for a folder or name that cannot be one, FileNotFoundError for a file that is not
    there, and OSError where the storage fails.
    """

    def write(self, folder: str, name: str, content: Content) -> Artifact:
        """Store a file, in the place of an older one. Of several writers the last one wins."""
        ...

    def create(self, folder: str, name: str, content: Content) -> Artifact:
        """Store a file that is not there yet. Raises FileExistsError for all writers but one."""
        ...

    def open(self, folder: str, name: str, *, start: int = 0, length: int | None = None) -> OpenArtifact:
        """Read a file in chunks, or the range of it that begins at `start`; a range may reach beyond its end."""
        ...

    def read(self, folder: str, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a file, or those of a range of it."""
        ...

    def list(self, folder: str) -> tuple[StoredFile, ...]:
        """The files of a folder, by name. There are none in a folder that is not there."""
        ...

    def delete(self, folder: str, name: str) -> None:
        """Delete a file. Does nothing where it is not there."""
        ...

    def remove(self, folder: str) -> None:
        """Delete a folder with all that is in it. Does nothing where it is not there."""
        ...


class LocalArtifacts:
    """Artifacts in a directory of this machine, or in one that is mounted."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    def of(cls, settings: Settings) -> "LocalArtifacts":
        """Those of these settings."""
        return cls(settings.data_dir / "artifacts")

    def write(self, folder: str, name: str, content: Content) -> Artifact:
        """See `Artifacts.write`."""
        return self._write(folder, name, content, replace=True)

    def create(self, folder: str, name: str, content: Content) -> Artifact:
        """See `Artifacts.create`."""
        return self._write(folder, name, content, replace=False)

    def open(self, folder: str, name: str, *, start: int = 0, length: int | None = None) -> "LocalFile":
        """See `Artifacts.open`."""
        return LocalFile(self._path(folder, name), start=start, length=length)

    def read(self, folder: str, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        """See `Artifacts.read`."""
        with self.open(folder, name, start=start, length=length) as file:
            return file.read()

    def path(self, folder: str, name: str) -> Path:
        """Where a file is, or would be, on this machine. Raises ValueError."""
        return self._path(folder, name)

    def list(self, folder: str) -> tuple[StoredFile, ...]:
        """See `Artifacts.list`."""
        found: list[StoredFile] = []
        with suppress(FileNotFoundError), os.scandir(self._folder(folder)) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # deleted since
                    if _NAME.fullmatch(entry.name) and entry.is_file():
                        found.append(StoredFile(entry.name, entry.stat().st_size))
        return tuple(sorted(found))

    def delete(self, folder: str, name: str) -> None:
        """See `Artifacts.delete`."""
        self._path(folder, name).unlink(missing_ok=True)

    def remove(self, folder: str) -> None:
        """See `Artifacts.remove`."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder(folder))

    def _write(self, folder: str, name: str, content: Content, *, replace: bool) -> Artifact:
        path = self._path(folder, name)
        make_folder(path.parent)
        hashed = _Hashed(content)
        atomic_write(path, hashed, replace=replace)
        return Artifact(name=name, size_bytes=hashed.size_bytes, sha256=hashed.digest.hexdigest())

    def _folder(self, folder: str) -> Path:
        return self._root / _checked(folder)

    def _path(self, folder: str, name: str) -> Path:
        return self._folder(folder) / _checked(name)


class LocalFile:
    """A file of `LocalArtifacts`, or a range of it, while it is read. One descriptor: it stays the same file."""

    def __init__(self, path: Path, *, start: int, length: int | None) -> None:
        if start < 0 or (length is not None and length < 0):
            raise ValueError(f"a range begins at 0 or above and is no shorter than 0 bytes, not ({start}, {length})")
        self._file = path.open("rb", buffering=0)
        self.size_bytes = os.fstat(self._file.fileno()).st_size
        rest = max(0, self.size_bytes - start)
        self._left = rest if length is None else min(rest, length)
        self._file.seek(start)

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (chunk := self._file.read(min(CHUNK_BYTES, self._left))):
            self._left -= len(chunk)
            yield chunk

    def read(self) -> bytes:
        """What is left, at once."""
        return b"".join(self)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Hashed:
    """A content that is hashed and counted as it passes."""

    def __init__(self, content: Content) -> None:
        self._chunks = chunks_of(content)
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            self.digest.update(chunk)
            self.size_bytes += memoryview(chunk).nbytes
            yield chunk


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a file: letters, digits and . _ -, 200 at most, and no dot in front")
    return name
