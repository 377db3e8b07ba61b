"""Examples as the whole numbers that an embedding looks up: as they were uploaded, before they were standardised."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jobs.architecture import Architecture
from jobs.errors import UnfitExamples
from jobs.inputs import ArrayEncoding
from jobs.layers.embedding import MOST_IDS, Embedding
from worker.datasets.memory import Dataset

FROM_WHOLE = 0.01
"""How far from a whole number a value may be, once its mean and deviation are taken back in float32's digits."""


class IdRange(NamedTuple):
    """Of all examples."""

    smallest: int
    largest: int


def with_ids(dataset: Dataset) -> Dataset:
    """The dataset with its examples of uint8, or as int32. Raises UnfitExamples for what are no whole numbers, or none
    that any embedding looks up."""
    encoding = dataset.encoding.arrays if dataset.encoding else None
    x = {
        part: _whole(values, encoding, dataset.info.name)
        for part in ("train_x", "val_x", "test_x")
        if (values := getattr(dataset, part)) is not None
    }
    return replace(dataset, **x)


def id_range(dataset: Dataset) -> IdRange:
    """Of the examples of all parts, of which there are some."""
    parts = [part for part in (dataset.train_x, dataset.val_x, dataset.test_x) if part is not None and part.size]
    return IdRange(int(min(part.min() for part in parts)), int(max(part.max() for part in parts)))


def check_ids(network: Architecture, ids: IdRange) -> None:
    """Raise UnfitExamples, naming the layer, where an embedding does not have all of them."""
    for node in network.nodes:
        if isinstance(node.layer, Embedding) and not 0 <= ids.smallest <= ids.largest < node.layer.input_dim:
            raise UnfitExamples(
                f"{node.title}, has input_dim {node.layer.input_dim:,}, so it "
                f"takes 0 to {node.layer.input_dim - 1:,}, and the examples have {ids.smallest:,} to {ids.largest:,}"
                + ("" if ids.smallest < 0 else f"; set input_dim to {ids.largest + 1:,}")
            )


def _whole(values: np.ndarray, encoding: ArrayEncoding | None, name: str) -> np.ndarray:
    if values.dtype == np.uint8:
        return values
    raw, mean = values.astype(np.float64), np.zeros(1)
    if encoding:
        times = values.shape[-1] // len(encoding.mean)
        mean = np.tile(encoding.mean, times)
        raw = raw * np.tile(encoding.std, times) + mean
    # First, as of large numbers float32 has few digits left: beside them small ones are not whole any more.
    if raw.size and abs(farthest := raw.flat[int(np.abs(raw).argmax())]) > MOST_IDS - 0.5:
        raise UnfitExamples(
            f"an embedding looks up whole numbers from 0 to {MOST_IDS - 1:,} at most, and the examples of {name} have "
            f"{farthest:.7g} among them"
        )
    whole = np.rint(raw)
    off = np.abs(raw - whole)
    # float32 kept how far a value is from the mean, so what its digits leave off grows with that.
    if (off > np.maximum(FROM_WHOLE, 1e-6 * np.abs(raw)) + 1e-7 * np.abs(mean)).any():
        worst = raw.flat[int(off.argmax())]
        raise UnfitExamples(
            f"an embedding looks up whole numbers, and the examples of {name} have {worst:.6g} among them"
        )
    return whole.astype(np.int32)
