"""Datasets on a device, kept there from one job to the next."""

from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from worker.datasets.memory import Dataset
from worker.engine.ids import IdRange, id_range, with_ids
from worker.engine.program import Examples

MOST_ON_DEVICE = 2
"""Datasets kept on devices; the one used longest ago makes room."""


@dataclass(frozen=True, slots=True)
class Part:
    """Examples on a device, and what their metrics need to be known of them."""

    examples: Examples
    variances: np.ndarray
    """float64 [targets]: of the standardised targets. Empty for classes."""
    class_counts: np.ndarray
    """int64 [classes]. Empty for targets."""


@dataclass(frozen=True, slots=True)
class DeviceData:
    """A dataset on a device, split for one validation share."""

    train: Part
    validation: Part
    """The examples brought for it or held out, or the very object `test` when there are none."""
    test: Part
    ids: IdRange | None = None
    """Where the examples are whole numbers to be looked up."""


_on_device: OrderedDict[tuple[int, int, str, bool], tuple[Dataset, DeviceData]] = OrderedDict()


def device_data(dataset: Dataset, train_examples: int, device: str, *, as_ids: bool = False) -> DeviceData:
    """The dataset on the device, its first `train_examples` for training and the rest held out; the examples `as_ids`
    where a network looks them up.

    The same tensors again while they are kept: copying a large dataset takes longer than a chunk.
    """
    key = (id(dataset), train_examples, device, as_ids)
    if key not in _on_device:
        # The entry holds the dataset too, so that its id stays its own.
        _on_device[key] = (dataset, _copy(dataset, train_examples, device, as_ids=as_ids))
        if len(_on_device) > MOST_ON_DEVICE:
            _on_device.popitem(last=False)
    _on_device.move_to_end(key)
    return _on_device[key][1]


def forget() -> None:
    """Keep none any longer."""
    _on_device.clear()


def _copy(dataset: Dataset, train_examples: int, device: str, *, as_ids: bool) -> DeviceData:
    whole = dataset if not as_ids else with_ids(dataset)
    data = _split(whole, train_examples, device)
    return replace(data, ids=id_range(whole)) if as_ids else data


def _split(dataset: Dataset, train_examples: int, device: str) -> DeviceData:
    x, y, classes = dataset.train_x, dataset.train_y, len(dataset.info.classes)
    with tf.device(device):
        train = _part(x[:train_examples], y[:train_examples], classes)
        test = _part(dataset.test_x, dataset.test_y, classes)
        if dataset.val_x is not None and dataset.val_y is not None:
            validation = _part(dataset.val_x, dataset.val_y, classes)
        else:
            held_out = len(y) > train_examples
            validation = _part(x[train_examples:], y[train_examples:], classes) if held_out else test
    return DeviceData(train, validation, test)


def _part(features: np.ndarray, targets: np.ndarray, classes: int) -> Part:
    return Part(
        Examples(tf.constant(features), tf.constant(targets)),
        variances=np.empty(0) if classes else targets.astype(np.float64).var(axis=0),
        class_counts=np.bincount(targets, minlength=classes) if classes else np.empty(0, np.int64),
    )
