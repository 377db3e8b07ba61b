"""Networks: their sizes, their first weights, their outputs."""

import hashlib
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jobs.datasets import DatasetInfo
from jobs.estimate import estimate
from jobs.layers.convolution import Conv2D
from tests.worker.engine.listening import spec_of
from worker.engine.build import build
from worker.engine.chain import ACTIVATIONS, block
from worker.engine.network import Network
from worker.engine.pooling import library_max_pool

DIGITS = DatasetInfo(name="digits", shape=(28, 28, 1), classes=tuple("0123456789"), train_examples=10, test_examples=10)
COLOURS = DatasetInfo(name="colours", shape=(21, 15, 3), classes=tuple("abcdefg"), train_examples=10, test_examples=10)
STRIP = DatasetInfo(name="strip", shape=(1, 9, 2), classes=("a", "b"), train_examples=10, test_examples=10)

PINNED = "c6ade1beb4773014ab5e0c67d884cf617aed28bf526661eb4721b53c717d6be1"

MODELS: list[dict[str, Any]] = [
    {"type": "softmax"},
    {"type": "mlp"},
    {"type": "mlp", "hidden": [5, 4, 3], "activation": "tanh", "dropout": 0.5},
    {"type": "cnn"},
    {"type": "cnn", "filters": [3, 2, 4, 2, 3, 2], "kernel_size": 5, "dense": [6, 5], "activation": "gelu"},
]


def network(model: dict[str, Any], info: DatasetInfo) -> Network:
    return build(spec_of(model=model), info)


@pytest.mark.parametrize("info", [DIGITS, COLOURS, STRIP], ids=lambda info: info.name)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["type"])
def test_the_estimate_counts_what_is_built(model: dict[str, Any], info: DatasetInfo) -> None:
    built = network(model, info)
    weights = built.initial(0).weights
    assert tuple(w.shape for w in weights) == tuple(w.shape for w in built.described.weights)
    assert estimate(spec_of(model=model), info).parameters == sum(w.size for w in weights)
    outputs = built.forward(tuple(tf.constant(w) for w in weights), (), tf.zeros((2, info.values)))[0]
    assert outputs.shape == (2, info.outputs)


def test_the_textbook_network_has_the_textbooks_shapes() -> None:
    shapes = tuple(weight.shape for weight in network({"type": "mlp"}, DIGITS).described.weights)
    assert shapes == (
        (784, 256),
        (256,),
        (256, 128),
        (128,),
        (128, 10),
        (10,),
    )


def test_first_weights_never_change_from_one_release_to_the_next() -> None:
    weights = network({"type": "mlp"}, DIGITS).initial(42).weights
    digest = hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()
    assert digest == PINNED


def test_first_weights_have_the_variance_they_should() -> None:
    weights = network({"type": "mlp", "hidden": [400, 300]}, DIGITS).initial(1).weights
    for kernel in weights[::2]:
        assert kernel.dtype == np.float32
        assert np.abs(kernel).max() <= 1 / math.sqrt(len(kernel))
        assert np.std(kernel) == pytest.approx(1 / math.sqrt(3 * len(kernel)), rel=0.03)
        assert abs(np.mean(kernel)) < 0.1 * np.std(kernel)
    assert not any(bias.any() for bias in weights[1::2])


def test_seeds_and_layers_differ() -> None:
    built = network({"type": "mlp", "hidden": [8, 8, 8]}, DIGITS)
    a, b = built.initial(0).weights, built.initial(1).weights
    assert not np.array_equal(a[0], b[0])
    assert not np.array_equal(a[2], a[4])


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"linear"}))
def test_a_convolution_block_is_convolution_activation_pooling(activation: str) -> None:
    built = network({"type": "cnn", "filters": [3], "activation": activation}, COLOURS)
    kernel, bias, *_ = (tf.constant(w + 0.1) for w in built.initial(0).weights)
    x = tf.constant(np.random.default_rng(0).random((2, 21, 15, 3)).astype(np.float32))
    expected = tf.nn.max_pool2d(ACTIVATIONS[activation](tf.nn.conv2d(x, kernel, 1, "SAME") + bias), 2, 2, "VALID")
    (layer, *_) = (node.layer for node in built.described.nodes)
    assert isinstance(layer, Conv2D)
    np.testing.assert_allclose(block(layer, (2, 2), x, kernel, bias, library_max_pool), expected, atol=1e-6)
