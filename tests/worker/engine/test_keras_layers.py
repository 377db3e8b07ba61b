"""Descriptions of networks say what Keras makes of them."""

from typing import Any

import keras
import pytest

from jobs.architecture import Architecture, describe
from jobs.datasets import DatasetInfo
from jobs.layers.catalogue import KINDS
from jobs.spec import Spec
from tests.jobs.random_networks import Json, random_network
from worker.engine import keras_layers

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


def described(model: Json, dataset: DatasetInfo) -> Architecture:
    return describe(Spec.model_validate({"model": model}), dataset)


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


def check(seeds: range) -> None:
    wrong = {}
    for seed in seeds:
        if found := differences(described(*random_network(seed))):
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
