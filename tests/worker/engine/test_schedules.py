"""Learning rates at the places that define a schedule."""

from typing import Any

import numpy as np
import pytest

from tests.worker.engine.listening import spec_of
from worker.engine.schedules import learning_rates


def rates(steps: int, **schedule: Any) -> np.ndarray:
    wanted = spec_of(schedule=schedule).schedule
    return learning_rates(wanted, peak=2.0, steps=steps, warmup_steps=round(steps * wanted.warmup_fraction))


def test_constant_stays() -> None:
    assert (rates(5, type="constant") == 2).all()


def test_warm_up_rises_linearly_to_the_peak() -> None:
    np.testing.assert_allclose(rates(8, type="constant", warmup_fraction=0.5), [0.4, 0.8, 1.2, 1.6, 2, 2, 2, 2])


def test_linear_falls_to_its_final_fraction() -> None:
    np.testing.assert_allclose(
        rates(5, type="linear", warmup_fraction=0.0, final_fraction=0.5), [2, 1.75, 1.5, 1.25, 1]
    )


def test_cosine_is_halfway_in_the_middle() -> None:
    found = rates(5, type="cosine", final_fraction=0.1)
    np.testing.assert_allclose(found[[0, 2, 4]], [2, 1.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose(found[1], 0.2 + 0.9 * (1 + np.cos(np.pi / 4)), rtol=1e-6)


def test_one_cycle_rises_and_falls_along_cosines() -> None:
    found = rates(11, type="one_cycle", warmup_fraction=0.4, initial_fraction=0.1, final_fraction=0.01)
    np.testing.assert_allclose(found[[0, 2, 4, 7, 10]], [0.2, 1.1, 2, 1.01, 0.02], rtol=1e-6)


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_every_rate_is_positive_or_the_final_zero_and_at_most_the_peak(kind: str, steps: int) -> None:
    found = rates(steps, type=kind, warmup_fraction=0.5)
    assert found.shape == (steps,)
    assert found.dtype == np.float32
    assert (found >= 0).all()
    assert (found <= 2).all()
