"""Files: whole or not at all, whoever writes and whatever goes wrong."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import files
from store.files import Folder, atomic_write, make_folder, sweep_abandoned, write_if_changed


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "content", [b"abcd", bytearray(b"abcd"), memoryview(b"abcd"), [b"ab", memoryview(b"cd")], iter([b"", b"abcd"])]
)
def test_content_comes_at_once_or_in_chunks(tmp_path: Path, content: files.Content) -> None:
    atomic_write(tmp_path / "f", content)
    assert (tmp_path / "f").read_bytes() == b"abcd"
    assert names_in(tmp_path) == {"f"}


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_mode_is_the_one_asked_for(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        atomic_write(tmp_path / "f", b"x", mode=mode)
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == mode


def test_a_file_is_private_unless_asked_otherwise(tmp_path: Path) -> None:
    atomic_write(tmp_path / "f", b"x")
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


def test_content_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError("gone")

    for replace in (True, False):
        with pytest.raises(ConnectionError):
            atomic_write(tmp_path / "new", broken(), replace=replace)
    atomic_write(tmp_path / "old", b"old")
    with pytest.raises(ConnectionError):
        atomic_write(tmp_path / "old", broken())
    assert (tmp_path / "old").read_bytes() == b"old"
    assert names_in(tmp_path) == {"old"}


def test_a_disk_that_refuses_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    atomic_write(tmp_path / "f", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic_write(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names_in(tmp_path) == {"f"}


def test_the_bytes_are_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        what = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append((what, (tmp_path / "f").exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    for replace in (False, True):
        atomic_write(tmp_path / "f", b"x", replace=replace)
    assert seen == [("file", False), ("folder", True), ("file", True), ("folder", True)]


def test_a_file_system_that_cannot_sync_folders_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_write(tmp_path / "f", b"x")
    assert (tmp_path / "f").read_bytes() == b"x"


def test_a_file_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    atomic_write(tmp_path / "f", b"first", replace=False)
    with pytest.raises(FileExistsError):
        atomic_write(tmp_path / "f", b"second", replace=False)
    assert (tmp_path / "f").read_bytes() == b"first"
    assert names_in(tmp_path) == {"f"}


def test_of_many_that_create_a_file_one_wins(tmp_path: Path) -> None:
    gate, won = threading.Barrier(8), list[int]()

    def create(number: int) -> None:
        gate.wait()
        try:
            atomic_write(tmp_path / "f", [bytes([number]) * 1000] * 10, replace=False)
        except FileExistsError:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    assert (tmp_path / "f").read_bytes() == bytes([winner]) * 10_000
    assert names_in(tmp_path) == {"f"}


KILLED = """
import os, signal, sys
from pathlib import Path
from store.files import atomic_write

def chunks():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)

atomic_write(Path(sys.argv[1]), chunks(), replace=sys.argv[2] == "replace")
"""


@pytest.mark.parametrize("how", ["replace", "create"])
def test_a_killed_writer_leaves_no_half_file(tmp_path: Path, how: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "f"), how], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "f").exists()
    (left,) = tmp_path.iterdir()
    sweep_abandoned(tmp_path / "f")
    assert left.exists(), "a young one may have a writer"
    os.utime(left, (0, 0))
    sweep_abandoned(tmp_path / "f")
    assert not left.exists()


def test_a_folder_is_made_with_those_above_it_and_made_to_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [tmp_path, tmp_path / "a"]
    make_folder(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_the_standard_library_is_all_it_needs() -> None:
    loaded = "import sys, store.files; print({'redis', 'celery', 'pydantic', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("content", "mode", "is_kept"), [(b"x", 0o600, True), (b"y", 0o600, False), (b"x", 0o644, False)]
)
def test_a_file_that_is_as_it_should_be_is_not_written_again(
    tmp_path: Path, content: bytes, mode: int, is_kept: bool
) -> None:
    atomic_write(tmp_path / "f", b"x")
    before = (tmp_path / "f").stat().st_ino
    os.link(tmp_path / "f", tmp_path / "held")  # so that its number cannot be another's
    write_if_changed(tmp_path / "f", content, mode=mode)
    after = (tmp_path / "f").stat()
    assert (after.st_ino == before) == is_kept
    assert ((tmp_path / "f").read_bytes(), stat.S_IMODE(after.st_mode)) == (content, mode)


def test_a_folder_is_lost_once_it_was_there_and_is_not_any_more(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with Folder(path) as folder:
        assert not folder.is_lost()
        path.mkdir()
        assert not folder.is_lost()
        path.rmdir()
        assert folder.is_lost()
        path.mkdir()
        assert folder.is_lost()


def test_a_folder_that_was_moved_away_is_lost_until_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with Folder(tmp_path / "folder") as folder:
        moved = (tmp_path / "folder").rename(tmp_path / "elsewhere")
        assert folder.is_lost()
        moved.rename(tmp_path / "folder")
        assert not folder.is_lost()
