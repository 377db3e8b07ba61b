"""The step's random numbers."""

import numpy as np
import pytest
import tensorflow as tf

from worker.engine.stateless_random import StatelessRandom


def draw(seed: int, step: int, stream: int = 0, count: int = 1000) -> np.ndarray:
    return StatelessRandom(tf.constant(seed), tf.constant(step)).uniform((count,), stream=stream).numpy()


def by_hand(seed: int, step: int, stream: int, count: int) -> list[float]:
    """The same in Python's integers."""

    def mixed(x: int) -> int:
        x = (x ^ x >> 16) * 0x7FEB352D % 2**32
        x = (x ^ x >> 15) * 0x846CA68B % 2**32
        return x ^ x >> 16

    key = mixed((mixed((stream + seed) % 2**32) + step) % 2**32)
    words = (mixed(mixed((place + key) % 2**32) ^ mixed((key + 1) % 2**32)) for place in range(count))
    return [(word >> 8) / 2**24 for word in words]


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_the_numbers_never_change(seed: int) -> None:
    assert draw(seed, 3, 32, 50).tolist() == by_hand(seed, 3, 32, 50)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_numbers_are_the_same_compiled(jit_compile: bool) -> None:
    @tf.function(jit_compile=jit_compile, autograph=False)
    def compiled(seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        return StatelessRandom(seed, step).uniform((1000,), stream=1)

    assert (compiled(tf.constant(5), tf.constant(6)).numpy() == draw(5, 6, 1)).all()


def test_the_numbers_are_evenly_spread() -> None:
    numbers = draw(0, 1, count=100_000)
    assert (np.abs(np.histogram(numbers, 20, (0, 1))[0] - 5000) < 350).all()
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.02


@pytest.mark.parametrize("other", [(1, 1, 0), (0, 2, 0), (0, 1, 1)])
def test_seed_step_and_stream_each_give_other_numbers(other: tuple[int, int, int]) -> None:
    first, second = draw(0, 1, 0, 20_000), draw(*other, 20_000)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04
    assert np.intersect1d(first, second).size < 200
