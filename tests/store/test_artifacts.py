"""Artifacts: written whole, with their hash, and read in parts, from a real folder."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.record import Artifact
from store import artifacts
from store.artifacts import Artifacts, LocalArtifacts, StoredFile

CONTENT = bytes(range(256)) * 40
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def kept(tmp_path: Path) -> Artifacts:
    return LocalArtifacts(tmp_path / "deep" / "artifacts")


def test_a_file_is_written_with_its_hash_at_once_or_in_chunks(kept: Artifacts) -> None:
    expected = Artifact(name="weights.npz", size_bytes=len(CONTENT), sha256=HASH)
    chunks = (CONTENT[i : i + 1000] for i in range(0, len(CONTENT), 1000))
    for content in (CONTENT, memoryview(CONTENT), chunks):
        assert kept.write("job_1", "weights.npz", content) == expected
        assert kept.read("job_1", "weights.npz") == CONTENT


def test_a_file_takes_an_older_ones_place(kept: Artifacts) -> None:
    kept.write("job_1", "f", b"old")
    kept.write("job_1", "f", b"new")
    assert kept.read("job_1", "f") == b"new"


def test_a_file_is_created_once(kept: Artifacts) -> None:
    assert kept.create("job_1", "f", CONTENT).sha256 == HASH
    with pytest.raises(FileExistsError):
        kept.create("job_1", "f", b"other")
    assert kept.read("job_1", "f") == CONTENT


CREATE = """
import sys
from pathlib import Path
from store.artifacts import LocalArtifacts
print("ready", flush=True)
sys.stdin.readline()
try:
    LocalArtifacts(Path(sys.argv[1])).create("job_1", "f", sys.argv[2].encode() * 100_000)
    print("won", flush=True)
except FileExistsError:
    print("lost", flush=True)
"""


def test_of_processes_and_threads_that_create_a_file_one_wins(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, str(tmp_path), letter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for letter in "ab"
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    won: list[str] = []

    def create(letter: str) -> None:
        try:
            LocalArtifacts(tmp_path).create("job_1", "f", letter.encode() * 100_000)
        except FileExistsError:
            return
        won.append(letter)

    threads = [threading.Thread(target=create, args=(letter,)) for letter in "cdef"]
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won += [letter for letter, process in zip("ab", processes, strict=True) if "won" in process.communicate()[0]]
    (winner,) = won
    assert LocalArtifacts(tmp_path).read("job_1", "f") == winner.encode() * 100_000


def test_chunks_are_the_whole_file(kept: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "CHUNK_BYTES", 1000)
    kept.write("job_1", "f", CONTENT)
    with kept.open("job_1", "f") as file:
        assert file.size_bytes == len(CONTENT)
        chunks = list(file)
    assert b"".join(chunks) == CONTENT
    assert {len(chunk) for chunk in chunks[:-1]} == {1000}


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 0), (0, 1), (0, None), (3, 4), (99, 1), (99, None), (99, 2), (100, 1), (100, None), (1000, 5), (0, 1000)],
)
def test_a_range_ends_with_the_file_at_the_latest(
    kept: Artifacts, monkeypatch: pytest.MonkeyPatch, start: int, length: int | None, chunk_bytes: int
) -> None:
    monkeypatch.setattr(artifacts, "CHUNK_BYTES", chunk_bytes)
    content = bytes(range(100))
    kept.write("job_1", "f", content)
    expected = content[start:] if length is None else content[start : start + length]
    assert kept.read("job_1", "f", start=start, length=length) == expected
    with kept.open("job_1", "f", start=start, length=length) as file:
        assert b"".join(file) == expected
        assert file.size_bytes == 100


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
def test_a_range_that_cannot_be_is_refused(kept: Artifacts, start: int, length: int | None) -> None:
    kept.write("job_1", "f", b"x")
    with pytest.raises(ValueError, match="a range begins at 0"):
        kept.read("job_1", "f", start=start, length=length)


def test_a_reader_stays_with_the_file_it_opened(kept: Artifacts) -> None:
    kept.write("job_1", "f", CONTENT)
    with kept.open("job_1", "f") as file:
        kept.write("job_1", "f", b"new")
        kept.remove("job_1")
        assert b"".join(file) == CONTENT


def test_only_whole_files_are_listed(kept: Artifacts, tmp_path: Path) -> None:
    assert kept.list("job_1") == ()
    kept.write("job_1", "b", b"12")
    kept.write("job_1", "a", b"1")
    kept.write("job_2", "c", b"1")
    folder = tmp_path / "deep" / "artifacts" / "job_1"
    (folder / ".a.x1y2").write_bytes(b"half")
    (folder / "folder").mkdir()
    assert kept.list("job_1") == (StoredFile("a", 1), StoredFile("b", 2))


def test_what_is_deleted_is_gone_and_deleting_it_again_does_nothing(kept: Artifacts) -> None:
    for name in ("a", "b"):
        kept.write("job_1", name, b"1")
    for _ in range(2):
        kept.delete("job_1", "a")
    assert [file.name for file in kept.list("job_1")] == ["b"]
    for _ in range(2):
        kept.remove("job_1")
    assert kept.list("job_1") == ()
    for read in (kept.read, kept.open):
        with pytest.raises(FileNotFoundError):
            read("job_1", "b")


def test_content_that_breaks_off_leaves_nothing(kept: Artifacts) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError("gone")

    for store in (kept.write, kept.create):
        with pytest.raises(ConnectionError):
            store("job_1", "f", broken())
    assert kept.list("job_1") == ()


@pytest.mark.parametrize("name", ["", ".", "..", "../f", "a/b", "/etc/passwd", ".f", "a\\b", "a\0b", "f\n", "x" * 201])
def test_a_name_that_could_lead_elsewhere_is_refused(kept: Artifacts, name: str) -> None:
    for operation in (kept.read, kept.open, kept.delete):
        with pytest.raises(ValueError, match="cannot name a file"):
            operation("job_1", name)
        with pytest.raises(ValueError, match="cannot name a file"):
            operation(name, "f")
    for write in (kept.write, kept.create):
        with pytest.raises(ValueError, match="cannot name a file"):
            write("job_1", name, b"x")
        with pytest.raises(ValueError, match="cannot name a file"):
            write(name, "f", b"x")
    for of_folder in (kept.remove, kept.list):
        with pytest.raises(ValueError, match="cannot name a file"):
            of_folder(name)
