"""A file that is being downloaded: in its place whole, with the hash that it should have, or not at all."""

import errno
import hashlib
import os
import tempfile
from pathlib import Path

from gradientd.client.errors import UnexpectedAnswer

CHUNK_BYTES = 1 << 20


class Arrival:
    """A file on its way into a folder, or to a path. Close it, whether it was kept or not.

    Raises OSError where it cannot be written there.
    """

    def __init__(self, to: Path, name: str) -> None:
        self.path = to / name if to.is_dir() else to
        if not self.path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path.parent))
        self._name = name
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        self._file = os.fdopen(handle, "wb")
        self._temporary = Path(temporary)
        self.begin(sha256="")

    def begin(self, *, sha256: str) -> None:
        """Take it from its beginning, whatever has come of it already."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self._sha256 = sha256

    def take(self, chunk: bytes) -> int:
        """Take what comes next; how many bytes there are then."""
        self._digest.update(chunk)
        self._file.write(chunk)
        return self._file.tell()

    def keep(self) -> Path:
        """Put it in its place. Raises UnexpectedAnswer where it is not what it should be."""
        self._file.close()
        if self._digest.hexdigest() != self._sha256:
            raise UnexpectedAnswer(f"{self._name} did not arrive as the server has it")
        os.chmod(self._temporary, 0o644)
        self._temporary.replace(self.path)
        return self.path

    def close(self) -> None:
        """Leave nothing but what was kept."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)
