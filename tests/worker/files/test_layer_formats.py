"""Each kind of layer leaves in the formats that it claims: what other programs compute of it is what Keras does."""

import math
import tarfile
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from jobs.architecture import Architecture, describe
from jobs.datasets import DatasetInfo
from jobs.inputs import ArrayEncoding
from jobs.layers.activations import Activation
from jobs.layers.base import FORMATS
from jobs.layers.catalogue import KINDS
from jobs.model_encoding import ModelEncoding
from jobs.spec import Spec
from tests.jobs.random_networks import MERGES, Json
from worker.datasets.memory import Dataset
from worker.engine.build import build
from worker.engine.ids import with_ids
from worker.engine.initial_weights import initial_weights
from worker.files.exports import write_export
from worker.files.keras_model import keras_model

STEPS, IMAGES = (6, 4), (6, 5, 4)
EXAMPLES = 16
LSTM: Json = {"type": "lstm", "units": 3, "return_sequences": True}

ALONE: list[tuple[tuple[int, ...], Json]] = [
    (STEPS, {"type": "dense", "units": 3}),
    (STEPS, {"type": "conv1d", "filters": 3, "kernel_size": 2, "padding": "causal"}),
    (STEPS, {"type": "conv1d", "filters": 3, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}),
    (STEPS, {"type": "conv1d", "filters": 4, "kernel_size": 2, "groups": 2}),
    (IMAGES, {"type": "conv2d", "filters": 3, "kernel_size": 2, "strides": 2}),
    (IMAGES, {"type": "conv2d", "filters": 3, "kernel_size": 2, "dilation_rate": 2}),
    (IMAGES, {"type": "conv2d", "filters": 4, "kernel_size": 2, "groups": 2}),
    (IMAGES, {"type": "depthwise_conv2d", "kernel_size": 2, "depth_multiplier": 2}),
    (IMAGES, {"type": "depthwise_conv2d", "kernel_size": 2, "dilation_rate": 2}),
    (IMAGES, {"type": "separable_conv2d", "filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"}),
    (IMAGES, {"type": "separable_conv2d", "filters": 3, "kernel_size": 2, "dilation_rate": 2}),
    (IMAGES, {"type": "conv2d_transpose", "filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}),
    (IMAGES, {"type": "conv2d_transpose", "filters": 3, "kernel_size": 3, "strides": 2}),
    (IMAGES, {"type": "conv2d_transpose", "filters": 3, "kernel_size": 2, "dilation_rate": 2}),
    (IMAGES, {"type": "conv2d_transpose", "filters": 3, "kernel_size": 1, "strides": 2}),
    *[
        (shape, {"type": kind, **parameters})
        for shape in (STEPS, IMAGES)
        for kind in ("max_pooling", "average_pooling")
        for parameters in ({}, {"pool_size": 3, "strides": 1, "padding": "same"})
    ],
    *[
        (shape, {"type": kind, "keepdims": keepdims})
        for shape, keepdims in ((STEPS, False), (IMAGES, True))
        for kind in ("global_max_pooling", "global_average_pooling")
    ],
    (STEPS, {"type": "flatten"}),
    (STEPS, {"type": "reshape", "target_shape": [-1, 3]}),
    (STEPS, {"type": "permute", "dims": [2, 1]}),
    (IMAGES, {"type": "permute", "dims": [3, 1, 2]}),
    (STEPS, {"type": "zero_padding", "padding": [1, 2]}),
    (IMAGES, {"type": "zero_padding", "padding": [[1, 2], [0, 1]]}),
    (STEPS, {"type": "cropping", "cropping": [1, 2]}),
    (IMAGES, {"type": "cropping", "cropping": 1}),
    (STEPS, {"type": "up_sampling"}),
    (IMAGES, {"type": "up_sampling"}),
    (IMAGES, {"type": "up_sampling", "interpolation": "bilinear"}),
    (STEPS, {"type": "dropout", "rate": 0.5}),
    (STEPS, {"type": "spatial_dropout", "rate": 0.5}),
    (STEPS, {"type": "gaussian_noise", "stddev": 0.5}),
    *[(shape, {"type": f"{kind}_normalization"}) for shape in (STEPS, IMAGES) for kind in ("batch", "layer")],
    *[(shape, {"type": "group_normalization", "groups": 2}) for shape in (STEPS, IMAGES)],
    *[(STEPS, {"type": kind}) for kind in (*MERGES, "concatenate")],
    (IMAGES, {"type": "concatenate", "axis": 1}),
    (STEPS, {"type": "embedding", "input_dim": 300, "output_dim": 3}),
    (IMAGES, {"type": "embedding", "input_dim": 256, "output_dim": 3}),
    (STEPS, LSTM),
    (STEPS, {"type": "lstm", "units": 3, "go_backwards": True, "dropout": 0.3, "recurrent_dropout": 0.3}),
    (STEPS, {"type": "gru", "units": 3}),
    (STEPS, {"type": "gru", "units": 3, "activation": "gelu", "recurrent_activation": "hard_sigmoid"}),
    (STEPS, {"type": "gru", "units": 3, "reset_after": False, "return_sequences": True}),
    (STEPS, {"type": "simple_rnn", "units": 3, "return_sequences": True}),
    (STEPS, {"type": "bidirectional", "layer": LSTM}),
    (STEPS, {"type": "bidirectional", "layer": {"type": "gru", "units": 3}, "merge_mode": "mul"}),
    (STEPS, {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3}),
    (STEPS, {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3, "value_dim": 2, "use_causal_mask": True}),
    (STEPS, {"type": "activation", "activation": "leaky_relu", "negative_slope": 0.3}),
]
ALWAYS: list[tuple[tuple[int, ...], Json]] = [
    (STEPS, {"type": "conv1d", "filters": 4, "kernel_size": 2, "groups": 2}),
    (STEPS, {"type": "embedding", "input_dim": 300, "output_dim": 3}),
    (STEPS, LSTM),
    (STEPS, {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3}),
]
"""Those that are tried every time."""


def alone(layer: Json) -> list[Json]:
    """The layer in a small network."""
    end: list[Json] = [{"type": "flatten"}, {"type": "dense"}]
    if layer["type"] == "embedding":
        return [layer, *end]
    first: list[Json] = [{"type": "activation", "activation": "linear", "name": "first"}]
    if KINDS[layer["type"]].takes[0] > 1:
        first.append({"type": "activation", "activation": "tanh", "name": "second"})
        return [*first, {**layer, "inputs": ["first", "second"]}, *end]
    return [*first, layer, *end]


def dataset_of(shape: tuple[int, ...], *, ids: bool) -> Dataset:
    """Images, or arrays that were standardised: of whole numbers, where these are looked up."""
    rng = np.random.default_rng(3)
    is_image, size = len(shape) == 3, math.prod(shape)
    info = DatasetInfo(
        name="made-up",
        kind="images" if is_image else "arrays",
        shape=shape,
        classes=("a", "b", "c"),
        train_examples=EXAMPLES,
        test_examples=EXAMPLES,
    )
    labels = np.zeros(EXAMPLES, np.int32)
    if is_image:
        x = rng.integers(0, 256, (EXAMPLES, size)).astype(np.uint8)
        return Dataset(info, x, labels, x, labels)
    raw = rng.integers(0, 300, (EXAMPLES, size)).astype(np.float64) if ids else rng.normal(5, 3, (EXAMPLES, size))
    arrays = ArrayEncoding(mean=tuple(raw.mean(axis=0)), std=tuple(raw.std(axis=0)))
    x = ((raw - arrays.mean) / arrays.std).astype(np.float32)
    return Dataset(info, x, labels, x, labels, encoding=ModelEncoding.of(info, arrays=arrays))


def model_of(layers: list[Json], dataset: Dataset) -> tuple[Architecture, dict[str, np.ndarray], keras.Model]:
    spec = Spec.model_validate({"model": {"type": "layers", "layers": layers}, "loss": "cross_entropy"})
    network = describe(spec, dataset.info)
    drawn = initial_weights(network, 1)
    weights = {weight.name: values for weight, values in zip(network.weights, drawn, strict=True)}
    arrays = dataset.encoding.arrays if dataset.encoding else None
    return network, weights, keras_model(spec, dataset.info, network, weights, encoding=arrays)


def told_by(path: Path, wanted: str, inputs: np.ndarray) -> np.ndarray:
    """What another program says of a file."""
    match wanted:
        case "keras":
            loaded: Any = keras.saving.load_model(path)
            return np.asarray(loaded(inputs))
        case "onnx":
            session: Any = onnxruntime.InferenceSession(path)
            return session.run(None, {"features": inputs})[0]
        case "tflite":
            lite = tf.lite.Interpreter(str(path))
            lite.resize_tensor_input(lite.get_input_details()[0]["index"], (1, *inputs.shape[1:]))
            lite.allocate_tensors()
            return np.concatenate([_told_by_lite(lite, one[None]) for one in inputs])
        case _:
            with tarfile.open(path) as archive:
                archive.extractall(path.parent, filter="data")
            served: Any = tf.saved_model.load(str(path.parent / "saved_model"))
            return np.asarray(served.serve(inputs))


def _told_by_lite(lite: Any, one: np.ndarray) -> np.ndarray:
    lite.set_tensor(lite.get_input_details()[0]["index"], one)
    lite.invoke()
    return lite.get_tensor(lite.get_output_details()[0]["index"])


def check(shape: tuple[int, ...], layer: Json, folder: Path) -> None:
    dataset = dataset_of(shape, ids=layer["type"] == "embedding")
    network, _, model = model_of(alone(layer), dataset)
    inputs = dataset.test_x.reshape(-1, *shape)
    right = np.asarray(model(inputs))
    for wanted in sorted(network.formats):
        if wanted != "tflite_int8":
            path = write_export(model, dataset, wanted, folder)  # type: ignore[arg-type]
            np.testing.assert_allclose(told_by(path, wanted, inputs), right, rtol=0, atol=1e-5, err_msg=wanted)
        elif dataset.info.kind == "images":
            # In 256ths, fitted to the images that are there: it can be written and is no guess.
            lite = tf.lite.Interpreter(str(write_export(model, dataset, "tflite_int8", folder)))
            lite.allocate_tensors()
            told = np.concatenate([_told_by_lite(lite, one[None]) for one in inputs]) / 256
            assert np.abs(told - right).mean() < 0.05
    keras.backend.clear_session()


pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:[\\s\\S]*tf.lite.Interpreter:UserWarning"),
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning"),
]


@pytest.mark.parametrize(("shape", "layer"), ALWAYS)
def test_some_kinds_say_the_same_in_every_format(shape: tuple[int, ...], layer: Json, tmp_path: Path) -> None:
    check(shape, layer, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "layer"), ALONE)
