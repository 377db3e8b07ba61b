"""How much the examples of each class count in the training loss."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np


def class_weights(
    wanted: Literal["balanced"] | Mapping[str, float], counts: np.ndarray, *, names: Sequence[str]
) -> np.ndarray:
    """float32 [classes], their mean over the training examples being 1.

    `counts` int64 [classes] are those of the training examples; a class without any weighs nothing. `balanced` has each
    class weigh the same as a whole (King and Zeng 2001): N / (classes · count).
    """
    if wanted == "balanced":
        relative = np.divide(1.0, counts, out=np.zeros(len(counts)), where=counts > 0)
    else:
        relative = np.array([wanted.get(name, 1.0) for name in names])
    weights = relative * counts.sum() / (relative * counts).sum()
    return weights.astype(np.float32)
