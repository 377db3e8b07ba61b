"""The files of dataset versions: whole or not there, and noticed when damaged."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from store import scratch as scratch_folders
from store.checked_files import Damaged
from store.dataset_files import ARRAYS, UPLOAD, DatasetFiles

ARRAYS_OF_IT: dict[str, NDArray[Any]] = {
    "train_x": np.arange(12_003, dtype=np.float32).reshape(-1, 3),
    "train_y": np.arange(4001, dtype=np.int32),
    "test_x": np.zeros((0, 3), np.float32),
}


@pytest.fixture
def files(tmp_path: Path) -> DatasetFiles:
    return DatasetFiles(tmp_path)


def kept(files: DatasetFiles) -> str:
    """A folder with an upload and its arrays."""
    scratch = files.begin()
    (scratch / UPLOAD).write_bytes(b"a,b\n1,2\n")
    for name, array in ARRAYS_OF_IT.items():
        np.save(scratch / ARRAYS / f"{name}.npy", array)
    return files.keep(scratch)


def test_what_was_kept_is_read(files: DatasetFiles) -> None:
    folder = kept(files)
    assert files.upload(folder).read_bytes() == b"a,b\n1,2\n"
    for name, array in ARRAYS_OF_IT.items():
        found = files.read(folder, name)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
        assert not found.flags.writeable


def test_an_array_is_an_ordinary_file_too(files: DatasetFiles) -> None:
    folder = kept(files)
    found = np.load(files.upload(folder).parent / ARRAYS / "train_x.npy")
    np.testing.assert_array_equal(found, ARRAYS_OF_IT["train_x"])


@pytest.mark.parametrize("damage", ["flipped", "short", "long"])
def test_damage_is_noticed(files: DatasetFiles, damage: str) -> None:
    path = files.upload(kept(files)).parent / ARRAYS / "train_x.npy"
    content = path.read_bytes()
    damaged = {
        "flipped": content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
        "short": content[:-1000],
        "long": content + b"x",
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(Damaged):
        files.read(path.parent.parent.name, "train_x")


def test_a_scratch_folder_is_kept_or_leaves_nothing(files: DatasetFiles, tmp_path: Path) -> None:
    scratch = files.begin()
    (scratch / UPLOAD).write_bytes(b"x" * 100)
    assert files.size_bytes(scratch) == 100
    files.discard(scratch)
    files.discard(scratch)
    kept(files)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_deleted_files_are_gone_and_may_be_deleted_again(files: DatasetFiles, tmp_path: Path) -> None:
    one, other = kept(files), kept(files)
    for _ in range(2):
        files.delete(one)
    assert os.listdir(tmp_path / "versions") == [other]
    assert os.listdir(tmp_path / "uploads") == []


def test_a_sweep_takes_a_scratch_folder_that_nobody_holds(
    files: DatasetFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch_folders, "BEGUN_SECONDS", -1)
    held = files.begin()
    (tmp_path / "uploads" / ("ab" * 16) / ARRAYS).mkdir(parents=True)
    assert DatasetFiles(tmp_path).sweep(()) == ("ab" * 16,)
    assert os.listdir(tmp_path / "uploads") == [held.name]
    files.discard(held)


def test_a_sweep_takes_what_is_old_and_known_to_nobody(files: DatasetFiles, tmp_path: Path) -> None:
    known, unknown = kept(files), kept(files)
    scratch = files.begin()
    (tmp_path / "versions" / "of-the-user").mkdir()
    assert files.sweep({known}) == ()
    assert sorted(files.sweep({known}, older_than_seconds=-1)) == sorted([unknown, scratch.name])
    assert sorted(os.listdir(tmp_path / "versions")) == sorted([known, "of-the-user"])


@pytest.mark.parametrize("folder", ["", "..", "../uploads", "a/b", "A" * 32, "f" * 31])
def test_no_other_folder_is_touched(files: DatasetFiles, folder: str) -> None:
    for attempt in (files.upload, files.delete, lambda folder: files.read(folder, "train_x")):
        with pytest.raises(ValueError, match="is no folder of a version"):
            attempt(folder)
