"""Augmentation of images made to show where they went."""

import numpy as np
import pytest
import tensorflow as tf

from jobs.spec import Augmentation
from worker.engine.augment import augment
from worker.engine.stateless_random import StatelessRandom

SIZE = (9, 9, 2)


def image(*places: tuple[int, int]) -> np.ndarray:
    pixels = np.zeros(SIZE, np.float32)
    for y, x in places:
        pixels[y, x] = (0.5, 1.0)
    return pixels


def augmented(pixels: np.ndarray, augmentation: Augmentation, count: int = 64) -> np.ndarray:
    batch = tf.constant(np.repeat(pixels.reshape(1, -1), count, axis=0))
    noise = StatelessRandom(tf.constant(0), tf.constant(1))
    return augment(batch, SIZE, augmentation, noise).numpy().reshape(count, *SIZE)


def test_nothing_asked_for_changes_nothing() -> None:
    pixels = np.random.default_rng(0).random(SIZE).astype(np.float32)
    assert (augmented(pixels, Augmentation()) == pixels).all()


def test_shifts_reach_their_bounds_and_no_farther() -> None:
    moved = augmented(image((4, 4)), Augmentation(shift_pixels=2), count=600)
    _, y, x, _ = np.nonzero(moved)
    assert set(y) == set(x) == {2, 3, 4, 5, 6}
    assert (moved.reshape(600, -1).sum(1) == 1.5).all()


def test_what_leaves_the_image_is_gone_and_black_comes_in() -> None:
    moved = augmented(np.ones(SIZE, np.float32), Augmentation(shift_pixels=3), count=100)
    assert set(np.unique(moved)) == {0.0, 1.0}
    assert 0.5 < moved.mean() < 0.95


def test_rotation_keeps_the_centre_and_the_distance_from_it() -> None:
    moved = augmented(image((4, 4), (4, 8)), Augmentation(rotate_degrees=90.0), count=300)
    assert (moved[:, 4, 4, 1] == 1).all()
    _, y, x, _ = np.nonzero(moved)
    distance = np.hypot(y - 4, x - 4)
    assert ((distance == 0) | (abs(distance - 4) < 1)).all()
    assert len(set(zip(y, x, strict=True))) > 8


def test_zoom_shrinks_and_grows_about_the_centre() -> None:
    square = np.zeros(SIZE, np.float32)
    square[2:7, 2:7] = 1
    areas = augmented(square, Augmentation(zoom=0.4), count=300)[..., 0].sum((1, 2))
    assert areas.min() < 25 < areas.max()


@pytest.mark.parametrize("augmentation", [Augmentation(shift_pixels=2, rotate_degrees=10.0, zoom=0.1)])
def test_each_image_moves_on_its_own_and_the_same_way_again(augmentation: Augmentation) -> None:
    pixels = image((2, 3), (6, 5))
    first, second = augmented(pixels, augmentation), augmented(pixels, augmentation)
    assert (first == second).all()
    assert len({one.tobytes() for one in first}) > 10
