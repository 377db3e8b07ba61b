"""The files of dataset versions: a folder for each, there whole or not at all, and checked when it is read."""

import io
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from jobs.settings import Settings
from store import checked_files
from store.files import make_folder, sync_folder
from store.scratch import Scratch, age_seconds, folders, is_name

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


class DatasetFiles:
    """The folders of all versions, below the data directory. From any thread and process.

    Raises OSError where the storage fails.
    """

    def __init__(self, data_dir: Path) -> None:
        self._scratch = Scratch(data_dir / "uploads")
        self._kept = data_dir / "versions"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of these settings."""
        return cls(settings.data_dir)

    def begin(self) -> Path:
        """A scratch folder for an upload and its arrays; whoever asks either keeps or discards it."""
        scratch = self._scratch.begin()
        make_folder(scratch / ARRAYS)
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
        self._scratch.let_go(scratch)
        return scratch.name

    def discard(self, scratch: Path) -> None:
        """Delete a scratch folder, if it is there."""
        self._scratch.discard(scratch)

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
        gone = self._scratch.unused()
        with suppress(FileNotFoundError):
            # Away at once; what is left of it by a process that is killed now, a sweep finds.
            self._folder(folder).rename(gone)
        self.discard(gone)

    def sweep(self, known: Collection[str], *, older_than_seconds: float = UNWANTED_SECONDS) -> tuple[str, ...]:
        """Delete folders of which no version knows and whose writers were killed: old ones, and scratch folders that
        nobody holds. Returns their names.
        """
        gone = [*self._scratch.sweep(older_than_seconds=older_than_seconds)]
        for kept in folders(self._kept):
            if kept.name not in known and age_seconds(kept) > older_than_seconds:
                shutil.rmtree(kept, ignore_errors=True)
                gone.append(kept)
        return tuple(each.name for each in gone)

    def _folder(self, folder: str) -> Path:
        if not is_name(folder):
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
