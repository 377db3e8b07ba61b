"""A training job between two steps: all that is needed to go on to the same bits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

UNSCALED = (1.0, 0.0)
"""The loss scale of a job that needs none."""


class Learned(NamedTuple):
    """What a network has learnt: its trained weights, and what else it keeps."""

    weights: tuple[np.ndarray, ...]
    fixed: tuple[np.ndarray, ...]


@dataclass(frozen=True, slots=True)
class Best:
    """The best epoch so far, as early stopping sees it."""

    value: float
    epoch: int
    learned: Learned | None
    """Kept where the best epoch is to be restored."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Host copies of a job's state. `epoch` epochs are done, and `step` steps of the next one."""

    epoch: int
    step: int
    weights: tuple[np.ndarray, ...]
    """float32, in the network's order."""
    memory: tuple[np.ndarray, ...]
    """What the optimizer remembers, float32."""
    fixed: tuple[np.ndarray, ...]
    """What else the network keeps: frozen weights, moving statistics, its random layers' generators."""
    scale: tuple[float, float]
    """Factor on the loss, finite steps since it last changed."""
    sums: tuple[float, ...]
    """Loss of the epoch under way, and its counts one after the other."""
    seconds: float
    """Time that the epoch under way has taken."""
    best: Best | None = None
    skipped: tuple[int, int] = (0, 0)
    """Steps that changed nothing, as their gradients were too large for float16: in the epochs before, in all."""

    def arrays(self) -> dict[str, np.ndarray]:
        """The snapshot as named arrays, for a file without pickle."""
        arrays = {
            "position": np.array([self.epoch, self.step], np.int64),
            "scale": np.array(self.scale, np.float32),
            "skipped": np.array(self.skipped, np.int64),
            "sums": np.array(self.sums, np.float32),
            "seconds": np.array(self.seconds, np.float64),
        }
        arrays |= {f"weights/{n:03}": array for n, array in enumerate(self.weights)}
        arrays |= {f"memory/{n:03}": array for n, array in enumerate(self.memory)}
        arrays |= {f"fixed/{n:03}": array for n, array in enumerate(self.fixed)}
        if self.best:
            arrays["best"] = np.array([self.best.value, self.best.epoch], np.float64)
            if learned := self.best.learned:
                arrays |= {f"best/{n:03}": array for n, array in enumerate(learned.weights)}
                arrays |= {f"best_fixed/{n:03}": array for n, array in enumerate(learned.fixed)}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Snapshot":
        """Back from `arrays()`. Raises KeyError where one is missing."""

        def group(name: str) -> tuple[np.ndarray, ...]:
            numbers = sorted(int(key.rpartition("/")[2]) for key in arrays if key.startswith(f"{name}/"))
            return tuple(arrays[f"{name}/{n:03}"] for n in numbers)

        best = None
        if "best" in arrays:
            value, epoch = arrays["best"]
            weights = group("best")
            best = Best(float(value), int(epoch), Learned(weights, group("best_fixed")) if weights else None)
        epoch, step = (int(n) for n in arrays["position"])
        # Older versions counted a skipped step as an update; what they counted stays counted.
        before, in_all = (int(n) for n in arrays["skipped"]) if "skipped" in arrays else (0, 0)
        return cls(
            epoch=epoch,
            step=step,
            weights=group("weights"),
            memory=group("memory"),
            fixed=group("fixed"),  # none in what older versions wrote
            scale=(float(arrays["scale"][0]), float(arrays["scale"][1])),
            sums=tuple(float(value) for value in arrays["sums"]),
            seconds=float(arrays["seconds"]),
            best=best,
            skipped=(before, in_all),
        )
