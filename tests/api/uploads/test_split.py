"""Rows are shuffled so that every stretch of them is like the whole."""

import numpy as np
import pytest

from api.uploads.split import shuffled

GROUPS = np.repeat([0, 1, 2], [700, 250, 50]).astype(np.int32)


@pytest.mark.parametrize("part", [slice(0, 200), slice(400, 600), slice(800, 1000)])
def test_every_stretch_has_each_class_as_often_as_the_whole(part: slice) -> None:
    counts = np.bincount(GROUPS[shuffled(GROUPS, seed=1)][part], minlength=3)
    assert np.abs(counts - [140, 50, 10]).max() <= 1


def test_it_is_an_order_that_the_seed_decides() -> None:
    one, again, other = (shuffled(GROUPS, seed=seed) for seed in (1, 1, 2))
    assert sorted(one) == list(range(1000))
    assert (one == again).all()
    assert (one != other).any()


def test_the_order_never_changes_from_one_release_to_the_next() -> None:
    assert shuffled(np.array([0, 0, 0, 1, 1, 0, 1], np.int32), seed=7).tolist() == [1, 4, 2, 6, 5, 3, 0]


def test_a_class_with_one_row_is_learnt_and_not_only_tested() -> None:
    groups = np.array([0] * 99 + [1], np.int32)
    assert 99 in shuffled(groups, seed=3)[:80]
