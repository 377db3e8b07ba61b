"""Compiled programs are kept, checked, bounded, and never stand in a job's way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from tests.worker.engine.networks import layers, normalised
from worker.engine.compile_cache import FLAGS, CompileCache

ENTRY = "xla_compile_cache__1__2__XLA_CPU_JIT.pb"


@pytest.fixture(autouse=True)
def _no_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FLAGS, "")


def opened(root: Path, *, most_bytes: int = 1 << 20) -> tuple[CompileCache, str]:
    """A cache as a new process has it, and the folder that TensorFlow would use."""
    os.environ[FLAGS] = ""
    cache = CompileCache(root, threads=2, most_bytes=most_bytes)
    cache.open()
    return cache, os.environ[FLAGS].split()[0].partition("=")[2]


def compile_into(folder: str, name: str, content: bytes) -> None:
    """What TensorFlow does with a program that it has not found."""
    with tf.io.gfile.GFile(f"{folder}/{name}", "wb") as file:
        file.write(content)


def found(folder: str) -> dict[str, bytes]:
    """What TensorFlow finds there."""
    names = tf.io.gfile.listdir(folder)
    return {name: tf.io.gfile.GFile(f"{folder}/{name}", "rb").read() for name in names}


def kept(root: Path) -> list[Path]:
    return list(root.rglob("*.pb"))


def test_what_one_process_compiled_the_next_one_finds(tmp_path: Path) -> None:
    first, folder = opened(tmp_path)
    compile_into(folder, ENTRY, b"program")
    first.publish()
    _, folder = opened(tmp_path)
    assert found(folder) == {ENTRY: b"program"}


def test_what_two_processes_compiled_at_once_is_found_once(tmp_path: Path) -> None:
    for (cache, folder), content in zip([opened(tmp_path), opened(tmp_path)], (b"one", b"other"), strict=True):
        compile_into(folder, ENTRY, content)
        cache.publish()
    assert len(kept(tmp_path)) == 2
    _, folder = opened(tmp_path)
    assert list(found(folder)) == [ENTRY]


def test_a_damaged_entry_counts_as_absent(tmp_path: Path) -> None:
    first, folder = opened(tmp_path)
    compile_into(folder, ENTRY, b"program")
    first.publish()
    (entry,) = kept(tmp_path)
    entry.write_bytes(b"progrbm")
    _, folder = opened(tmp_path)
    assert found(folder) == {}
    assert kept(tmp_path) == []


def test_the_oldest_make_room(tmp_path: Path) -> None:
    cache, folder = opened(tmp_path, most_bytes=25)
    for number in range(4):
        compile_into(folder, f"{number}.pb", b"%010d" % number)
        cache.publish()
        for path in kept(tmp_path):
            if path.name.endswith(f"-{number}.pb"):
                os.utime(path, (number, number))
    cache.publish()
    assert sorted(path.read_bytes() for path in kept(tmp_path)) == [b"%010d" % 2, b"%010d" % 3]


def test_what_killed_writers_left_makes_room_too(tmp_path: Path) -> None:
    cache, folder = opened(tmp_path, most_bytes=25)
    (kept_folder,) = tmp_path.iterdir()
    left = kept_folder / f".{ENTRY}.torn"
    left.write_bytes(b"0123456789")
    os.utime(left, (0, 0))
    for number in range(2):
        compile_into(folder, f"{number}.pb", b"%010d" % number)
    cache.publish()
    assert len(kept(tmp_path)) == 2
    assert not left.exists()
    _, folder = opened(tmp_path)
    assert sorted(found(folder)) == ["0.pb", "1.pb"]


@pytest.mark.parametrize("part", ["opening", "publishing"])
def test_where_nothing_can_be_kept_programs_are_compiled_all_the_same(tmp_path: Path, part: str) -> None:
    root = tmp_path / "compiled"
    if part == "opening":
        root.touch()
    cache, folder = opened(root)
    if part == "publishing":
        (kept_folder,) = root.iterdir()
        kept_folder.rmdir()
    compile_into(folder, ENTRY, b"program")
    cache.publish()
    assert kept(tmp_path) == []


def test_what_was_kept_is_not_held_in_memory_too(tmp_path: Path) -> None:
    cache, folder = opened(tmp_path)
    compile_into(folder, ENTRY, b"program")
    cache.publish()
    assert found(folder) == {}
    cache.publish()
    assert len(kept(tmp_path)) == 1


TRAIN = """
import hashlib, json, sys
from pathlib import Path
from tests.worker.engine.networks import layers, normalised
from worker.engine.compile_cache import CompileCache
root = Path(sys.argv[1])
cache = CompileCache(root, threads=2, most_bytes=1 << 28)
cache.open()
from tests.worker.engine.conftest import made_up
from tests.worker.engine.listening import run, spec_of
from worker.files.exports import weights_npz
bands = made_up(train=1000, test=200, shape=(14, 14, 1), classes=10)
for body in json.loads(sys.argv[2]):
    outcome, _ = run(bands, spec_of(**{"execution": "xla", "epochs": 1, "batch_size": 96, **body}))
    cache.publish()
    print("told:", hashlib.sha256(weights_npz(outcome.weights)).hexdigest(), len(list(root.rglob("*.pb"))))
