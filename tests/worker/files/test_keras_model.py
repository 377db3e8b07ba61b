"""What leaves: each format says what the trained weights say, in any program that reads it."""

import tarfile
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from jobs.architecture import describe
from jobs.datasets import DatasetInfo, Target
from jobs.model_files import FILES
from jobs.spec import ExportFormat, Spec
from worker.datasets.memory import Dataset, Datasets
from worker.engine.build import build
from worker.engine.network import names
from worker.files.exports import write_export
from worker.files.keras_model import keras_model

IMAGES = DatasetInfo(name="images", shape=(9, 6, 2), classes=("a", "b", "c"), train_examples=10, test_examples=10)
ROWS = DatasetInfo(name="rows", kind="table", shape=(5,), classes=("a", "b"), train_examples=10, test_examples=10)
NUMBERS = DatasetInfo(
    name="numbers",
    kind="table",
    shape=(5,),
    targets=(Target("x", 1000.0, 3.0), Target("y", -1.0, 0.1), Target("z", 1.7e9, 30.0)),
    train_examples=10,
    test_examples=10,
)
CASES: dict[str, tuple[DatasetInfo, dict[str, Any]]] = {
    "softmax": (IMAGES, {"model": {"type": "softmax"}, "loss": "cross_entropy"}),
    "textbook": (IMAGES, {"model": {"type": "mlp", "hidden": [8, 4]}}),
    "cnn": (
        IMAGES,
        {
            "model": {"type": "cnn", "filters": [3, 4], "dense": [6], "dropout": 0.5, "activation": "gelu"},
            "loss": "cross_entropy",
        },
    ),
    "rows": (ROWS, {"model": {"type": "mlp", "hidden": [8], "activation": "tanh"}, "loss": "cross_entropy"}),
    "numbers": (NUMBERS, {"model": {"type": "mlp", "hidden": [8], "dropout": 0.2}, "loss": "huber"}),
}


def learnt(info: DatasetInfo) -> Dataset:
    """A dataset of which only what it is matters."""
    none = np.empty((0, info.values))
    return Dataset(info, train_x=none, train_y=none, test_x=none, test_y=none)


