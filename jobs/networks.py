"""Networks for images and sequences, whose sizes follow the data: the presets `resnet-small`, `lstm` and `attention`,
with a reason for each choice."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from jobs.automatic import Choice, loss, stopping
from jobs.datasets import DatasetInfo
from jobs.errors import InvalidSpec
from jobs.layers.base import words

LEAST_SIDE = 8
"""Pixels of an image that the residual network can halve twice."""
BLOCK_SIDE = 16
"""Pixels, about, that are left of an image's shorter side for the first residual block."""
MOST_FLATTENED = 4096
"""Values of a whole sequence that the last layer sees; of a longer one it sees the mean of its steps."""
PATIENCE = 5

Fields = dict[str, Any]


def resnet_small(dataset: DatasetInfo, given: Mapping[str, Any]) -> Iterator[Choice]:
    """A residual network (He et al. 2016) of three blocks. Raises InvalidSpec for what is no image it can take."""
    if "model" not in given:
        _check_image(dataset)
        height, width, _ = dataset.shape
        yield Choice(field="model", value=_residual(height, width), reason=f"images of {height} x {width}")
    yield loss(dataset)
    if dataset.task == "classification" and "model" not in given:
        shift = min(16, max(1, round(min(dataset.shape[:2]) / 16)))
        yield Choice(
            field="augmentation", value={"shift_pixels": shift}, reason="a class stays what it is when it is moved"
        )
    yield from _pace(dataset, rate=0.003, epochs=(40, 12, 5))
    yield from stopping(dataset, given, patience=PATIENCE)


def lstm(dataset: DatasetInfo, given: Mapping[str, Any]) -> Iterator[Choice]:
    """A recurrent network (Hochreiter and Schmidhuber 1997). Raises InvalidSpec for what is no sequence."""
    if "model" not in given:
        steps, features, first = _sequence(dataset, "lstm")
        units = 64 if dataset.train_examples <= 20_000 else 128
        layers = [*first, {"type": "lstm", "units": units}, {"type": "dropout", "rate": 0.1}, {"type": "dense"}]
        yield Choice(field="model", value=_network(layers), reason=_told(steps, features, dataset))
    yield loss(dataset)
    yield from _pace(dataset, rate=0.005, epochs=(60, 20, 8))
    yield from stopping(dataset, given, patience=PATIENCE)


def attention(dataset: DatasetInfo, given: Mapping[str, Any]) -> Iterator[Choice]:
    """Two blocks of an encoder (Vaswani et al. 2017). Raises InvalidSpec for what is no sequence."""
    if "model" not in given:
        steps, features, first = _sequence(dataset, "attention")
        width = 32 if dataset.train_examples <= 20_000 else 64
        yield Choice(
            field="model",
            value=_network([*first, *_encoder(steps, width), {"type": "dropout", "rate": 0.1}, {"type": "dense"}]),
            reason=_told(steps, features, dataset),
        )
    yield loss(dataset)
    yield from _pace(dataset, rate=0.002, epochs=(60, 20, 8))
    yield from stopping(dataset, given, patience=PATIENCE)


# --- their layers ---------------------------------------------------------------------------------


def _network(layers: list[Fields]) -> Fields:
    return {"type": "layers", "layers": layers}


def _residual(height: int, width: int) -> Fields:
    """A stem that brings the image to some 16 pixels, and blocks that halve it twice."""
    halvings = max(0, math.ceil(math.log2(min(height, width) / BLOCK_SIDE)))
    stem = _convolution("stem", 16, 3, strides=2 if halvings > 1 else 1)
    layers = [*stem, {"type": "activation", "name": "stem_relu", "activation": "relu"}]
    if pooled := halvings - (halvings > 1):
        layers.append({"type": "max_pooling", "name": "stem_pool", "pool_size": 2**pooled})
    channels = 16
    for number, filters in enumerate((16, 32, 64), 1):
        layers += _block(f"block_{number}", channels, filters, before=layers[-1]["name"])
        channels = filters
    return _network([*layers, {"type": "global_average_pooling", "name": "pool"}, {"type": "dense", "name": "output"}])


def _convolution(name: str, filters: int, size: int, *, strides: int = 1, before: str = "") -> list[Fields]:
    """A convolution, and its normalization."""
    convolution: Fields = {
        "type": "conv2d",
        "name": f"{name}_conv",
        "filters": filters,
        "kernel_size": size,
        "strides": strides,
        "padding": "same",
        "use_bias": False,
        "kernel_initializer": "he_normal",
        **({"inputs": [before]} if before else {}),
    }
    return [convolution, {"type": "batch_normalization", "name": f"{name}_norm", "momentum": 0.9}]


