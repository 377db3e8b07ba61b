"""Descriptions of networks say what Keras makes of them."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest

from jobs.architecture import Architecture, describe
from jobs.datasets import DatasetInfo
from jobs.layers.catalogue import KINDS
from jobs.spec import Spec
from tests.jobs.random_networks import Json, random_network
from worker.engine import keras_layers
from worker.engine.initial_weights import initial_weights

ONCE = {
    "lstm": [{"units": 3}, {"units": 2, "return_sequences": True, "use_bias": False, "go_backwards": True}],
    "gru": [{"units": 3}, {"units": 2, "reset_after": False, "recurrent_dropout": 0.5}],
    "conv2d_transpose": [
        {"filters": 2, "kernel_size": kernel, "strides": strides, "padding": padding}
        for kernel in (1, 2, 3)
        for strides in (1, [2, 3])
        for padding in ("valid", "same")
    ],
    "group_normalization": [{"groups": -1}, {"groups": 2}],
    "activation": [{"activation": "leaky_relu", "negative_slope": 0.3}],
}
"""Parameters at which Keras' rules turn."""


@pytest.fixture(autouse=True)
def no_names_are_kept() -> Any:
    """Keras counts its automatic names, and keeps every graph."""
    yield
    keras.backend.clear_session()


def described(model: Json, dataset: DatasetInfo, *, freeze: Sequence[str] = ()) -> Architecture:
    return describe(Spec.model_validate({"model": model, "freeze": freeze}), dataset)


def differences(network: Architecture) -> list[str]:
    """Where Keras disagrees with the description."""
    example = keras.Input(network.inputs, dtype="int32" if network.takes_ids else "float32")
    model = keras.Model(example, keras_layers.outputs(network.nodes, example))
    found: list[str] = []
    for node in network.nodes:
        layer = model.get_layer(node.name)
        # One that occurs twice in a graph would have two.
        if tuple(layer.output.shape) != (None, *node.output):
            found.append(f"{node.name} gives {layer.output.shape}, described as {node.output}")
        made = [(variable.path, tuple(variable.shape), variable.trainable) for variable in layer.weights]
        weights = [(weight.name, weight.shape, weight.is_trained) for weight in node.weights]
        if sorted(made) != sorted(weights) or [m for m in made if m[2]] != [w for w in weights if w[2]]:
            found.append(f"{node.name} has {made}, described as {weights}")
    counts = tuple(sum(v.value.shape.num_elements() for v in v) for v in (model.trainable_weights, _fixed(model)))
    if counts != (network.parameters, network.non_trainable_parameters):
        found.append(f"{counts} parameters, described as {network.parameters}, {network.non_trainable_parameters}")
    return found


def _fixed(model: keras.Model) -> list[Any]:
    kept = {id(variable) for variable in model.weights}
    return [variable for variable in model.non_trainable_variables if id(variable) in kept]


LARGE: dict[str, tuple[Json, tuple[int, ...]]] = {
    "batch_normalization": ({}, (9, 64)),
    "bidirectional": ({"layer": {"type": "gru", "units": 48}}, (9, 64)),
    "conv1d": ({"filters": 48, "kernel_size": 3}, (9, 64)),
    "conv2d": ({"filters": 48, "kernel_size": 3}, (9, 9, 32)),
    "conv2d_transpose": ({"filters": 48, "kernel_size": 3}, (9, 9, 32)),
    "dense": ({"units": 48}, (64,)),
    "depthwise_conv2d": ({"kernel_size": 5, "depth_multiplier": 3}, (9, 9, 32)),
    "embedding": ({"input_dim": 500, "output_dim": 16}, (9,)),
    "group_normalization": ({"groups": 4}, (9, 64)),
    "gru": ({"units": 48}, (9, 64)),
    "layer_normalization": ({}, (9, 64)),
    "lstm": ({"units": 48}, (9, 64)),
    "multi_head_attention": ({"num_heads": 4, "key_dim": 24, "value_dim": 40}, (9, 64)),
    "separable_conv2d": ({"kernel_size": 5, "filters": 48, "depth_multiplier": 3}, (9, 9, 32)),
    "simple_rnn": ({"units": 48}, (9, 64)),
}
"""Of each kind that has weights one with many, and the shape that it takes."""


