"""MNIST's way into the data directory: from which place, what is kept, what is refused and what is said."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from jobs.errors import DatasetUnavailable
from tests.worker.digits import digests, digits, names_in, npz, same
from worker.datasets.idx import Arrays, Unusable
from worker.datasets.mirrors import Source
from worker.datasets.mnist import CACHE, DROPPED, obtain

SET = digits()
DIGESTS = digests(SET)


def away() -> Arrays:
    raise Unusable("no such host")


class Counted:
    """A source that has the set, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.source = Source("counted", self._fetch)

    def _fetch(self) -> Arrays:
        self.asked += 1
        return digits()


AWAY = Source("https://away.example/", away)
WRONG = Source("https://wrong.example/", lambda: digits(seed=1))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "datasets"


def test_the_set_is_fetched_once_and_then_kept(root: Path) -> None:
    counted = Counted()
    for _ in range(2):
        assert same(obtain(root, sources=[counted.source], digests=DIGESTS), SET)
    assert counted.asked == 1
    assert names_in(root) == {CACHE}


@pytest.mark.parametrize("compressed", [True, False])
def test_a_users_file_comes_before_the_network(root: Path, compressed: bool) -> None:
    root.mkdir(parents=True)
    (root / DROPPED).write_bytes(npz(SET, compressed=compressed))
    counted = Counted()
    assert same(obtain(root, sources=[counted.source], digests=DIGESTS), SET)
    assert counted.asked == 0
    assert names_in(root) == {CACHE, DROPPED}


def test_the_next_source_is_asked_where_one_is_away_or_wrong(root: Path) -> None:
    counted = Counted()
    with capture_logs() as logs:
        assert same(obtain(root, sources=[AWAY, WRONG, counted.source], digests=DIGESTS), SET)
    assert counted.asked == 1
    told = [(entry["event"], entry["source"]) for entry in logs]
    assert ("dataset_not_there", AWAY.name) in told
    assert ("dataset_not_there", WRONG.name) in told
    assert told[-1] == ("dataset_obtained", "counted")


def test_nowhere_to_be_had_says_what_was_tried_and_where_to_put_the_file(root: Path) -> None:
    with pytest.raises(DatasetUnavailable) as caught:
        obtain(root, sources=[AWAY, WRONG], digests=DIGESTS)
    message = str(caught.value)
    assert f"put Keras' mnist.npz at {root / DROPPED}" in message
    assert f"{root / DROPPED} (not there)" in message
    assert "https://away.example/ (no such host)" in message
    assert "https://wrong.example/ (its x_train (300 x 28 x 28) is not MNIST's" in message
    assert caught.value.code == "dataset_unavailable"
    assert not root.exists()


def test_a_relative_folder_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetUnavailable, match=f"at {tmp_path}/datasets/mnist.npz"):
        obtain(Path("datasets"), sources=[], digests=DIGESTS)


# --- a user's file that is something else ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npz(digits(seed=1)), "its x_train .* is not MNIST's"),
        (npz({**SET, "y_test": SET["y_test"].astype(np.int64)}), "its y_test is int64"),
        (npz({"images": SET["x_test"]}), "it has no x_train, y_train, x_test, y_test"),
        (npz(SET)[:-5000], "it is not a whole npz file"),
        (b"", "it is not a whole npz file"),
    ],
)
def test_a_users_file_that_is_not_mnist_is_named_and_nothing_takes_its_place(
    root: Path, content: bytes, reason: str
) -> None:
    root.mkdir(parents=True)
    (root / DROPPED).write_bytes(content)
    counted = Counted()
    with pytest.raises(DatasetUnavailable, match=f"{root / DROPPED} is not MNIST: {reason}"):
        obtain(root, sources=[counted.source], digests=DIGESTS)
    assert counted.asked == 0
    assert (root / DROPPED).read_bytes() == content


# --- the cache ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["truncate", "flip", "zeros", "empty", "other"])
def test_a_damaged_cache_is_rebuilt(root: Path, damage: str) -> None:
    counted = Counted()
    obtain(root, sources=[counted.source], digests=DIGESTS)
    path = root / CACHE
    content = bytearray(path.read_bytes())
    whole = bytes(content)
    content[5000] ^= 4
    path.write_bytes(
        {"truncate": whole[:9999], "flip": bytes(content), "zeros": bytes(32), "empty": b"", "other": npz(SET)}[damage]
    )
    with capture_logs() as logs:
        assert same(obtain(root, sources=[counted.source], digests=DIGESTS), SET)
    assert "dataset_cache_damaged" in [entry["event"] for entry in logs]
    assert counted.asked == 2
    assert path.read_bytes() == whole


def test_a_damaged_cache_that_cannot_be_rebuilt_is_removed(root: Path) -> None:
    obtain(root, sources=[Counted().source], digests=DIGESTS)
    os.truncate(root / CACHE, 100)
    with pytest.raises(DatasetUnavailable):
        obtain(root, sources=[AWAY], digests=DIGESTS)
    assert names_in(root) == set()


def test_a_folder_in_the_caches_place_does_not_stop_the_job(root: Path) -> None:
    (root / CACHE).mkdir(parents=True)
    with capture_logs() as logs:
        assert same(obtain(root, sources=[Counted().source], digests=DIGESTS), SET)
    assert {"dataset_cache_unreadable", "dataset_not_cached"} <= {entry["event"] for entry in logs}
    assert names_in(root) == {CACHE}


def test_a_data_directory_that_cannot_be_made_does_not_stop_the_job(root: Path) -> None:
    root.parent.write_text("a file where the data directory should be")
    with capture_logs() as logs:
        assert same(obtain(root, sources=[Counted().source], digests=DIGESTS), SET)
    assert "dataset_not_cached" in [entry["event"] for entry in logs]


READ_ONLY = """
import os, sys
from pathlib import Path
from tests.worker.digits import digests, digits, same
from worker.datasets.mirrors import Source
from worker.datasets.mnist import obtain
arrays = digits()  # before: somebody else may not see where Python is
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere
root = Path(sys.argv[1])
assert same(obtain(root, sources=[Source("memory", lambda: arrays)], digests=digests(arrays)), arrays)
assert not list(root.iterdir())
"""


def test_a_data_directory_of_somebody_else_does_not_stop_the_job() -> None:
    # Not pytest's folder: that one nobody else can even enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        outcome = subprocess.run(
            [sys.executable, "-c", READ_ONLY, folder], check=False, capture_output=True, text=True, timeout=60
        )
    assert outcome.returncode == 0, outcome.stderr
    assert "dataset_not_cached" in outcome.stdout


def test_two_that_fetch_at_once_both_get_the_set_and_leave_one_file(root: Path) -> None:
    barrier = threading.Barrier(2, timeout=30)
    got: list[Arrays] = []

    def fetch() -> Arrays:
        barrier.wait()
        return digits()

    def load() -> None:
        got.append(obtain(root, sources=[Source("both", fetch)], digests=DIGESTS))

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [same(arrays, SET) for arrays in got] == [True, True]
    assert names_in(root) == {CACHE}
    assert same(obtain(root, sources=[], digests=DIGESTS), SET)
