"""Which cards a process has, and that nobody else has them at the same time."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from worker.gpus import CardLocks, cards


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    """What the driver of a machine with two cards shows."""
    for address, uuid in (("0000:3b:00.0", "GPU-bbbb-2"), ("0000:06:00.0", "GPU-aaaa-1")):
        folder = tmp_path / "gpus" / address
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t NVIDIA H100\nGPU UUID: \t {uuid}\nDevice Minor: \t 0\n")
    return tmp_path / "gpus"


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ("0000:06:00.0", "0000:3b:00.0")),
        ("0", ("0000:06:00.0",)),
        ("1,0", ("0000:3b:00.0", "0000:06:00.0")),
        ("GPU-bbbb", ("0000:3b:00.0",)),
        ("1,-1,0", ("0000:3b:00.0",)),
        ("-1", ()),
        ("", ()),
        ("0,,1", ("0000:06:00.0",)),
        ("0,99,GPU-abc", ("0000:06:00.0",)),
        ("7", ()),
        ("MIG-1234", ("MIG-1234",)),
    ],
)
def test_a_card_is_known_by_its_address(
    driver: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, expected: tuple[str, ...]
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cards(driver) == expected


def test_without_the_drivers_list_the_first_card_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert cards(tmp_path / "none") == ("0",)


def test_without_the_drivers_list_numbers_and_names_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,GPU-abc,,1")
    assert cards(tmp_path / "none") == ("7", "GPU-abc")


HOLDER = """
import sys, threading
from pathlib import Path
from worker.gpus import CardLocks
print(CardLocks(["0000:06:00.0"], folder=Path(sys.argv[1])).acquire(seconds=0, stop=threading.Event()), flush=True)
sys.stdin.read()
"""


def test_a_card_belongs_to_one_process_until_that_ends(tmp_path: Path) -> None:
    mine = CardLocks(["0000:06:00.0", "0000:3b:00.0"], folder=tmp_path)
    other = CardLocks(["0000:3b:00.0"], folder=tmp_path)
    never = threading.Event()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "True\n"
        assert not mine.acquire(seconds=0, stop=never)
        assert other.acquire(seconds=0, stop=never)
        holder.kill()
        holder.wait(10)
    assert other.acquire(seconds=0, stop=never)
    assert not mine.acquire(seconds=0, stop=never)


def test_a_worker_that_stops_does_not_wait_for_a_card(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert CardLocks(["0"], folder=tmp_path).acquire(seconds=0, stop=stop)
    assert not CardLocks(["0"], folder=tmp_path).acquire(seconds=3600, stop=stop)


def test_without_cards_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    assert CardLocks((), folder=tmp_path / "none").acquire(seconds=0, stop=threading.Event())
    assert not (tmp_path / "none").exists()


def test_a_released_card_is_there_for_others(tmp_path: Path) -> None:
    one, other = CardLocks(["0"], folder=tmp_path), CardLocks(["0"], folder=tmp_path)
    never = threading.Event()
    for holder, waiting in ((one, other), (other, one)):
        assert holder.acquire(seconds=0, stop=never)
        assert not waiting.acquire(seconds=0, stop=never)
        holder.release()
