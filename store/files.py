"""Files that are there whole or not at all: written beside their name, on disk before they get it.

Needs the standard library alone.
"""

import errno
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast

Chunk = bytes | bytearray | memoryview
Content = Chunk | Iterable[Chunk]
"""A file's bytes, at once or one part after the other."""

PRIVATE = 0o600
"""Mode of a file that only its owner can read."""

ABANDONED_SECONDS = 3600
"""Age from which a temporary file is one whose writer was killed."""


def atomic_write(path: Path, content: Content, *, mode: int = PRIVATE, replace: bool = True) -> None:
    """Write a file; once this returns it outlasts a power failure. Of several writers the last one wins, or without
    `replace` the first.

    Raises FileExistsError without `replace` where the file is there, else OSError, and whatever the content raises: the
    name then stands for what it stood for before.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path))
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            for chunk in chunks_of(content):
                file.write(chunk)
            file.flush()
            os.fsync(handle)
        if replace:
            temporary.replace(path)
        else:
            # Unlike a rename, a link never takes another file's place, whoever is about to make that.
            path.hardlink_to(temporary)
            temporary.unlink()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_if_changed(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Write a file, unless it holds this already, with this mode: what is as it should be needs no room on a full disk.

    Raises as `atomic_write` does.
    """
    try:
        if path.stat().st_mode & 0o7777 == mode and path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass
    atomic_write(path, content, mode=mode)


def chunks_of(content: Content) -> Iterable[Chunk]:
    """The parts of a content."""
    return (cast("Chunk", content),) if isinstance(content, Chunk) else content


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing, so that they outlast a power failure too."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sweep_abandoned(path: Path) -> None:
    """Remove what killed writers of a file left beside it."""
    for temporary in path.parent.glob(f"{_prefix(path)}*"):
        try:
            if time.time() - temporary.stat().st_mtime > ABANDONED_SECONDS:
                temporary.unlink()
        except FileNotFoundError:
            continue  # its writer has just renamed it


def _prefix(path: Path) -> str:
    return f".{path.name}."


def sync_folder(folder: Path) -> None:
    """Make a change of a folder's names last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems have no such thing and say so.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


class Folder:
    """A folder as it was when first looked at; tells when it is gone, or another has its name. A context: meanwhile it
    holds the folder open, so that its identity cannot become another's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self.is_lost()

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def is_lost(self) -> bool:
        """Whether it was there once and is not any more. What cannot be told does not count as lost."""
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            return not os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return self._descriptor >= 0
        except OSError:
            return False
