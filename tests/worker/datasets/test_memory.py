"""Datasets as jobs get them: counts, types, ranges, and one object for all jobs of a process."""

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs.columns import NumericColumn, RowEncoding
from jobs.datasets import CATALOGUE, DatasetInfo, Target
from jobs.errors import DatasetUnavailable, UnknownDataset
from jobs.model_encoding import ModelEncoding
from tests.worker.digits import digits
from worker.datasets import memory, mnist
from worker.datasets.idx import DIGESTS, Arrays, idx_digest
from worker.datasets.memory import PACKAGED, Dataset, Datasets, from_arrays, packaged

FULL = os.environ.get("GRADIENTD_TEST_MNIST")
"""The full set in Keras' layout, where there is one to test with."""

SMALL = DatasetInfo(name="small", shape=(28, 28, 1), classes=tuple("0123456789"), train_examples=300, test_examples=100)


def check(dataset: Dataset) -> None:
    """What the training engine relies on."""
    info = dataset.info
    for images, labels, count in (
        (dataset.train_x, dataset.train_y, info.train_examples),
        (dataset.test_x, dataset.test_y, info.test_examples),
    ):
        assert images.shape == (count, info.values)
        assert images.dtype == np.uint8
        assert images.flags.c_contiguous
        assert (images.min(), images.max()) == (0, 255)
        assert labels.shape == (count,)
        assert labels.dtype == np.int32
        assert set(np.unique(labels)) == set(range(info.outputs))


def test_mnist_10k_is_split_as_the_catalogue_says(tmp_path: Path) -> None:
    dataset = Datasets(tmp_path / "none").load("mnist-10k")
    assert dataset.info is CATALOGUE["mnist-10k"]
    assert (len(dataset.train_x), len(dataset.test_x)) == (9_000, 1_000)
    check(dataset)
    assert not (tmp_path / "none").exists()


def test_mnist_10k_is_mnists_test_file_in_its_order() -> None:
    arrays = packaged(PACKAGED)
    assert idx_digest(np.concatenate([arrays["x_train"], arrays["x_test"]])) == DIGESTS["x_test"]
    assert idx_digest(np.concatenate([arrays["y_train"], arrays["y_test"]])) == DIGESTS["y_test"]


def test_its_authors_are_credited() -> None:
    credit = (PACKAGED.parent / "README.md").read_text()
    for name in ("LeCun", "Cortes", "Burges"):
        assert name in credit


def test_a_damaged_installation_is_told(tmp_path: Path) -> None:
    (tmp_path / "torn.npz").write_bytes(PACKAGED.read_bytes()[:-1000])
    for name in ("torn.npz", "missing.npz"):
        with pytest.raises(DatasetUnavailable, match=f"{tmp_path / name}, which comes with gradientd"):
            packaged(tmp_path / name)


def test_images_are_flattened_row_by_row() -> None:
    arrays = digits()
    dataset = from_arrays(SMALL, arrays)
    check(dataset)
    assert dataset.train_x[7, 3 * 28 + 5] == arrays["x_train"][7, 3, 5]
    assert dataset.test_y.tolist() == arrays["y_test"].tolist()


def test_nothing_can_be_written_to_what_jobs_share(tmp_path: Path) -> None:
    dataset = Datasets(tmp_path).load("mnist-10k")
    for array in (dataset.train_x, dataset.train_y, dataset.test_x, dataset.test_y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_the_same_object_is_returned_again(tmp_path: Path) -> None:
    shelf = Datasets(tmp_path)
    assert shelf.load("mnist-10k") is shelf.load("mnist-10k")


def test_the_one_used_longest_ago_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_IN_MEMORY", 1)
    shelf = Datasets(tmp_path, obtain_mnist=lambda _: digits())
    first = shelf.load("mnist-10k")
    shelf.load("mnist")
    assert shelf.load("mnist-10k") is not first


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownDataset, match="no dataset 'cifar'"):
        Datasets(tmp_path).load("cifar")


