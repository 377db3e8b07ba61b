"""Random networks leave in the formats that they claim: what a file says to other programs is what the engine says."""

from collections.abc import Collection
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from jobs.datasets import DatasetInfo, Target
from jobs.layers.base import FORMATS
from jobs.spec import Spec
from tests.worker.engine.conftest import made_up
from tests.worker.engine.listening import run, spec_of
from tests.worker.engine.networks import Body, layers, residual
from tests.worker.engine.random_jobs import job, made_for
from tests.worker.files.test_layer_formats import told_by
from worker.datasets.memory import Dataset
from worker.engine.build import build
from worker.engine.ids import with_ids
from worker.engine.initial_weights import initial_weights
from worker.engine.network import fixed_names, names
from worker.files.exports import write_export
from worker.files.keras_model import keras_model

FEW, MANY = 2, 25
"""Networks in each run, and of the slow ones."""
BY_DEFAULT = {"keras", "onnx"}
EXACT = FORMATS - {"tflite_int8"}

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # within Keras
    pytest.mark.filterwarnings("ignore:[\\s\\S]*tf.lite.Interpreter:UserWarning"),
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning"),  # of one channel: it is 1
]


def learnt(spec: Spec, info: DatasetInfo) -> dict[str, np.ndarray]:
    """Weights by name, of which none is still what it begins as: biases and moving statistics neither."""
    network = build(spec, info).described
    rng = np.random.default_rng(spec.seed)
    drawn = zip(network.weights, initial_weights(network, spec.seed), strict=True)
    return {weight.name: (value + rng.uniform(0, 0.1, value.shape)).astype(np.float32) for weight, value in drawn}


def engines(spec: Spec, dataset: Dataset, weights: dict[str, np.ndarray]) -> np.ndarray:
    """What the engine's own network tells of the test examples: probabilities, or numbers in their targets' units."""
    network = build(spec, dataset.info)
    if network.described.takes_ids:
        features = with_ids(dataset).test_x.astype(np.int32)
    else:
        features = dataset.test_x.astype(np.float32) / (255 if dataset.info.dtype == "uint8" else 1)
    trained, fixed = (
        tuple(tf.constant(weights[name]) for name in group) for group in (names(network), fixed_names(network))
    )
    generators = tuple(tf.constant(value) for value in network.initial(spec.seed).fixed[len(fixed) :])
    outputs, _ = network.forward(trained, (*fixed, *generators), tf.constant(features))
    if spec.loss == "cross_entropy":
        return tf.nn.softmax(outputs).numpy()
    targets = dataset.info.targets
    return outputs.numpy() * [target.std for target in targets] + [target.mean for target in targets]


def check_formats(spec: Spec, dataset: Dataset, folder: Path, wanted: Collection[str]) -> None:
    """Each format that the network claims, of those that are wanted."""
    weights = learnt(spec, dataset.info)
    right, network = engines(spec, dataset, weights), build(spec, dataset.info).described
    assert np.isfinite(right).all()
    stds = [target.std for target in dataset.info.targets] or 1.0
    model = keras_model(spec, dataset.info, network, weights)
    inputs = dataset.test_x.reshape(-1, *dataset.info.shape)
    for each in sorted(network.formats & set(wanted)):
        path = write_export(model, dataset, each, folder)  # type: ignore[arg-type]
        told = told_by(path, each, inputs)
        assert told.dtype == (np.float64 if dataset.info.targets and each != "tflite" else np.float32), each
        # In float32 digits are lost far from 0.
        share = 2e-7 if each == "tflite" and dataset.info.targets else 0
        np.testing.assert_allclose(told / stds, right / stds, rtol=share, atol=1e-5, err_msg=each)
    keras.backend.clear_session()


@pytest.mark.parametrize("seed", range(FEW))
def test_networks_say_the_same_in_the_formats_of_every_job(seed: int, tmp_path: Path) -> None:
    check_formats(*job(seed), tmp_path, BY_DEFAULT)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(MANY))
def test_many_networks_say_the_same_in_every_format(seed: int, tmp_path: Path) -> None:
    check_formats(*job(seed), tmp_path, EXACT)


NUMBERS = DatasetInfo(
    name="numbers",
    kind="arrays",
    shape=(6, 4),
    targets=(Target("x", 1000.0, 3.0), Target("y", -1.0, 0.1), Target("z", 1.7e9, 30.0)),
    train_examples=20,
    test_examples=16,
)
SERIES: Body = layers(
    {"type": "conv1d", "filters": 5, "kernel_size": 2},
    {"type": "batch_normalization"},
    {"type": "activation", "activation": "gelu"},
    {"type": "dropout", "rate": 0.4},
    {"type": "global_average_pooling"},
    {"type": "dense"},
)


def test_numbers_far_from_0_keep_their_digits(tmp_path: Path) -> None:
    spec = spec_of(model=SERIES, loss="mse", seed=3)
    check_formats(spec, made_for(NUMBERS, 3), tmp_path, BY_DEFAULT | {"tflite"})


@pytest.mark.slow
def test_a_residual_network_in_whole_numbers_tells_mostly_the_same_labels(tmp_path: Path) -> None:
    dataset = made_up(train=300, test=70, shape=(21, 15, 3), classes=7)
    adam = {"type": "adam", "learning_rate": 0.01}
    spec = spec_of(model=residual(rate=0.2), loss="cross_entropy", optimizer=adam, batch_size=30, epochs=8, seed=1)
    weights = run(dataset, spec)[0].weights
    right = engines(spec, dataset, weights)
    assert (right.argmax(axis=1) == dataset.test_y).mean() > 0.8
    model = keras_model(spec, dataset.info, build(spec, dataset.info).described, weights)
    path = write_export(model, dataset, "tflite_int8", tmp_path)
    told = told_by(path, "tflite", dataset.test_x.reshape(-1, *dataset.info.shape))
    assert told.dtype == np.uint8
    assert (told.argmax(axis=1) == right.argmax(axis=1)).mean() > 0.9
