"""Keras models become layers of a spec: what they tell is the same, and what has no counterpart is named."""

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import gradientd
from gradientd.conversion.errors import NotConvertible
from gradientd.conversion.keras_models import ConvertedModel, from_keras
from jobs.architecture import Architecture, describe
from jobs.datasets import DatasetInfo
from jobs.spec import Layers, Spec
from tests.gradientd.conversion.examples import EXAMPLES, structured, xception
from worker.engine.keras_layers import outputs

EXAMPLES_TOLD = 16


def shaken(model: Any, *, seed: int = 5) -> Any:
    """The model with all its weights changed, moving statistics and biases too."""
    generator = np.random.default_rng(seed)
    model.set_weights(
        [
            np.abs(w + generator.normal(0, 0.1, w.shape).astype(np.float32))
            if "var" in v.path
            else w + generator.normal(0, 0.1, w.shape)
            for v, w in zip(model.weights, model.get_weights(), strict=True)
        ]
    )
    return model


def described(converted: ConvertedModel, *, classes: int) -> Architecture:
    """The network that a server makes of it."""
    shape = converted.input_shape
    info = DatasetInfo(
        name="d",
        kind="images" if len(shape) == 3 else "arrays",
        shape=shape,
        classes=tuple(map(str, range(classes))),
        train_examples=10,
        test_examples=10,
    )
    spec = Spec.model_validate({"model": converted.model, "loss": "cross_entropy", "freeze": converted.freeze})
    return describe(spec, info)


def told(network: Architecture, converted: ConvertedModel, examples: np.ndarray) -> np.ndarray:
    """The probabilities that a described network with these weights gives."""
    example = keras.Input(network.inputs, dtype=str(examples.dtype))
    model: Any = keras.Model(example, keras.ops.softmax(outputs(network.nodes, example)))
    for node in network.nodes:
        if node.weights:
            model.get_layer(node.name).set_weights([converted.weights[weight.name] for weight in node.weights])
    return np.asarray(model.predict(examples, verbose=0))


def examples_of(model: Any) -> np.ndarray:
    """Examples of a model's shape: pixels, numbers to be looked up, or others."""
    shape, generator = (EXAMPLES_TOLD, *model.input_shape[1:]), np.random.default_rng(3)
    if model.inputs[0].dtype == "int32":
        return generator.integers(0, 50, shape, np.int32)
    return (
        generator.uniform(0, 255, shape).astype(np.float32)
        if len(shape) == 4
        else generator.normal(0, 1, shape).astype(np.float32)
    )


@pytest.mark.parametrize("make", EXAMPLES.values(), ids=EXAMPLES)
def test_a_model_of_keras_examples_tells_the_same(make: Callable[[], Any]) -> None:
    model = shaken(make())
    converted = from_keras(model)
    given = examples_of(model)
    expected = np.asarray(model.predict(given, verbose=0))
    network = described(converted, classes=max(2, expected.shape[1]))
    sent = given / 255 if len(model.input_shape) == 4 else given
    found = told(network, converted, sent)
    np.testing.assert_allclose(found[:, -expected.shape[1] :], expected, atol=1e-5)
    assert expected.std() > 1e-3
    assert [weight.name for weight in network.weights] == list(converted.weights)


def test_what_was_changed_is_noted_and_what_is_not_trainable_is_told() -> None:
    model = xception()
    model.layers[2].trainable = False
    model.get_layer("head").trainable = False
    converted = from_keras(model)
    first, last = converted.model["layers"][0], converted.model["layers"][-1]
    assert (first["type"], last["type"], last.get("activation")) == ("conv2d", "dense", None)
    assert converted.freeze == (first["name"], last["name"])
    assert ["scales pixels by 1/255" in converted.notes[0], "softmax" in converted.notes[1]] == [True, True]
    assert described(converted, classes=5).nodes[0].is_frozen


