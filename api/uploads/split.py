"""The order in which a table's rows are kept, and which of them are for testing."""

import numpy as np
from numpy.typing import NDArray


def shuffled(groups: NDArray[np.int32], *, seed: int) -> NDArray[np.intp]:
    """A random order of rows in which every stretch has each group about as often as the whole: int [N].

    So any end of it is as good a test part as any other, and what stays a training part in turn. `groups` int32 [N] are
    classes, or all 0. Made of raw Philox words (Salmon et al. 2011), so that a seed means the same order with any
    version of NumPy.
    """
    words = np.random.Philox(key=[seed, 0]).random_raw(len(groups))
    by_group = np.lexsort((words, groups))
    counts = np.bincount(groups)
    place = np.arange(len(groups)) - (np.cumsum(counts) - counts)[groups[by_group]]
    # The middle of the n-th of a group's equal parts of the whole.
    rank = (2 * place + 1) / (2 * counts[groups[by_group]])
    return by_group[np.lexsort((words[by_group], rank))]
