"""The order of an epoch's images."""

import numpy as np

from worker.engine.shuffle import padded, shuffled

PINNED = [3, 2, 5, 4, 6, 11, 1, 0, 9, 7, 10, 8]


def test_it_is_a_permutation() -> None:
    order = shuffled(1000, seed=5, epoch=2)
    assert order.dtype == np.int32
    assert (np.sort(order) == np.arange(1000)).all()


def test_seed_and_epoch_decide() -> None:
    orders = [shuffled(50, seed=seed, epoch=epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert orders == [shuffled(50, seed=seed, epoch=epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_it_never_changes_from_one_release_to_the_next() -> None:
    """A job resumed by a newer version must go on through the same images."""
    assert shuffled(12, seed=1, epoch=3).tolist() == PINNED


def test_every_place_is_as_likely_for_the_first_image() -> None:
    places = [int(np.flatnonzero(shuffled(10, seed=seed, epoch=0) == 0)[0]) for seed in range(2000)]
    counts = np.bincount(places, minlength=10)
    assert ((counts > 140) & (counts < 260)).all()


def test_padding_fills_the_last_batch() -> None:
    assert padded(np.arange(5, dtype=np.int32), 4).tolist() == [0, 1, 2, 3, 4, 0, 0, 0]
    assert padded(np.arange(4, dtype=np.int32), 4).tolist() == [0, 1, 2, 3]