def test_parameters_initializers_and_regularizers_are_carried_over() -> None:
    first, _, _, second, slope, last = from_keras(structured()).model["layers"]
    assert first["kernel_regularizer"] == {"l2": 0.001}
    assert second["kernel_initializer"]["stddev"] == 0.1
    assert slope["negative_slope"] == 0.1
    assert (last["units"], "activation" in last) == (2, False)


def test_a_model_is_a_specs_model_and_its_weights_a_file() -> None:
    converted = from_keras(structured())
    assert isinstance(Spec.model_validate({"model": converted.model}).model, Layers)
    file = io.BytesIO()
    converted.save_weights(file)
    file.seek(0)
    with np.load(file) as arrays:
        assert {name: array.shape for name, array in arrays.items()} == {
            name: array.shape for name, array in converted.weights.items()
        }
    assert repr(converted) == "<a network of 6 layers, 1,138 values>"


STEPS = (12, 5)


def of(*made: Any, shape: tuple[int | None, ...] = (8, 8, 3)) -> Any:
    return keras.Sequential([keras.Input(shape), *made])


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (lambda: layers.LeakyReLU(0.3), {"activation": "leaky_relu", "negative_slope": 0.3}),
        (lambda: layers.ReLU(max_value=6), {"activation": "relu6"}),
        (layers.ELU, {"activation": "elu"}),
    ],
)
def test_an_activation_that_is_given_as_a_layer_is_that(layer: Callable[[], Any], expected: dict[str, Any]) -> None:
    (found,) = from_keras(of(layers.Activation(layer(), name="a"))).model["layers"]
    assert found == {"type": "activation", "name": "a", **expected}


def two_uses() -> Any:
    dense, x = layers.Dense(4, name="twice"), keras.Input((4,))
    return keras.Model(x, dense(dense(x)))


def two_inputs() -> Any:
    one, other = keras.Input((4,)), keras.Input((4,))
    return keras.Model([one, other], layers.add([one, other]))


def two_outputs() -> Any:
    x = keras.Input((4,))
    return keras.Model(x, [layers.Dense(1)(x), layers.Dense(2)(x)])


def with_state() -> Any:
    x = keras.Input((4, 3))
    state = layers.Dense(5, name="state")(layers.Flatten()(x))
    return keras.Model(x, layers.GRU(5, name="gru")(x, initial_state=state))


def squared(x: Any) -> Any:
    return x * x


class Squares(layers.Layer):
    """A layer of a user's own."""

    def call(self, x: Any) -> Any:
        return x * x


class OwnActivation:
    """An activation of a user's own that is no function."""

    def __call__(self, x: Any) -> Any:
        return x * x


class Squaring(OwnActivation):
    """One that Keras can write."""

    def get_config(self) -> dict[str, Any]:
        return {}


class Program(keras.Model):
    """A model whose calls are code."""

    def call(self, x: Any) -> Any:
        return x


REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "lambda": (lambda: of(layers.Lambda(squared, name="f")), "f", "function of your own"),
    "custom": (lambda: of(Squares(name="mine")), "mine", "a layer of your own"),
    "own activation": (lambda: of(layers.Dense(2, activation=squared, name="d")), "d", "function of your own"),
    "lambda as activation": (
        lambda: of(layers.Activation(lambda x: x * x, name="a")),
        "a",
        "has an activation that no spec can say: it is a function of your own",
    ),
    "object as activation": (
        lambda: of(layers.Dense(2, activation=Squaring(), name="d")),
        "d",
        "has an activation that no spec can say: it is an object of your own, Squaring",
    ),
    "object that Keras cannot write": (
        lambda: of(layers.Activation(OwnActivation(), name="a")),
        "a",
        "code of your own",
    ),
    "layer as activation": (
        lambda: of(layers.Dense(2, activation=layers.LeakyReLU(0.3), name="d")),
        "d",
        "it is a layer, LeakyReLU: name one of Keras' functions, or put that layer behind",
    ),
    "layer with weights as activation": (
        lambda: of(layers.Activation(layers.PReLU(), name="a")),
        "a",
        "it is a layer, PReLU",
    ),
    "kind": (lambda: of(layers.UnitNormalization(name="u")), "u", "has no counterpart"),
    "augmentation": (lambda: of(layers.RandomFlip(name="flip")), "flip", "its field augmentation"),
    "scale": (lambda: of(layers.Rescaling(1 / 127.5, offset=-1, name="scale")), "scale", "Rescaling(1 / 255)"),
    "scale of rows": (lambda: of(layers.Rescaling(1 / 255, name="scale"), shape=(4,)), "scale", "send the data as"),
    "constraint": (lambda: of(layers.Dense(2, kernel_constraint="non_neg", name="d")), "d", "kernel_constraint"),
    "regularizer": (
        lambda: of(layers.Dense(4, kernel_regularizer="orthogonal_regularizer", name="d")),
        "d",
        "no regularizer",
    ),
    "activity": (lambda: of(layers.Dense(2, activity_regularizer="l2", name="d")), "d", "activity_regularizer"),
    "channels first": (
        lambda: of(layers.GlobalMaxPooling2D(data_format="channels_first", name="p")),
        "p",
        "data_format",
    ),
    "relu": (lambda: of(layers.ReLU(max_value=3.0, name="r")), "r", "max_value 3"),
    "prelu": (lambda: of(layers.PReLU(name="p")), "p", "learns its slope"),
    "axis": (lambda: of(layers.BatchNormalization(axis=1, name="n")), "n", "has axis 1"),
    "mask": (lambda: of(layers.Embedding(9, 2, mask_zero=True, name="e"), shape=(4,)), "e", "takes masks"),
    "masking": (
        lambda: keras.Sequential([keras.Input((4, 2)), layers.Masking(name="m"), layers.LSTM(2), layers.Dense(2)]),
        "m",
        "makes masks",
    ),
    "stateful": (
        lambda: keras.Sequential([keras.Input((4, 2), batch_size=3), layers.LSTM(2, stateful=True, name="l")]),
        "l",
        "stateful",
    ),
    "state": (with_state, "gru", "called with initial_state"),
    "both ways": (
        lambda: of(
            layers.Bidirectional(
                layers.LSTM(2), backward_layer=layers.LSTM(2, use_bias=False, go_backwards=True), name="b"
            ),
            shape=(4, 3),
        ),
        "b",
        "two different layers",
    ),
    "shared": (two_uses, "twice", "called more than once"),
    "bounds": (lambda: of(layers.Dropout(0.99, name="d"), layers.Flatten()), "d", "rate 0.99"),
    "inputs": (two_inputs, "", "has 2 inputs"),
    "outputs": (two_outputs, "", "has 2 outputs"),
    "any size": (lambda: of(layers.Conv2D(2, 3), shape=(None, None, 3)), "", "have one shape"),
    "unbuilt": (lambda: keras.Sequential([layers.Dense(2)]), "", "begin it with keras.Input"),
    "program": (Program, "", "whose calls are code"),
    "several sigmoids": (
        lambda: of(layers.Dense(3, activation="sigmoid", name="d"), shape=(4,)),
        "d",
        "a value for each",
    ),
    "sigmoid of no dense layer": (
        lambda: of(
            layers.Conv1D(1, 3), layers.GlobalAveragePooling1D(), layers.Activation("sigmoid", name="end"), shape=STEPS
        ),
        "end",
        "a sigmoid that is not a Dense layer's",
    ),
    "no model": (lambda: 3, "", "is no Keras model"),
}


