"""A trained network as a Keras model that takes raw inputs and tells probabilities or numbers in their own units."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from jobs.architecture import OUTPUT, Architecture, Layer
from jobs.datasets import DatasetInfo, Target
from jobs.spec import Spec
from worker.engine.evaluation import LEAST_SHARE


def keras_model(
    spec: Spec,
    dataset: DatasetInfo,
    network: Architecture,
    weights: Mapping[str, np.ndarray],
) -> keras.Model:
    """The network with these weights.

    Takes uint8 [N, height, width, channels], or float32 [N, width]; gives float32 [N, classes], which add up to 1, or
    float64 [N, targets].
    """
    inputs = keras.Input(dataset.shape, dtype=dataset.dtype, name="features")
    x: Any = keras.layers.Rescaling(1 / 255, name="scaled")(inputs) if dataset.dtype == "uint8" else inputs
    for layer in network.layers:
        x = _applied(layer, x)
    told = _numbers(x, dataset) if dataset.task == "regression" else _probabilities(x, spec.loss)
    model = keras.Model(inputs, told)
    for layer in network.layers:
        model.get_layer(layer.name).set_weights([weights[weight.name] for weight in layer.weights])
    return model


def _applied(layer: Layer, x: Any) -> Any:
    if layer.kind == "dense" and len(x.shape) > 2:
        x = keras.layers.Flatten(name=f"{layer.name}_flat")(x)
    if layer.dropout:
        x = keras.layers.Dropout(layer.dropout, name=f"{layer.name}_dropout")(x)
    # Keras' own GELU becomes an operation that ONNX lacks.
    activation = "linear" if layer.activation == "gelu" else layer.activation
    if layer.kind == "dense":
        x = keras.layers.Dense(layer.kernel[-1], activation=activation, name=layer.name)(x)
    else:
        size = layer.kernel[:2]
        x = keras.layers.Conv2D(layer.kernel[-1], size, padding="same", activation=activation, name=layer.name)(x)
    if layer.activation == "gelu":
        x = _gelu(x)
    return keras.layers.MaxPooling2D(layer.pool, name=f"{layer.name}_pool")(x) if layer.kind == "convolution" else x


def _gelu(x: Any) -> Any:
    """x·Φ(x), by the error function (Hendrycks and Gimpel 2016)."""
    erf: Any = keras.ops.erf(x * math.sqrt(0.5))
    return 0.5 * x * (1 + erf)


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
    scale = keras.layers.Rescaling([target.std for target in targets], offset=[target.mean for target in targets])  # pyright: ignore[reportArgumentType] (one a target)
    told: Any = scale(model.get_layer(OUTPUT).output)
    return keras.Model(model.inputs, told)