def _block(name: str, channels: int, filters: int, *, before: str) -> list[Fields]:
    """Two convolutions beside the way that leaves what comes as it is, or as it must be to be added."""
    is_changed = filters != channels
    layers = [
        *_convolution(f"{name}_a", filters, 3, strides=2 if is_changed else 1),
        {"type": "activation", "name": f"{name}_a_relu", "activation": "relu"},
        *_convolution(f"{name}_b", filters, 3),
    ]
    beside = before
    if is_changed:
        layers += _convolution(f"{name}_beside", filters, 1, strides=2, before=before)
        beside = f"{name}_beside_norm"
    return [
        *layers,
        {"type": "add", "name": f"{name}_sum", "inputs": [f"{name}_b_norm", beside]},
        {"type": "activation", "name": f"{name}_relu", "activation": "relu"},
    ]


def _encoder(steps: int, width: int) -> list[Fields]:
    """A window over the steps, by which they know their neighbours; blocks of attention; and what is told of all."""
    layers: list[Fields] = [
        {"type": "conv1d", "name": "window", "filters": width, "kernel_size": 3, "padding": "same"},
    ]
    before = "window"
    for number in (1, 2):
        name = f"block_{number}"
        layers += [
            {"type": "layer_normalization", "name": f"{name}_norm"},
            {"type": "multi_head_attention", "name": f"{name}_look", "num_heads": 4, "key_dim": width // 4},
            {"type": "add", "name": f"{name}_seen", "inputs": [before, f"{name}_look"]},
            {"type": "layer_normalization", "name": f"{name}_seen_norm"},
            {"type": "dense", "name": f"{name}_wide", "units": 2 * width, "activation": "gelu"},
            {"type": "dense", "name": f"{name}_narrow", "units": width},
            {"type": "add", "name": f"{name}_sum", "inputs": [f"{name}_seen", f"{name}_narrow"]},
        ]
        before = f"{name}_sum"
    last = "flatten" if steps * width <= MOST_FLATTENED else "global_average_pooling"
    return [*layers, {"type": "layer_normalization", "name": "norm"}, {"type": last, "name": "all"}]


# --- what the data are ----------------------------------------------------------------------------


def _check_image(dataset: DatasetInfo) -> None:
    if dataset.kind != "images":
        raise InvalidSpec(
            f"the preset resnet-small is for images, and {dataset.name} has {_what(dataset)}", pointer="/preset"
        )
    if min(dataset.shape[:2]) < LEAST_SIDE:
        raise InvalidSpec(
            f"the preset resnet-small is for images of {LEAST_SIDE} x {LEAST_SIDE} pixels or more, and {dataset.name} "
            f"has {_what(dataset)}",
            pointer="/preset",
        )


def _sequence(dataset: DatasetInfo, preset: str) -> tuple[int, int, list[Fields]]:
    """Steps, features of each, and the layer that makes such a sequence of an example; an image's rows are steps."""
    if dataset.kind == "images":
        height, width, channels = dataset.shape
        return height, width * channels, [{"type": "reshape", "name": "rows", "target_shape": [height, -1]}]
    if dataset.kind == "arrays" and len(dataset.shape) == 2:
        return *dataset.shape, []
    raise InvalidSpec(
        f"the preset {preset} is for sequences: arrays of steps x features, or images, whose rows are the steps; "
        f"{dataset.name} has {_what(dataset)}",
        pointer="/preset",
    )


def _what(dataset: DatasetInfo) -> str:
    if dataset.kind == "table":
        return "rows of a table"
    return f"{dataset.kind} of {words(dataset.shape)}"


def _told(steps: int, features: int, dataset: DatasetInfo) -> str:
    return f"{steps:,} steps of {features:,} features, {dataset.train_examples:,} training examples"


def _pace(dataset: DatasetInfo, *, rate: float, epochs: tuple[int, int, int]) -> Iterator[Choice]:
    """Optimizer, schedule, batch size and epochs: for few examples, for more, and for many."""
    examples = dataset.train_examples
    yield Choice(field="optimizer", value={"type": "adam", "learning_rate": rate}, reason="learns without tuning")
    yield Choice(field="schedule", value={"type": "one_cycle"}, reason="large steps first, small ones at the end")
    size = 32 if examples <= 20_000 else 128
    yield Choice(field="batch_size", value=size, reason=f"{examples:,} training examples")
    most = epochs[0] if examples <= 2_000 else epochs[1] if examples <= 20_000 else epochs[2]
    yield Choice(field="epochs", value=most, reason=f"at most, for {examples:,} training examples")
