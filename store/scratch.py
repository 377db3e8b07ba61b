"""Folders for what is not whole yet. Whoever makes one holds it by a lock, which a killed process lets go of."""

import fcntl
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from store.files import make_folder

BEGUN_SECONDS = 10.0
"""Age from which a folder is held by its writer, or by nobody."""

_FOLDER = re.compile(r"[a-f0-9]{32}")


class Scratch:
    """The scratch folders below one folder. From any thread and process.

    Raises OSError where the storage fails.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._held: dict[str, int] = {}
        """Descriptors of the folders that are held here."""

    def begin(self) -> Path:
        """A folder of its own for whoever asks, who keeps it under another name or discards it."""
        folder = self.unused()
        make_folder(folder)
        self._held[folder.name] = os.open(folder, os.O_RDONLY)
        fcntl.flock(self._held[folder.name], fcntl.LOCK_EX)
        return folder

    def unused(self) -> Path:
        """A path that is nobody's, for a folder that is moved here to be discarded."""
        make_folder(self.root)
        return self.root / secrets.token_hex(16)

    @contextmanager
    def folder(self) -> Generator[Path]:
        """A folder that is discarded in the end."""
        folder = self.begin()
        try:
            yield folder
        finally:
            self.discard(folder)

    def let_go(self, folder: Path) -> None:
        """Hold a folder no more: it has become something else."""
        descriptor = self._held.pop(folder.name, None)
        if descriptor is not None:
            os.close(descriptor)

    def discard(self, folder: Path) -> None:
        """Delete a folder, if it is there."""
        shutil.rmtree(folder, ignore_errors=True)
        self.let_go(folder)

    def sweep(self, *, older_than_seconds: float = math.inf) -> tuple[Path, ...]:
        """Delete the folders whose writers were killed, and those in which nothing was written for long; which they
        were.
        """
        found = [each for each in folders(self.root) if age_seconds(each) > older_than_seconds or _is_abandoned(each)]
        for each in found:
            self.discard(each)
        return tuple(found)


def folders(parent: Path) -> Iterator[Path]:
    """The folders below another that are named as scratch folders are."""
    with suppress(FileNotFoundError):
        for entry in os.scandir(parent):
            if entry.is_dir(follow_symlinks=False) and is_name(entry.name):
                yield Path(entry.path)


def is_name(name: str) -> bool:
    """Whether scratch folders are named like this."""
    return bool(_FOLDER.fullmatch(name))


def age_seconds(folder: Path) -> float:
    """Time since anything was written in a folder; 0 for one that is gone."""
    try:
        return time.time() - max(each.stat().st_mtime for each in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return 0.0


def _is_abandoned(folder: Path) -> bool:
    """Whether nobody holds a folder that is no longer being begun."""
    if age_seconds(folder) < BEGUN_SECONDS:
        return False
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