def test_threads_that_load_at_once_share_one_fetch(tmp_path: Path) -> None:
    fetched: list[Path] = []
    first_asked = threading.Event()

    def obtain(root: Path) -> Arrays:
        fetched.append(root)
        first_asked.set()
        return digits()

    shelf = Datasets(tmp_path, obtain_mnist=obtain)
    got: list[Dataset] = []
    threads = [threading.Thread(target=lambda: got.append(shelf.load("mnist"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched == [tmp_path]
    assert len({id(dataset) for dataset in got}) == 1


def test_who_waits_for_a_fetch_can_leave_and_the_next_one_gets_it(tmp_path: Path) -> None:
    fetched: list[Path] = []
    mirror_answers = threading.Event()

    def obtain(root: Path) -> Arrays:
        fetched.append(root)
        assert mirror_answers.wait(30)
        return digits()

    shelf = Datasets(tmp_path, obtain_mnist=obtain)
    for _ in range(2):
        assert shelf.load("mnist", check_stop=lambda: "enough") is None
    dataset = shelf.load("mnist", check_stop=mirror_answers.set)
    assert dataset
    assert dataset.info.name == "mnist"
    assert fetched == [tmp_path]


def test_a_failure_is_not_remembered(tmp_path: Path) -> None:
    answers: list[Arrays | None] = [None, digits()]

    def obtain(root: Path) -> Arrays:
        if (arrays := answers.pop(0)) is None:
            raise DatasetUnavailable("away")
        return arrays

    shelf = Datasets(tmp_path, obtain_mnist=obtain)
    with pytest.raises(DatasetUnavailable):
        shelf.load("mnist")
    assert shelf.load("mnist") is shelf.load("mnist")


@pytest.mark.skipif(not FULL, reason="GRADIENTD_TEST_MNIST names no file")
def test_the_full_set_comes_from_a_users_file_and_from_the_cache_alike(tmp_path: Path) -> None:
    assert FULL is not None
    shutil.copy(FULL, tmp_path / mnist.DROPPED)

    def obtain(root: Path) -> Arrays:
        return mnist.obtain(root, sources=[])

    dropped = Datasets(tmp_path, obtain_mnist=obtain).load("mnist")
    check(dropped)
    (tmp_path / mnist.DROPPED).unlink()
    kept = Datasets(tmp_path, obtain_mnist=obtain).load("mnist")
    check(kept)
    assert np.array_equal(kept.train_x, dropped.train_x)
    assert np.array_equal(kept.train_y, dropped.train_y)
    assert kept.train_y[:5].tolist() == [5, 0, 4, 1, 9]
    assert kept.test_y[:5].tolist() == [7, 2, 1, 0, 4]


def test_rows_are_encoded_as_another_network_was_fed() -> None:
    own = RowEncoding(columns=(NumericColumn(name="a", mean=10, std=2, missing=False),))
    given = RowEncoding(columns=(NumericColumn(name="a", mean=0, std=4, missing=True),))
    info = DatasetInfo(
        name="d@2", kind="table", shape=(1,), targets=(Target("y", 1, 2),), train_examples=2, test_examples=1
    )
    train, test = np.array([[0.0], [1.0]], np.float32), np.array([[-1.0]], np.float32)
    dataset = Dataset(info, train, train, test, test, train, train, encoding=ModelEncoding.of(info, rows=own))
    wanted = ModelEncoding.of(replace(info, shape=(2,), targets=(Target("y", 0, 1),)), rows=given)
    found = dataset.encoded_as(wanted)
    assert (found.info.shape, found.info.targets, found.encoding) == ((2,), wanted.targets, wanted)
    assert found.train_x.tolist() == [[2.5, 0], [3, 0]]
    assert found.val_x is not None
    assert found.val_y is not None
    assert found.val_x.tolist() == found.train_x.tolist()
    assert found.test_x.tolist() == [[2, 0]]
    assert (found.train_y.tolist(), found.test_y.tolist()) == ([[1], [3]], [[-1]])
    assert not found.train_x.flags.writeable
    assert dataset.encoding
    assert dataset.encoded_as(dataset.encoding) is dataset


def test_a_built_in_set_has_its_own_encoding(tmp_path: Path) -> None:
    dataset = Datasets(tmp_path).load("mnist-10k")
    assert dataset.encoded_as(ModelEncoding.of(dataset.info)) is dataset
