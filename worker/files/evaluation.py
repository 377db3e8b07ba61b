"""The file `evaluation.json`: what the engine says of a model, what it was trained on, and where it is most wrong, by
examples as a person can look at them."""

import base64
import platform
from importlib.metadata import version
from itertools import islice
from typing import TypeVar

import numpy as np
import tensorflow as tf

from jobs.encoding import ArrayEncoder, RowEncoder
from jobs.evaluation import ClassEvaluation, Evaluation, ShownExample, TargetEvaluation
from jobs.wire import Dataset as ShownDataset
from worker.datasets.memory import Dataset
from worker.engine.evaluation import ModelEvaluation

LONGEST_SIDE = 96
"""Pixels of a picture that is shown."""
MOST_COLUMNS = 50
MOST_VALUES = 64

Told = TypeVar("Told", ClassEvaluation, TargetEvaluation)


def evaluation_json(evaluation: ModelEvaluation, dataset: Dataset) -> bytes:
    """The file for a model of this dataset."""
    of = dataset.version
    document = Evaluation(
        dataset=ShownDataset.of_version(of) if of else ShownDataset.of(dataset.info),
        software=_software(),
        test_examples=dataset.info.test_examples,
        classification=_illustrated(evaluation, dataset) if isinstance(evaluation, ClassEvaluation) else None,
        regression=_illustrated(evaluation, dataset) if isinstance(evaluation, TargetEvaluation) else None,
    )
    return document.model_dump_json().encode()


def _software() -> dict[str, str]:
    packages = {name: version(name) for name in ("gradientd", "keras", "numpy")}
    return {**packages, "tensorflow": tf.__version__, "python": platform.python_version()}


def _illustrated(evaluation: Told, dataset: Dataset) -> Told:
    sources = dataset.test_sources.decode().split("\n") if dataset.test_sources else None
    worst = tuple(
        it.model_copy(update={"example": _shown(dataset, it.index, sources[it.index] if sources else None)})
        for it in evaluation.worst
    )
    return evaluation.model_copy(update={"worst": worst})


def _shown(dataset: Dataset, index: int, source: str | None) -> ShownExample:
    """A test example."""
    info, encoding, x = dataset.info, dataset.encoding, dataset.test_x[index]
    if info.kind == "images":
        return ShownExample(source=source, picture=base64.b64encode(png(x.reshape(info.shape))).decode())
    if encoding and encoding.rows:
        return ShownExample(source=source, row=dict(islice(RowEncoder(encoding.rows).decode(x).items(), MOST_COLUMNS)))
    if encoding and encoding.arrays:
        values = ArrayEncoder(encoding.arrays, info.shape).decode(x.reshape(info.shape), values=MOST_VALUES)
    else:
        values = x[:MOST_VALUES].tolist()
    return ShownExample(source=source, values=tuple(values))


def png(pixels: np.ndarray) -> bytes:
    """A picture uint8 [height, width, 1, 3 or 4], made smaller where a side is longer than `LONGEST_SIDE`."""
    height, width, _ = pixels.shape
    shrink = max(1.0, max(height, width) / LONGEST_SIDE)
    with tf.device("/CPU:0"):
        if shrink > 1:
            size = max(1, round(height / shrink)), max(1, round(width / shrink))
            smaller = tf.image.resize(pixels, size, method="area")
            pixels = tf.cast(tf.round(smaller), tf.uint8).numpy()
        return tf.io.encode_png(pixels).numpy()
