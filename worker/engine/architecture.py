"""The networks: layers as pure functions of their weights, and initial weights from a seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import tensorflow as tf

from jobs.datasets import DatasetInfo
from jobs.spec import CNN, MLP, Model
from worker.engine.stateless_random import StatelessRandom

Weights = tuple[tf.Tensor, ...]

ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "relu": tf.nn.relu,
    "tanh": tf.nn.tanh,
    "sigmoid": tf.nn.sigmoid,
    "gelu": tf.nn.gelu,
    "linear": lambda x: x,
}

MONOTONE = {"relu", "tanh", "sigmoid", "linear"}
"""Activations that keep the order of values."""

WEIGHT_STREAMS = 1 << 32
"""First of the seed's Philox streams that weights come from; those below are the epochs' orders."""


def sizes(tensor: tf.Tensor) -> tuple[int, ...]:
    """The tensor's shape, all of which is known while tracing: programs are made for fixed shapes."""
    return cast("tuple[int, ...]", tuple(tensor.shape))


@dataclass(frozen=True, slots=True)
class Dense:
    """x·W + b for x [B, inputs]; a hidden layer has an activation behind it."""

    name: str
    inputs: int
    outputs: int
    activation: str

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of kernel and bias."""
        return ((self.inputs, self.outputs), (self.outputs,))

    def __call__(self, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        return ACTIVATIONS[self.activation](tf.matmul(x, kernel) + bias)


@dataclass(frozen=True, slots=True)
class Convolution:
    """Same-size convolution, activation and 2x2 max-pooling of x [B, height, width, inputs]."""

    name: str
    size: int
    inputs: int
    outputs: int
    activation: str

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of kernel and bias."""
        return ((self.size, self.size, self.inputs, self.outputs), (self.outputs,))

    def __call__(self, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        x = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
        _, height, width, _ = sizes(x)
        pool = (min(2, height), min(2, width))
        activation = ACTIVATIONS[self.activation]
        if self.activation not in MONOTONE:
            return tf.nn.max_pool2d(activation(tf.nn.bias_add(x, bias)), pool, pool, "VALID")
        # The largest of four stays the largest when all get the same bias and a monotone activation: pooling
        # first gives the same values for a quarter of the work.
        return activation(tf.nn.bias_add(tf.nn.max_pool2d(x, pool, pool, "VALID"), bias))


@dataclass(frozen=True, slots=True)
class Network:
    """Convolutions, then dense layers. Weights are a flat tuple: kernel and bias of each layer in turn."""

    image: tuple[int, int, int]
    """Height, width, channels."""
    convolutions: tuple[Convolution, ...]
    dense: tuple[Dense, ...]
    dropout: float

    @property
    def layers(self) -> tuple[Convolution | Dense, ...]:
        """All layers that have weights, first to last."""
        return (*self.convolutions, *self.dense)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each weight."""
        return tuple(f"{layer.name}/{part}" for layer in self.layers for part in ("kernel", "bias"))

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each weight."""
        return tuple(shape for layer in self.layers for shape in layer.shapes)

    def initial_weights(self, seed: int) -> tuple[np.ndarray, ...]:
        """Kernels uniform in ±1/√fan_in (after LeCun et al. 1998), zero biases; float32.

        He's larger values (2015) made plain SGD on the squared error less accurate here and diverge from a rate of
        0.15 on, where these still learn at 0.5; with Adam they made no difference.

        Made of raw Philox words by exact arithmetic, so that a seed means the same weights with any version of
        any library, on any machine.
        """
        weights: list[np.ndarray] = []
        for index, layer in enumerate(self.layers):
            kernel, bias = layer.shapes
            limit = np.float32(1 / math.sqrt(math.prod(kernel[:-1])))
            weights.append(_uniform(kernel, key=(seed, WEIGHT_STREAMS + index)) * limit)
            weights.append(np.zeros(bias, np.float32))
        return tuple(weights)

    def forward(self, weights: Weights, images: tf.Tensor, noise: StatelessRandom | None = None) -> tf.Tensor:
        """Outputs [B, classes] for images [B, pixels] of the weights' dtype. With `noise`, as in training."""
        rest = list(weights)
        x = images
        if self.convolutions:
            x = tf.reshape(x, (-1, *self.image))
            for convolution in self.convolutions:
                x = convolution(x, rest.pop(0), rest.pop(0))
            x = tf.reshape(x, (-1, math.prod(sizes(x)[1:])))
        for index, dense in enumerate(self.dense):
            if index or self.convolutions:
                x = self._drop(x, noise, stream=index)
            x = dense(x, rest.pop(0), rest.pop(0))
        return x

    def _drop(self, x: tf.Tensor, noise: StatelessRandom | None, *, stream: int) -> tf.Tensor:
        """Zero a share of the values and scale up the others (Srivastava et al. 2014)."""
        if noise is None or self.dropout == 0:
            return x
        keep = noise.uniform(sizes(x), stream=stream) >= self.dropout
        return tf.where(keep, x / (1 - self.dropout), tf.zeros_like(x))


def _uniform(shape: tuple[int, ...], *, key: tuple[int, int]) -> np.ndarray:
    """float32 values in [-1, 1): the upper 24 bits of Philox' words (Salmon et al. 2011), exactly."""
    words = np.random.Philox(key=list(key)).random_raw(math.prod(shape)) >> np.uint64(40)
    return (words.astype(np.float32) * np.float32(2**-23) - np.float32(1)).reshape(shape)


def build(model: Model, dataset: DatasetInfo) -> Network:
    """The network of a spec for a dataset's images and classes."""
    image = (dataset.height, dataset.width, dataset.channels)
    convolutions: list[Convolution] = []
    inputs, activation, dropout = dataset.pixels, "linear", 0.0
    hidden: tuple[int, ...] = ()
    if isinstance(model, CNN):
        height, width, channels = image
        for index, filters in enumerate(model.filters, 1):
            convolutions.append(
                Convolution(f"convolution_{index}", model.kernel_size, channels, filters, model.activation)
            )
            height, width, channels = max(1, height // 2), max(1, width // 2), filters
        inputs, hidden, activation, dropout = height * width * channels, model.dense, model.activation, model.dropout
    elif isinstance(model, MLP):
        hidden, activation, dropout = model.hidden, model.activation, model.dropout
    dense: list[Dense] = []
    for index, width in enumerate(hidden, 1):
        dense.append(Dense(f"dense_{index}", inputs, width, activation))
        inputs = width
    dense.append(Dense("output", inputs, dataset.classes, "linear"))
    return Network(image, tuple(convolutions), tuple(dense), dropout)
