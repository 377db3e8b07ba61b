"""The files of dataset versions: a folder for each, there whole or not at all, and checked when it is read."""

import fcntl
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from jobs.settings import Settings
from store import checked_files
from store.files import make_folder, sync_folder

UPLOAD = "upload"
"""The file as it came."""
ARRAYS = "arrays"
"""Folder of what it became."""
SOURCES = "test_sources.txt"
"""Beside the arrays: where each test example is in the upload, a line each."""
LONGEST_HEADER = 1 << 12
"""Bytes of a .npy file in which its array does begin: one of numbers, without named fields, takes 128."""
UNWANTED_SECONDS = 24 * 3600.0
"""Age from which a folder that no version names is one that its writer left: no upload takes as long."""

BEGUN_SECONDS = 10.0
"""Age from which a scratch folder is held by its writer, or by nobody."""

_FOLDER = re.compile(r"[a-f0-9]{32}")


class DatasetFiles:
    """The folders of all versions, below the data directory. From any thread and process.

    Raises OSError where the storage fails.
    """

    def __init__(self, data_dir: Path) -> None:
        self._scratch = data_dir / "uploads"
        self._kept = data_dir / "versions"
        self._held: dict[str, int] = {}
        """Descriptors of the scratch folders in use here, which are locked by them: a killed process locks nothing."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of these settings."""
        return cls(settings.data_dir)

    def begin(self) -> Path:
        """A scratch folder for an upload and its arrays; whoever asks either keeps or discards it."""
        scratch = self._scratch / secrets.token_hex(16)
        make_folder(scratch / ARRAYS)
        self._held[scratch.name] = os.open(scratch, os.O_RDONLY)
        fcntl.flock(self._held[scratch.name], fcntl.LOCK_EX)
        return scratch

    def keep(self, scratch: Path) -> str:
        """Keep a scratch folder, with checksums at the arrays; the name of the folder from then on.

        All is on the disk before it has that name.
        """
        for array in sorted((scratch / ARRAYS).iterdir()):
            checked_files.seal(array)
        for folder in (scratch / ARRAYS, scratch):
            sync_folder(folder)
        make_folder(self._kept)
        scratch.rename(self._kept / scratch.name)
        sync_folder(self._kept)
        self._let_go(scratch)
        return scratch.name

    def discard(self, scratch: Path) -> None:
        """Delete a scratch folder, if it is there."""
        shutil.rmtree(scratch, ignore_errors=True)
        self._let_go(scratch)

    def size_bytes(self, folder: Path) -> int:
        """What the files of a folder take."""
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def upload(self, folder: str) -> Path:
        """The upload of a version."""
        return self._folder(folder) / UPLOAD

    def read(self, folder: str, name: str) -> NDArray[Any]:
        """An array of a version, read-only, in memory of its own.

        Raises checked_files.Damaged where it is not what was kept.
        """
        content = checked_files.read(self._folder(folder) / ARRAYS / f"{name}.npy")
        return array_of(content)

    def read_bytes(self, folder: str, name: str) -> bytes:
        """A small file beside a version's arrays. Raises checked_files.Damaged where it is not what was kept."""
        return checked_files.read(self._folder(folder) / ARRAYS / name).tobytes()

    def read_sources(self, folder: str) -> bytes | None:
        """The lines of `SOURCES`; None for a version that is older than they are. Raises checked_files.Damaged."""
        try:
            return self.read_bytes(folder, SOURCES)
        except FileNotFoundError:
            return None

    def delete(self, folder: str) -> None:
        """Delete a version's files, if they are there. Whoever reads them at that moment may fail."""
        gone = self._scratch / f"{secrets.token_hex(16)}"
        make_folder(self._scratch)
        with suppress(FileNotFoundError):
            # Away at once; what is left of it by a process that is killed now, a sweep finds.
            self._folder(folder).rename(gone)
        self.discard(gone)

    def sweep(self, known: Collection[str], *, older_than_seconds: float = UNWANTED_SECONDS) -> tuple[str, ...]:
        """Delete folders of which no version knows and whose writers were killed: old ones, and scratch folders that
        nobody holds. Returns their names.
        """
        found = [path for path in (*_folders(self._scratch), *_folders(self._kept)) if path.name not in known]
        old = [path for path in found if _age_seconds(path) > older_than_seconds]
        old += [path for path in found if path.parent == self._scratch and path not in old and _is_abandoned(path)]
        for path in old:
            self.discard(path)
        return tuple(path.name for path in old)

    def _let_go(self, scratch: Path) -> None:
        descriptor = self._held.pop(scratch.name, None)
        if descriptor is not None:
            os.close(descriptor)

    def _folder(self, folder: str) -> Path:
        if not _FOLDER.fullmatch(folder):
            raise ValueError(f"{folder!r} is no folder of a version")
        return self._kept / folder


def write_sources(arrays: Path, sources: Iterable[str]) -> None:
    """Write where each test example is in the upload into the folder of a version's arrays."""
    (arrays / SOURCES).write_text("\n".join(sources), "utf-8")


def array_of(content: NDArray[np.uint8]) -> NDArray[Any]:
    """The array of a .npy file's content; shares its memory. Raises ValueError where it is none, or holds objects."""
    stream = io.BytesIO(content[:LONGEST_HEADER].tobytes())
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject or fortran:
        raise ValueError(f"an array of {dtype} cannot be read")
    return np.frombuffer(content.data, dtype, offset=stream.tell()).reshape(shape)


def _folders(parent: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        for entry in os.scandir(parent):
            if entry.is_dir(follow_symlinks=False) and _FOLDER.fullmatch(entry.name):
                yield Path(entry.path)


def _is_abandoned(scratch: Path) -> bool:
    """Whether nobody holds a scratch folder that is no longer being begun."""
    if _age_seconds(scratch) < BEGUN_SECONDS:
        return False
    try:
        descriptor = os.open(scratch, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _age_seconds(path: Path) -> float:
    """Time since anything was written in a folder; 0 for one that is gone."""
    try:
        return time.time() - max(each.stat().st_mtime for each in (path, *path.rglob("*")))
    except FileNotFoundError:
        return 0.0
