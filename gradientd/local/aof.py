"""The embedded store's append-only files: tell when one is gone; find damage at the end, keep a copy, cut it off.

Valkey drops an incomplete last command by itself, but refuses to start when the end is not a command at all, as after
a power cut that left zeros. Its own checker says up to where the file is sound: the server binary becomes that checker
when it is called by the checker's name.
"""

import filecmp
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gradientd.local.errors import StoreDamaged
from store.files import atomic_write

REFUSAL = "Bad file format reading the append only file"
"""What Valkey and Redis say when they refuse to start for this reason."""
CHECKER = "redis-check-aof"  # the name that both Valkey's and Redis' server know
MANIFEST = Path("appendonlydir", "appendonly.aof.manifest")
LARGEST_TAIL_BYTES = 64 * 1024
"""With `appendfsync always` only the last batch of commands can be torn; damage that costs more is not a torn end."""

CHUNK_BYTES = 1 << 20
NAMED = re.compile(r"^file (?P<name>\S+) seq \d+ type (?P<type>[bi])", re.MULTILINE)
"""A file in the manifest that the server needs: the base, or what was written since. (History it deletes itself.)"""
SIZES = re.compile(r"size=(?P<size>\d+), ok_up_to=(?P<sound>\d+)")


@dataclass(frozen=True)
class Repair:
    """What was cut off, and where the file is as it was before."""

    file: Path
    dropped_bytes: int
    copy: Path


class AppendOnlyFiles:
    """The files of the directory `store` as they were when first seen; tells when one is gone, or another has its name.

    The server would go on writing to a file that has no name any more, and nobody would find it again.
    """

    def __init__(self, store: Path) -> None:
        self._manifest = store / MANIFEST
        self._seen: dict[Path, int] = {}

    def lost(self) -> Path | None:
        """A file that was there once, that the server still needs, and that is not there any more."""
        missing = self._missing()
        # Once more: between our two looks the server may have begun a new file and deleted the old one.
        return missing and self._missing()

    def _missing(self) -> Path | None:
        try:
            text = self._manifest.read_text("utf-8")
        except FileNotFoundError:
            return self._manifest if self._seen else None
        except OSError:
            return None  # what cannot be told does not count as lost
        found: dict[Path, int] = {}
        for match in NAMED.finditer(text):
            path = self._manifest.parent / match["name"]
            inode = inode_of(path)
            if inode is None or self._seen.get(path, inode) != inode:
                return path
            found[path] = inode
        self._seen = found
        return None


def inode_of(path: Path) -> int | None:
    """The number of the file that has this name; None where none has."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def repair_tail(store: Path, *, server: Path) -> Repair | None:
    """Cut damage off the end of the newest append-only file in the directory `store`; None if it is sound.

    The server must not be running.

    Raises:
        StoreDamaged: too much would be lost, or the file is still unsound afterwards. Nothing was changed but the
            copy kept.
    """
    file = newest_file(store)
    size, sound = check(file, server=server)
    if sound == size:
        return None
    copy = keep_copy(file, directory=store / "damaged")
    if size - sound > LARGEST_TAIL_BYTES:
        raise StoreDamaged(
            f"{file} is damaged from byte {sound} of {size}, so {size - sound} bytes of history would be lost by a "
            f"repair; a copy is at {copy}. To go on without them: truncate -s {sound} '{file}'"
        )
    cut(file, length=sound)
    if check(file, server=server) != (sound, sound):
        raise StoreDamaged(f"{file} is damaged beyond repair; as it was, it is at {copy}")
    return Repair(file=file, dropped_bytes=size - sound, copy=copy)


def newest_file(store: Path) -> Path:
    """The file that the server was appending to.

    Raises:
        StoreDamaged: the manifest is missing or names none.
    """
    manifest = store / MANIFEST
    try:
        text = manifest.read_text("utf-8")
    except OSError as error:
        raise StoreDamaged(f"cannot read {manifest}: {error.strerror}") from error
    names = [match["name"] for match in NAMED.finditer(text) if match["type"] == "i"]
    if not names:
        raise StoreDamaged(f"{manifest} names no file that could be repaired")
    return manifest.parent / names[-1]


def check(file: Path, *, server: Path) -> tuple[int, int]:
    """Size of the file and the length of its sound part, in bytes.

    Raises:
        StoreDamaged: the server binary does not know how to check.
    """
    done = subprocess.run(  # noqa: S603 - the server's own binary, under its checker's name
        [CHECKER, str(file)], executable=server, capture_output=True, text=True, errors="replace", check=False
    )
    sizes = SIZES.search(done.stdout)
    if sizes is None:
        raise StoreDamaged(f"cannot check {file} with {server}: {(done.stdout + done.stderr).strip()}")
    return int(sizes["size"]), int(sizes["sound"])


def keep_copy(file: Path, *, directory: Path) -> Path:
    """Copy the file, with the time in its name, and see the copy on disk; a copy of the same that is there will do."""
    directory.mkdir(exist_ok=True)
    for kept in directory.glob(f"*-{file.name}"):
        if filecmp.cmp(kept, file, shallow=False):
            return kept
    copy = directory / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{file.name}"
    with file.open("rb") as opened:
        atomic_write(copy, iter(partial(opened.read, CHUNK_BYTES), b""))
    return copy


def cut(file: Path, *, length: int) -> None:
    """Shorten the file and see that on disk."""
    with file.open("rb+") as opened:
        opened.truncate(length)
        os.fsync(opened.fileno())