@pytest.mark.parametrize(("make", "layer", "said"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_counterpart_is_refused_by_name(make: Callable[[], Any], layer: str, said: str) -> None:
    with pytest.raises(NotConvertible) as caught:
        from_keras(make())
    assert said in str(caught.value)
    assert caught.value.layer == layer
    assert isinstance(caught.value, ValueError)


def inner() -> Any:
    one, other = keras.Input(STEPS), keras.Input(STEPS)
    return keras.Model([one, other], layers.add([one, other]), name="inner")


CONSTANTS: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "mask": (
        lambda x: layers.MultiHeadAttention(2, 3, name="a")(x, x, attention_mask=np.ones((1, 12, 12), bool)),
        "a",
        "is called with attention_mask",
    ),
    "value": (
        lambda x: layers.MultiHeadAttention(1, 2, name="a")(x, keras.ops.ones((1, 3, 5))),
        "a",
        "is called with a constant, of shape (1, 3, 5)",
    ),
    "value by name": (
        lambda x: layers.MultiHeadAttention(1, 2, name="a")(x, value=keras.ops.ones((1, 3, 5))),
        "a",
        "is called with a constant, of shape (1, 3, 5)",
    ),
    "summand": (
        lambda x: layers.Add(name="s")([x, keras.ops.ones((1, 12, 5))]),
        "s",
        "is called with a constant, of shape (1, 12, 5)",
    ),
    "concatenated": (
        lambda x: layers.Concatenate(name="c")([x, np.ones((1, 12, 5), np.float32)]),
        "c",
        "is called with a constant",
    ),
    "state": (
        lambda x: layers.LSTM(2, name="l")(x, [keras.ops.ones((1, 2))] * 2),
        "l",
        "is called with a constant, of shape (1, 2)",
    ),
    "model": (lambda x: inner()([x, keras.ops.ones((1, 12, 5))]), "inner", "is called with a constant"),
}


@pytest.mark.parametrize(("call", "layer", "said"), CONSTANTS.values(), ids=CONSTANTS)
def test_a_layer_called_with_a_constant_is_refused(call: Callable[[Any], Any], layer: str, said: str) -> None:
    x = keras.Input(STEPS)
    with pytest.raises(NotConvertible) as caught:
        from_keras(keras.Model(x, call(x)))
    assert said in str(caught.value)
    assert caught.value.layer == layer


def test_an_attention_of_ones_own_is_refused_as_such() -> None:
    attention: Any = type("MultiHeadAttention", (Squares,), {})
    with pytest.raises(NotConvertible, match="a layer of your own"):
        from_keras(of(attention(name="mine")))


def test_an_operation_with_a_constant_is_refused() -> None:
    x: Any = keras.Input((4,))
    with pytest.raises(NotConvertible, match="with a constant"):
        from_keras(keras.Model(x, x + 1.0))


def test_a_layer_without_weights_may_be_used_twice_and_names_are_what_a_spec_can_have() -> None:
    x, relu = keras.Input((4,)), layers.ReLU(name="input")
    y = relu(layers.Dense(4, name="1 a b")(relu(x)))
    found = from_keras(keras.Model(x, layers.Dense(2, name="Output")(y)))
    assert [layer["name"] for layer in found.model["layers"]] == ["input_2", "layer_1_a_b", "input_3", "Output"]
    described(found, classes=2)


def test_a_base_model_that_is_frozen_and_called_without_training() -> None:
    base = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3), layers.BatchNormalization(), layers.Dropout(0.5)], name="base"
    )
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(2)(base(x, training=False)))
    with pytest.raises(NotConvertible, match="set its trainable to False"):
        from_keras(model)
    base.trainable = False
    found = from_keras(model)
    assert [layer["type"] for layer in found.model["layers"]] == ["dense", "batch_normalization", "dense"]
    assert len(found.freeze) == 2


def test_the_package_offers_it_without_importing_numpy_or_keras() -> None:
    program = (
        "import sys, gradientd; print([name for name in ('numpy', 'keras') if name in sys.modules]);"
        "gradientd.from_keras; print([name for name in ('numpy', 'keras') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "[]\n['numpy']\n"
    assert (gradientd.from_keras, gradientd.NotConvertible) == (from_keras, NotConvertible)


def test_a_layer_that_computes_in_other_numbers_is_told() -> None:
    net = keras.Sequential([keras.Input((4,)), layers.Dense(3, dtype="mixed_bfloat16", name="half"), layers.Dense(2)])
    assert ["half" in note and "bfloat16" in note for note in from_keras(net).notes] == [True]
