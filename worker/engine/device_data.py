"""Datasets on a device, kept there from one job to the next."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from worker.datasets.memory import Dataset
from worker.engine.program import Images

MOST_ON_DEVICE = 2
"""Datasets kept on devices; the one used longest ago makes room."""


@dataclass(frozen=True, slots=True)
class DeviceData:
    """A dataset on a device, split for one validation share."""

    train: Images
    validation: Images
    """The images held out, or the very object `test` when there are none."""
    test: Images


_on_device: OrderedDict[tuple[int, int, str], tuple[Dataset, DeviceData]] = OrderedDict()


def device_data(dataset: Dataset, train_examples: int, device: str) -> DeviceData:
    """The dataset on the device, its first `train_examples` for training and the rest held out.

    The same tensors again while they are kept: copying a large dataset takes longer than a chunk.
    """
    key = (id(dataset), train_examples, device)
    if key not in _on_device:
        # The entry holds the dataset too, so that its id stays its own.
        _on_device[key] = (dataset, _copy(dataset, train_examples, device))
        if len(_on_device) > MOST_ON_DEVICE:
            _on_device.popitem(last=False)
    _on_device.move_to_end(key)
    return _on_device[key][1]


def forget() -> None:
    """Keep none any longer."""
    _on_device.clear()


def _copy(dataset: Dataset, train_examples: int, device: str) -> DeviceData:
    with tf.device(device):
        train = _images(dataset.train_examples[:train_examples], dataset.train_labels[:train_examples])
        test = _images(dataset.test_examples, dataset.test_labels)
        held_out = len(dataset.train_labels) > train_examples
        validation = _images(dataset.train_examples[train_examples:], dataset.train_labels[train_examples:])
    return DeviceData(train, validation if held_out else test, test)


def _images(images: np.ndarray, labels: np.ndarray) -> Images:
    return Images(tf.constant(images), tf.constant(labels))