def alone(kind: str, *, freeze: Sequence[str] = ()) -> Architecture:
    """A network of such a layer, with what makes outputs of it."""
    parameters, shape = LARGE[kind]
    info = DatasetInfo(
        name="rows@1",
        kind="arrays",
        shape=shape,
        classes=("a", "b"),
        train_examples=9,
        test_examples=9,
        array_dtype="uint8" if kind == "embedding" else "float32",
    )
    layers = [{"type": kind, "name": "one", **parameters}, {"type": "flatten"}, {"type": "dense", "name": "told"}]
    return described({"type": "layers", "layers": layers}, info, freeze=freeze)


def test_every_kind_with_weights_is_here() -> None:
    assert {kind for kind in LARGE if any(node.weights for node in alone(kind).nodes[:1])} == LARGE.keys()
    seen = {node.layer.type for seed in range(60) for node in described(*random_network(seed)).nodes if node.weights}
    assert seen <= LARGE.keys()


@pytest.mark.parametrize("kind", LARGE)
def test_weights_begin_as_large_as_kerases(kind: str) -> None:
    network = alone(kind)
    example = keras.Input(network.inputs, dtype="int32" if network.takes_ids else "float32")
    model: Any = keras.Model(example, keras_layers.outputs(network.nodes, example))
    theirs = {variable.path: variable.numpy() for variable in model.get_layer("one").weights}
    for weight, value in zip(network.weights, initial_weights(network, 1), strict=True):
        if weight.name in theirs:
            np.testing.assert_allclose(np.std(value), np.std(theirs[weight.name]), rtol=0.1, err_msg=weight.name)
            apart = abs(float(np.mean(value)) - float(np.mean(theirs[weight.name])))
            assert apart <= 0.1 * float(np.std(value)), weight.name


@pytest.mark.parametrize("kind", LARGE)
def test_every_kind_can_be_frozen(kind: str) -> None:
    network = alone(kind, freeze=["one"])
    assert not differences(network)
    assert {weight.name for weight in network.trained} == {"told/kernel", "told/bias"}


def check(seeds: range) -> None:
    wrong = {}
    for seed in seeds:
        network = described(*random_network(seed))
        found = differences(network)
        freeze = [node.name for node in network.nodes if node.weights][seed % 2 :: 2]
        if network.parameters > sum(node.parameters for node in network.nodes if node.name in freeze):
            found += differences(described(*random_network(seed), freeze=freeze))
        if found:
            wrong[seed] = found
    assert not wrong


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_random_networks_are_what_keras_makes_of_them(start: int) -> None:
    check(range(start, start + 20))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_300_random_networks_are_what_keras_makes_of_them() -> None:
    check(range(60, 300))


def test_random_networks_have_every_kind() -> None:
    models = [random_network(seed)[0] for seed in range(60)]
    assert {layer["type"] for model in models for layer in model["layers"]} == KINDS.keys()


@pytest.mark.parametrize(("kind", "parameters"), [(kind, each) for kind, these in ONCE.items() for each in these])
def test_parameters_at_which_keras_rules_turn(kind: str, parameters: Json) -> None:
    shape = (5, 4) if kind in ("lstm", "gru") else (5, 6, 4)
    dataset = DatasetInfo(name="d", kind="arrays", shape=shape, classes=("a", "b"), train_examples=9, test_examples=9)
    layers = [{"type": kind, **parameters}, {"type": "flatten"}, {"type": "dense"}]
    assert differences(described({"type": "layers", "layers": layers}, dataset)) == []
