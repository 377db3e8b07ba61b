"""Scratch folders: held while their process lives, and found afterwards."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from store import scratch
from store.scratch import Scratch


@pytest.fixture(autouse=True)
def begun_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder counts as begun as soon as it is there."""
    monkeypatch.setattr(scratch, "BEGUN_SECONDS", -1)


def hold_until_killed(root: Path, telling: Connection) -> None:
    """Hold a folder, as a process that is killed amid its work does."""
    folder = Scratch(root).begin()
    (folder / "half").write_bytes(b"x")
    telling.send(folder.name)
    signal.pause()


def test_a_folder_is_gone_when_its_work_is_done(tmp_path: Path) -> None:
    with Scratch(tmp_path / "root").folder() as folder:
        (folder / "inner").mkdir()
        assert Scratch(tmp_path / "root").sweep() == ()
        assert folder.is_dir()
    assert os.listdir(tmp_path / "root") == []


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    told, telling = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=hold_until_killed, args=(tmp_path, telling))
    process.start()
    assert told.poll(60)
    name = told.recv()
    assert Scratch(tmp_path).sweep() == ()
    process.kill()
    process.join()
    assert [folder.name for folder in Scratch(tmp_path).sweep()] == [name]
    assert os.listdir(tmp_path) == []


def test_other_folders_stay(tmp_path: Path) -> None:
    (tmp_path / "of-the-user").mkdir()
    assert Scratch(tmp_path).sweep(older_than_seconds=-1) == ()
    assert os.listdir(tmp_path) == ["of-the-user"]
