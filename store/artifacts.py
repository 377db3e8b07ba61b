"""Files that jobs leave behind. A file is there whole, with its hash, or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Set
from contextlib import suppress
from pathlib import Path

from jobs.record import Artifact


class Artifacts:
    """The files of jobs in a local directory, one folder a job."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, job_id: str, name: str, content: bytes) -> Artifact:
        """Store a file, replacing an older one at once: its bytes are on disk before its name is."""
        folder = self._root / job_id
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_directory(folder)
        return Artifact(name=name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def read(self, job_id: str, name: str) -> bytes:
        """A file's bytes. Raises OSError where it is not there."""
        return (self._root / job_id / name).read_bytes()

    def remove(self, job_id: str) -> None:
        """Delete all of a job's files. Raises OSError where that fails."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._root / job_id)

    def delete(self, job_id: str, pattern: str, *, keep: Set[str] = frozenset()) -> None:
        """Delete a job's files that match a glob pattern, but for those to keep."""
        for path in (self._root / job_id).glob(pattern):
            if path.name not in keep:
                path.unlink(missing_ok=True)


def _sync_directory(folder: Path) -> None:
    """Make a rename outlast a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