def expected(spec: Spec, dataset: DatasetInfo, weights: dict[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """What the engine's own network says."""
    network = build(spec, dataset)
    features = inputs.reshape(len(inputs), -1).astype(np.float32) / (255 if dataset.dtype == "uint8" else 1)
    tensors = tuple(tf.constant(weights[name]) for name in names(network))
    outputs = network.forward(tensors, (), tf.constant(features, tf.float32))[0].numpy()
    if dataset.targets:
        return outputs * [target.std for target in dataset.targets] + [target.mean for target in dataset.targets]
    if spec.loss == "cross_entropy":
        return tf.nn.softmax(outputs).numpy()
    above = np.maximum(outputs, 0) + 1e-6 * tf.nn.softmax(outputs).numpy()
    return above / above.sum(axis=1, keepdims=True)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # within Keras
@pytest.mark.filterwarnings("ignore:[\\s\\S]*tf.lite.Interpreter:UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_every_format_says_what_the_weights_say(case: str, tmp_path: Path) -> None:
    dataset, body = CASES[case]
    spec = Spec.model_validate(body)
    network = build(spec, dataset)
    rng = np.random.default_rng(5)
    weights = {weight.name: rng.normal(size=weight.shape).astype(np.float32) for weight in network.described.weights}
    model = keras_model(spec, dataset, describe(spec, dataset), weights)
    for wanted in get_args(ExportFormat):
        if wanted != "tflite_int8":
            assert write_export(model, learnt(dataset), wanted, tmp_path).name == FILES[wanted]
    if dataset.dtype == "uint8":
        inputs = rng.integers(0, 256, (7, *dataset.shape)).astype(np.uint8)
    else:
        inputs = rng.normal(size=(7, *dataset.shape)).astype(np.float32)
    right = expected(spec, dataset, weights, inputs)
    stds = [target.std for target in dataset.targets] or 1.0
    right = right / stds
    close: Any = {"rtol": 0, "atol": 1e-5}

    loaded: Any = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(inputs, verbose=0) / stds, right, **close)

    session: Any = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [given.name for given in session.get_inputs()] == ["features"]
    for count in (1, 7):
        np.testing.assert_allclose(session.run(None, {"features": inputs[:count]})[0] / stds, right[:count], **close)

    lite = tf.lite.Interpreter(str(tmp_path / "model.tflite"))
    lite.resize_tensor_input(lite.get_input_details()[0]["index"], inputs.shape)
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], inputs)
    lite.invoke()
    told = lite.get_tensor(lite.get_output_details()[0]["index"]) / stds
    np.testing.assert_allclose(told, right, rtol=2e-7, atol=1e-5)  # in float32, digits are lost far from 0

    with tarfile.open(tmp_path / "saved_model.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    served = tf.saved_model.load(str(tmp_path / "unpacked" / "saved_model"))
    np.testing.assert_allclose(np.asarray(served.serve(inputs)) / stds, right, **close)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_outputs_that_are_all_below_zero_keep_their_order(tmp_path: Path) -> None:
    spec = Spec.model_validate({"model": {"type": "softmax"}, "loss": "mse"})
    weights = {"output/kernel": np.zeros((108, 3), np.float32), "output/bias": np.array([-3, -1, -2], np.float32)}
    model: Any = keras_model(spec, IMAGES, describe(spec, IMAGES), weights)
    told = model.predict(np.zeros((1, 9, 6, 2), np.uint8), verbose=0)[0]
    assert told.argsort().tolist() == [0, 2, 1]
    assert told.sum() == pytest.approx(1)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:[\\s\\S]*tf.lite.Interpreter:UserWarning")
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
@pytest.mark.parametrize(("loss", "scale", "gain"), [("cross_entropy", 1 / 256, 5), ("mse", 1 / 255, 1)])
def test_in_whole_numbers_the_model_is_as_good(tmp_path: Path, loss: str, scale: float, gain: float) -> None:
    digits = Datasets(tmp_path).load("mnist-10k")
    x, hot = digits.train_x / 255, np.eye(10)[digits.train_y]
    kernel, *_ = np.linalg.lstsq(x.T @ x + 10 * np.eye(784), x.T @ (hot - 0.1), rcond=None)
    spec = Spec.model_validate({"model": {"type": "softmax"}, "loss": loss})
    weights = {"output/kernel": gain * kernel.astype(np.float32), "output/bias": np.full(10, 0.1, np.float32)}
    model: Any = keras_model(spec, digits.info, describe(spec, digits.info), weights)
    path = write_export(model, digits, "tflite_int8", tmp_path)
    assert path.name == FILES["tflite_int8"]
    images = digits.test_x.reshape(-1, 28, 28, 1)
    lite = tf.lite.Interpreter(str(path))
    (given,), (told,) = lite.get_input_details(), lite.get_output_details()
    assert (given["dtype"], given["quantization"], told["dtype"]) == (np.uint8, (1.0, 0), np.uint8)
    lite.resize_tensor_input(given["index"], images.shape)
    lite.allocate_tensors()
    lite.set_tensor(given["index"], images)
    lite.invoke()
    assert told["quantization"] == (pytest.approx(scale), 0)
    sums = lite.get_tensor(told["index"]).sum(axis=1) * scale
    assert np.allclose(sums, 1, atol=0.2)
    assert sums.mean() == pytest.approx(1, abs=0.02)
    right = (lite.get_tensor(told["index"]).argmax(axis=1) == digits.test_y).mean()
    assert right >= (model.predict(images, verbose=0).argmax(axis=1) == digits.test_y).mean() - 0.01
    assert right > 0.8


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # within Keras
def test_layers_may_have_the_names_that_keras_gives_operations(tmp_path: Path) -> None:
    rows = DatasetInfo(name="rows", kind="table", shape=(5,), classes=("a", "b"), train_examples=1, test_examples=1)
    names = [f"{kind}{number}" for kind in ("add", "multiply", "erf", "softmax", "sum") for number in ("", "_1", "_2")]
    body = [{"type": "dense", "units": 5, "activation": "gelu", "name": name} for name in names]
    spec = Spec.model_validate({"model": {"type": "layers", "layers": [*body, {"type": "dense"}]}})
    network = describe(spec, rows)
    rng = np.random.default_rng(5)
    weights = {weight.name: rng.normal(size=weight.shape).astype(np.float32) for weight in network.weights}
    for _ in range(2):  # Keras goes on counting
        model: Any = keras_model(spec, rows, network, weights)
        model.save(tmp_path / "model.keras")
        inputs = rng.normal(size=(4, 5)).astype(np.float32)
        loaded: Any = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded(inputs), expected(spec, rows, weights, inputs), atol=1e-5)
