"""Compiled programs are kept, checked, bounded, and never stand in a job's way."""

import os
from pathlib import Path

import pytest

from worker.engine.compile_cache import FLAGS, CompileCache

ENTRY = "xla_compile_cache__1__2__XLA_CPU_JIT.pb"


@pytest.fixture(autouse=True)
def _no_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FLAGS, "")


def opened(root: Path, *, most_bytes: int = 1 << 20) -> tuple[CompileCache, Path]:
    """A cache as a new process has it, and the folder that TensorFlow would use."""
    os.environ[FLAGS] = ""
    cache = CompileCache(root, most_bytes=most_bytes)
    cache.open()
    return cache, Path(os.environ[FLAGS].split()[0].partition("=")[2])


def kept(root: Path) -> list[Path]:
    return [path for path in root.rglob("*.pb") if not path.parent.name.startswith(".")]


def test_what_one_process_compiled_the_next_one_finds(tmp_path: Path) -> None:
    first, folder = opened(tmp_path)
    (folder / ENTRY).write_bytes(b"program")
    first.publish()
    first.close()
    second, folder = opened(tmp_path)
    assert (folder / ENTRY).read_bytes() == b"program"
    second.close()
    assert not list(tmp_path.glob(".process-*"))


def test_processes_beside_each_other_do_not_share_a_folder(tmp_path: Path) -> None:
    first, one = opened(tmp_path)
    second, other = opened(tmp_path)
    assert one != other
    for folder, cache in ((one, first), (other, second)):
        (folder / ENTRY).write_bytes(b"program")
        cache.publish()
    assert len(kept(tmp_path)) == 1
    first.close()
    assert (other / ENTRY).exists()
    second.close()


def test_a_damaged_entry_counts_as_absent(tmp_path: Path) -> None:
    first, folder = opened(tmp_path)
    (folder / ENTRY).write_bytes(b"program")
    first.publish()
    first.close()
    (entry,) = kept(tmp_path)
    entry.write_bytes(b"progrbm")
    second, folder = opened(tmp_path)
    assert not (folder / ENTRY).exists()
    assert kept(tmp_path) == []
    second.close()


def test_the_oldest_make_room(tmp_path: Path) -> None:
    cache, folder = opened(tmp_path, most_bytes=25)
    for number in range(4):
        path = folder / f"{number}.pb"
        path.write_bytes(b"%010d" % number)
        os.utime(path, (number, number))
        cache.publish()
    assert sorted(path.read_bytes() for path in kept(tmp_path)) == [b"%010d" % 2, b"%010d" % 3]
    cache.close()


def test_the_folder_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    live, folder = opened(tmp_path)
    dead = tmp_path / ".process-dead"
    dead.mkdir()
    (dead / ".lock").touch()
    (dead / ENTRY).write_bytes(b"program")
    other, _ = opened(tmp_path)
    assert not dead.exists()
    assert folder.exists()
    live.close()
    other.close()


def test_without_a_folder_to_write_to_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = CompileCache(tmp_path / "file" / "below")
    cache.open()
    cache.publish()
    cache.close()
    assert os.environ[FLAGS] == ""
