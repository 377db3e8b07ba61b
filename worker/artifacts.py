"""Files that jobs leave behind. A file is there whole, with its hash, or not at all."""

import hashlib
import os
import tempfile
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


def _sync_directory(folder: Path) -> None:
    """Make a rename outlast a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
