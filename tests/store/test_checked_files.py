"""Files with checksums: whole or not at all, whoever writes; damage is seen whatever it is."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from store import checked_files
from tests.worker.digits import names_in

CONTENT = np.random.default_rng(0).integers(0, 256, 100_003, np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "set.cache"


def test_what_was_written_is_read(path: Path) -> None:
    checked_files.write(path, [b"head", CONTENT])
    content = checked_files.read(path)
    assert bytes(content) == b"head" + CONTENT.tobytes()
    assert not content.flags.writeable
    assert names_in(path.parent) == {"set.cache"}


@pytest.mark.parametrize("content", [b"", b"a", b"abcdefg"])
def test_content_shorter_than_its_pieces_is_read(path: Path, content: bytes) -> None:
    checked_files.write(path, [content, b""])
    assert bytes(checked_files.read(path)) == content


def test_other_users_may_read_it(path: Path) -> None:
    checked_files.write(path, [CONTENT])
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("position", [0, 12_499, 12_500, 50_000, 100_002, 100_003, -1])
def test_a_flipped_bit_is_damage(path: Path, position: int) -> None:
    checked_files.write(path, [CONTENT])
    damaged = bytearray(path.read_bytes())
    damaged[position] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(checked_files.Damaged):
        checked_files.read(path)


@pytest.mark.parametrize("size", [0, 1, 31, 50_000, 100_034])
def test_a_truncated_file_is_damage(path: Path, size: int) -> None:
    checked_files.write(path, [CONTENT])
    os.truncate(path, size)
    with pytest.raises(checked_files.Damaged):
        checked_files.read(path)


def test_a_longer_file_is_damage(path: Path) -> None:
    checked_files.write(path, [CONTENT])
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(checked_files.Damaged):
        checked_files.read(path)


def test_content_outlives_its_file(path: Path) -> None:
    checked_files.write(path, [CONTENT])
    content = checked_files.read(path)
    os.truncate(path, 0)
    assert np.array_equal(content, CONTENT)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked_files.write(path, [CONTENT])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checked_files.write(path, [b"new"])
    assert names_in(path.parent) == {"set.cache"}
    assert np.array_equal(checked_files.read(path), CONTENT)


def test_what_killed_writers_left_is_swept_and_a_writer_at_work_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    old, young = path.parent / ".set.cache.old", path.parent / ".set.cache.young"
    for temporary in (old, young):
        temporary.write_bytes(b"half")
    os.utime(old, (0, 0))
    checked_files.write(path, [CONTENT])
    assert names_in(path.parent) == {"set.cache", young.name}


WRITER = """
import sys, itertools
from pathlib import Path
from store import checked_files
content = sys.argv[2].encode() * 300_000
print("ready", flush=True)
for _ in range(30):
    checked_files.write(Path(sys.argv[1]), [content])
"""


def test_readers_see_one_of_two_writers_whole(path: Path) -> None:
    checked_files.write(path, [b"a" * 300_000])
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter], stdout=subprocess.PIPE) for letter in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    faults: list[object] = []

    def watch() -> None:
        while any(writer.poll() is None for writer in writers):
            try:
                content = bytes(checked_files.read(path))
            except (OSError, checked_files.Damaged) as error:
                faults.append(error)
                return
            if content not in {b"a" * 300_000, b"b" * 300_000}:
                faults.append(content[:10])

    readers = [threading.Thread(target=watch) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
        assert writer.wait() == 0
    assert not faults
    assert names_in(path.parent) == {"set.cache"}


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100_003, 3 << 20])
def test_a_sealed_file_is_read_as_one_that_was_written_so(path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(content[:size])
    checked_files.seal(path)
    assert bytes(checked_files.read(path)) == content[:size]
    checked_files.write(path.with_name("other"), [content[:size]])
    assert path.read_bytes() == path.with_name("other").read_bytes()
