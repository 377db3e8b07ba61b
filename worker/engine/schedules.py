"""Learning rates: one for each step of a job, computed beforehand and handed to the program as data."""

import numpy as np

from jobs.spec import Constant, Cosine, Linear, OneCycle, Schedule


def learning_rates(schedule: Schedule, *, peak: float, steps: int, warmup_steps: int) -> np.ndarray:
    """Learning rate of each step, float32 [steps], the first `warmup_steps` of which lead up to the peak."""
    rates, warm = np.empty(steps, np.float64), warmup_steps
    rates[:warm] = _warm_up(schedule, warm)
    # 0 at the first step behind the warm-up, 1 at the last step.
    done = np.arange(steps - warm) / max(1, steps - warm - 1)
    match schedule:
        case Constant():
            rates[warm:] = 1.0
        case Linear():
            rates[warm:] = 1.0 + (schedule.final_fraction - 1.0) * done
        case Cosine() | OneCycle():
            rates[warm:] = _cosine(1.0, schedule.final_fraction, done)
    return (peak * rates).astype(np.float32)


def _warm_up(schedule: Schedule, steps: int) -> np.ndarray:
    if isinstance(schedule, OneCycle):
        return _cosine(schedule.initial_fraction, 1.0, np.arange(steps) / max(1, steps))
    return np.arange(1, steps + 1) / (steps + 1)


def _cosine(begin: float, end: float, done: np.ndarray) -> np.ndarray:
    """Half a cosine from `begin` to `end`."""
    return end + (begin - end) * (1 + np.cos(np.pi * done)) / 2