def test_each_kind_says_the_same_in_every_format(shape: tuple[int, ...], layer: Json, tmp_path: Path) -> None:
    check(shape, layer, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("activation", get_args(Activation))
def test_each_activation_says_the_same_in_every_format(activation: str, tmp_path: Path) -> None:
    check(IMAGES, {"type": "activation", "activation": activation}, tmp_path)


def test_every_kind_is_tried_alone() -> None:
    assert {layer["type"] for _, layer in ALONE} == KINDS.keys()
    assert any(KINDS[layer["type"]].model_validate(layer).formats != FORMATS for _, layer in ALONE)


@pytest.mark.parametrize("shape", [STEPS, IMAGES])
def test_the_model_looks_up_what_the_engine_does(shape: tuple[int, ...]) -> None:
    dataset = dataset_of(shape, ids=True)
    layers = alone({"type": "embedding", "input_dim": 300, "output_dim": 3})
    network, weights, model = model_of(layers, dataset)
    spec = Spec.model_validate({"model": {"type": "layers", "layers": layers}, "loss": "cross_entropy"})
    ids = tf.constant(with_ids(dataset).test_x.astype(np.int32))
    tensors = tuple(tf.constant(weights[weight.name]) for weight in network.trained)
    outputs, _ = build(spec, dataset.info).forward(tensors, (), ids)
    right = tf.nn.softmax(outputs).numpy()
    np.testing.assert_allclose(np.asarray(model(dataset.test_x.reshape(-1, *shape))), right, rtol=0, atol=1e-5)


def test_numbers_that_there_are_none_of_become_the_nearest() -> None:
    dataset = dataset_of(STEPS, ids=True)
    _, _, model = model_of(alone({"type": "embedding", "input_dim": 300, "output_dim": 3}), dataset)
    far: Any = model(np.full((1, *STEPS), 1e6, np.float32))
    farther: Any = model(np.full((1, *STEPS), 2e6, np.float32))
    assert np.isfinite(far).all()
    np.testing.assert_array_equal(far, farther)
