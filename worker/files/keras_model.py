"""A trained network as a Keras model that takes raw inputs and tells probabilities or numbers in their own units."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from jobs.architecture import Architecture
from jobs.datasets import DatasetInfo, Target
from jobs.inputs import ArrayEncoding
from jobs.layers.embedding import Embedding
from jobs.spec import Spec
from worker.engine import keras_layers
from worker.engine.evaluation import LEAST_SHARE

STANDARDISED = "standardised"
"""Name of the layer that gives the numbers that the network tells, before they get their units."""


def keras_model(
    spec: Spec,
    dataset: DatasetInfo,
    network: Architecture,
    weights: Mapping[str, np.ndarray],
    *,
    encoding: ArrayEncoding | None = None,
) -> keras.Model:
    """The network with these weights. `encoding` is that of arrays, which a network that looks numbers up takes back.

    Takes uint8 [N, height, width, channels], or float32 [N, width]; gives float32 [N, classes], which add up to 1, or
    float64 [N, targets].
    """
    inputs = keras.Input(dataset.shape, dtype=dataset.dtype, name="features")
    x: Any = inputs
    if network.takes_ids:
        x = _ids(inputs, network, encoding if dataset.dtype == "float32" else None)
    elif dataset.dtype == "uint8":
        x = keras.layers.Rescaling(1 / 255, name="scaled")(inputs)
    # Keras' own become operations that ONNX lacks.
    x = keras_layers.outputs(network.nodes, x, behind={"gelu": _gelu, "celu": _celu})
    if dataset.task == "regression":
        x = keras.layers.Activation("linear", name=STANDARDISED)(x)
    told = _numbers(x, dataset) if dataset.task == "regression" else _probabilities(x, spec.loss)
    _name_apart(told)
    model = keras.Model(inputs, told)
    for variable in model.weights:
        variable.assign(weights[variable.path])
    return model


def _name_apart(told: Any) -> None:
    """Give operations that are no layers names that no layer can have: Keras numbers them by all that the process has
    made before, and refuses a model with a name twice.
    """
    waiting, seen = [told], set[int]()
    while waiting:
        operation = waiting.pop()._keras_history.operation
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        if not isinstance(operation, keras.layers.Layer):
            operation.name = f"{len(seen)}_{type(operation).__name__.lower()}"
        waiting += [] if isinstance(operation, keras.layers.InputLayer) else keras.tree.flatten(operation.input)


def _ids(given: Any, network: Architecture, encoding: ArrayEncoding | None) -> Any:
    """The whole numbers that embeddings look up, int32, of standardised ones; the nearest of those that there are."""
    most = min(node.layer.input_dim for node in network.nodes if isinstance(node.layer, Embedding)) - 1
    x: Any = keras.ops.cast(given, "float32")
    if encoding:
        times = math.prod(network.inputs) // len(encoding.mean)
        std, mean = (
            np.tile(np.array(each, np.float32), times).reshape(network.inputs) for each in (encoding.std, encoding.mean)
        )
        x = keras.ops.round(x * std + mean)
    return keras.ops.cast(keras.ops.clip(x, 0, most), "int32")


def _gelu(x: Any) -> Any:
    """x·Φ(x), by the error function (Hendrycks and Gimpel 2016)."""
    erf: Any = keras.ops.erf(x * math.sqrt(0.5))
    return 0.5 * x * (1 + erf)


def _celu(x: Any) -> Any:
    """x above 0, e^x - 1 below (Barron 2017)."""
    above: Any = keras.ops.relu(x)
    below: Any = keras.ops.exp(keras.ops.minimum(x, 0.0))
    return above + below - 1


def _probabilities(outputs: Any, loss: str) -> Any:
    """What the outputs mean: logits where the network learnt by cross-entropy. By squared error it learnt the
    probabilities themselves, if not quite that they are above 0 and add up to 1."""
    if loss == "cross_entropy":
        return keras.layers.Softmax(name="probabilities")(outputs)
    rest: Any = keras.ops.softmax(outputs)
    above: Any = keras.ops.relu(outputs) + LEAST_SHARE * rest
    return above / keras.ops.sum(above, axis=-1, keepdims=True)


def _numbers(outputs: Any, dataset: DatasetInfo) -> Any:
    """The outputs in their targets' units, which have more digits than a float32 where the mean is far from 0."""
    # Keras' own Rescaling takes its numbers through float32.
    stds, means = (np.array([target[place] for target in dataset.targets], np.float64) for place in (2, 1))
    wide: Any = keras.ops.cast(outputs, "float64")
    return wide * stds + means


def narrowed(model: keras.Model, targets: Sequence[Target]) -> keras.Model:
    """The model of such targets with outputs in float32, for what computes nothing wider."""
    if not targets:
        return model
    stds, means = ([target[place] for target in targets] for place in (2, 1))
    scale = keras.layers.Rescaling(stds, offset=means, name="0_units")  # pyright: ignore[reportArgumentType] (one a target)
    told: Any = scale(model.get_layer(STANDARDISED).output)
    return keras.Model(model.inputs, told)
