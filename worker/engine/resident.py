"""Datasets on a device, kept there from one job to the next."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from worker.datasets import Dataset
from worker.engine.program import Images

MOST_RESIDENTS = 2
"""Datasets kept on devices; the one used longest ago makes room."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A dataset on a device, split for one validation share."""

    train: Images
    validation: Images
    """The images held out, or the very object `test` when there are none."""
    test: Images


_residents: OrderedDict[tuple[int, int, str], tuple[Dataset, Resident]] = OrderedDict()


def resident(dataset: Dataset, train_images: int, device: str) -> Resident:
    """The dataset on the device, its first `train_images` for training and the rest held out.

    The same tensors again while they are kept: copying a large dataset takes longer than a chunk.
    """
    key = (id(dataset), train_images, device)
    if key not in _residents:
        # The entry holds the dataset too, so that its id stays its own.
        _residents[key] = (dataset, _copy(dataset, train_images, device))
        if len(_residents) > MOST_RESIDENTS:
            _residents.popitem(last=False)
    _residents.move_to_end(key)
    return _residents[key][1]


def _copy(dataset: Dataset, train_images: int, device: str) -> Resident:
    with tf.device(device):
        train = _images(dataset.train_images[:train_images], dataset.train_labels[:train_images])
        test = _images(dataset.test_images, dataset.test_labels)
        held_out = len(dataset.train_labels) > train_images
        validation = _images(dataset.train_images[train_images:], dataset.train_labels[train_images:])
    return Resident(train, validation if held_out else test, test)


def _images(images: np.ndarray, labels: np.ndarray) -> Images:
    return Images(tf.constant(images), tf.constant(labels))
