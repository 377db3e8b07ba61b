"""In which order an epoch takes the images: a pure function of seed and epoch."""

import numpy as np

_LOW_HALF = np.uint64(0xFFFF_FFFF)


def shuffled(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """A permutation of 0 … count-1, int32 [count].

    Sorts words whose upper half is random and whose lower half is the position. The random half comes raw
    from the Philox generator (Salmon et al. 2011), whose stream NumPy guarantees, and no two words are
    equal: so the order depends neither on a library's version nor on how it sorts.
    """
    words = np.random.Philox(key=[seed, epoch]).random_raw(count) & ~_LOW_HALF | np.arange(count, dtype=np.uint64)
    return (np.sort(words) & _LOW_HALF).astype(np.int32)


def padded(order: np.ndarray, batch_size: int) -> np.ndarray:
    """The order filled up to whole batches; what is added is masked by the step."""
    missing = -len(order) % batch_size
    return np.concatenate([order, np.zeros(missing, np.int32)])
