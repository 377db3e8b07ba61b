"""Examples as whole numbers to look up: what they are again, and what is said of those that are none."""

import numpy as np
import pytest

from jobs.datasets import DatasetInfo
from jobs.errors import UnfitExamples
from jobs.inputs import ArrayEncoding
from jobs.layers.embedding import MOST_IDS
from jobs.model_encoding import ModelEncoding
from worker.datasets.memory import Dataset
from worker.engine.ids import IdRange, id_range, with_ids


def standardised(*values: float) -> Dataset:
    """A dataset of arrays of one number, as an upload is kept."""
    info = DatasetInfo(
        name="big@1",
        kind="arrays",
        shape=(1,),
        classes=("a", "b"),
        train_examples=len(values),
        test_examples=len(values),
    )
    raw, labels = np.array(values, np.float64)[:, None], np.zeros(len(values), np.int32)
    arrays = ArrayEncoding(mean=tuple(raw.mean(axis=0)), std=tuple(raw.std(axis=0)))
    x = ((raw - arrays.mean) / arrays.std).astype(np.float32)
    return Dataset(info, x, labels, x, labels, encoding=ModelEncoding.of(info, arrays=arrays))


def test_standardised_numbers_are_whole_again() -> None:
    dataset = with_ids(standardised(0, 7, 300, 41))
    assert dataset.train_x.dtype == np.int32
    assert dataset.train_x[:, 0].tolist() == dataset.test_x[:, 0].tolist() == [0, 7, 300, 41]
    assert id_range(dataset) == IdRange(0, 300)


def test_all_numbers_that_an_embedding_can_have_are_whole_again() -> None:
    numbers = range(0, MOST_IDS, 97)
    assert with_ids(standardised(*numbers)).train_x[:, 0].tolist() == list(numbers)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.linspace(0, 2**40, 40).round(), "1.099512e+12"),
        ((0, 1, MOST_IDS), "1000000"),
        ((-(2.0**40), 3, 4), "-1.099512e+12"),
    ],
)
def test_numbers_beyond_any_embedding_are_refused_as_such(values: tuple[float, ...], found: str) -> None:
    with pytest.raises(UnfitExamples) as refused:
        with_ids(standardised(*values))
    assert f"from 0 to 999,999 at most, and the examples of big@1 have {found} among them" in str(refused.value)


def test_numbers_that_are_not_whole_are_refused_with_one_of_them() -> None:
    with pytest.raises(UnfitExamples, match=r"whole numbers, and the examples of big@1 have 2\.5 among them"):
        with_ids(standardised(0, 2.5, 9))