"""
"""Trains one job after the other, and tells the hash of each one's weights and how many programs are kept then."""

TOLD = "told:"

PROGRAM: dict[str, Any] = {"model": {"type": "mlp", "hidden": [16], "dropout": 0.2}, "optimizer": {"type": "adam"}}
LAYERS: dict[str, Any] = {
    "model": layers({"type": "flatten"}, *normalised(rate=0.2)["layers"]),
    "optimizer": {"type": "adam"},
    "loss": "cross_entropy",
}
OTHERS: list[dict[str, Any]] = [
    {"model": {"type": "softmax"}},
    {"model": layers({"type": "flatten"}, *normalised(rate=0.1)["layers"])},
]


def trained(root: Path, *bodies: dict[str, Any]) -> list[tuple[str, int]]:
    """What a new process tells."""
    command = [sys.executable, "-c", TRAIN, str(root), json.dumps(bodies)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert found.returncode == 0, found.stderr
    told = (line.split() for line in found.stdout.splitlines() if line.startswith(TOLD))
    return [(digest, int(kept)) for _, digest, kept in told]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("body", [PROGRAM, LAYERS], ids=["mlp", "layers"])
def test_a_program_is_found_by_a_process_that_traced_others_before_it(tmp_path: Path, body: dict[str, Any]) -> None:
    root = tmp_path / "a folder"
    ((bits, first),) = trained(root, body)
    assert first >= 1
    (_, before), (_, others), (again, found) = trained(root, *OTHERS, body)
    assert first < before < others == found
    assert again == bits


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "precision",
    [
        "float32",
        pytest.param("mixed_bfloat16", marks=pytest.mark.slow),
        pytest.param("mixed_float16", marks=pytest.mark.slow),
    ],
)
def test_a_program_is_compiled_once_however_many_epochs_it_runs(tmp_path: Path, precision: str) -> None:
    (_, one), (_, many) = trained(
        tmp_path, {**PROGRAM, "precision": precision}, {**PROGRAM, "precision": precision, "epochs": 4}
    )
    assert one == many


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_torn_entries_harm_no_job(tmp_path: Path) -> None:
    ((bits, entries),) = trained(tmp_path, PROGRAM)
    for path in kept(tmp_path):
        path.write_bytes(path.read_bytes()[:-100])
    assert trained(tmp_path, PROGRAM) == [(bits, entries)]


def test_a_folder_that_tensorflow_was_given_already_is_left_to_it(tmp_path: Path) -> None:
    os.environ[FLAGS] = given = "--tf_xla_persistent_cache_directory=/elsewhere"
    CompileCache(tmp_path / "new", threads=2, most_bytes=1).open()
    assert os.environ[FLAGS] == given
    assert not (tmp_path / "new").exists()


def test_without_room_nothing_is_kept(tmp_path: Path) -> None:
    CompileCache(tmp_path / "new", threads=2, most_bytes=0).open()
    assert os.environ[FLAGS] == ""
    assert not (tmp_path / "new").exists()
