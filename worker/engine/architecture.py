"""The networks: layers as pure functions of their weights, and initial weights from a seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import tensorflow as tf

from jobs.architecture import Architecture, Layer, describe
from jobs.datasets import DatasetInfo
from jobs.spec import Model
from worker.engine import pooling
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

BLOCK = 1 << 18
"""Values that are drawn in one go; a multiple of the four words that Philox makes at once."""


def sizes(tensor: tf.Tensor) -> tuple[int, ...]:
    """The tensor's shape, all of which is known while tracing: programs are made for fixed shapes."""
    return cast("tuple[int, ...]", tuple(tensor.shape))


Pool = Callable[[tf.Tensor, tuple[int, int]], tf.Tensor]
"""The largest of each window of so many rows and columns."""


def _dense(layer: Layer, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, pool: Pool) -> tf.Tensor:
    """x·W + b for x [B, inputs], then the activation."""
    del pool
    return ACTIVATIONS[layer.activation](tf.matmul(x, kernel) + bias)


def _convolution(layer: Layer, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, pool: Pool) -> tf.Tensor:
    """Same-size convolution, activation and max-pooling of x [B, height, width, channels]."""
    x = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
    activation = ACTIVATIONS[layer.activation]
    if layer.activation not in MONOTONE:
        return pool(activation(tf.nn.bias_add(x, bias)), layer.pool)
    # The largest of four stays the largest when all get the same bias and a monotone activation: pooling
    # first gives the same values for a quarter of the work.
    return activation(tf.nn.bias_add(pool(x, layer.pool), bias))


FUNCTIONS: dict[str, Callable[[Layer, tf.Tensor, tf.Tensor, tf.Tensor, Pool], tf.Tensor]] = {
    "dense": _dense,
    "convolution": _convolution,
}
"""What each kind of layer computes of its input, kernel and bias."""


@dataclass(frozen=True, slots=True)
class Network:
    """A described network as pure functions. Weights are a flat tuple: kernel and bias of each layer in turn."""

    described: Architecture
    own_pooling: bool = False
    """Whether to pool by `worker.engine.pooling` and not by the library."""

    @property
    def image(self) -> tuple[int, int, int]:
        """Height, width, channels. Raises ValueError where examples are none."""
        height, width, channels = self.described.inputs
        return height, width, channels

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each weight."""
        return tuple(weight.name for weight in self.described.weights)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each weight."""
        return tuple(weight.shape for weight in self.described.weights)

    def initial_weights(self, seed: int) -> tuple[np.ndarray, ...]:
        """Kernels uniform in ±1/√fan_in (after LeCun et al. 1998), zero biases; float32.

        He's larger values (2015) made plain SGD on the squared error less accurate here and diverge from a rate of
        0.15 on, where these still learn at 0.5; with Adam they made no difference.

        Made of raw Philox words by exact arithmetic, so that a seed means the same weights with any version of
        any library, on any machine.
        """
        weights: list[np.ndarray] = []
        for index, layer in enumerate(self.described.layers):
            kernel, bias = layer.weights
            limit = np.float32(1 / math.sqrt(layer.fan_in))
            weights.append(_uniform(kernel.shape, key=(seed, WEIGHT_STREAMS + index), limit=limit))
            weights.append(np.zeros(bias.shape, np.float32))
        return tuple(weights)

    def forward(self, weights: Weights, features: tf.Tensor, noise: StatelessRandom | None = None) -> tf.Tensor:
        """Outputs [B, outputs] for features [B, values] of the weights' dtype. With `noise`, as in training."""
        rest = list(weights)
        pool = pooling.max_pool if self.own_pooling else pooling.library_max_pool
        x, stream = features, 0
        for layer in self.described.layers:
            if sizes(x)[1:] != layer.inputs:
                x = tf.reshape(x, (-1, *layer.inputs))
            if noise is not None and layer.dropout:
                x = _drop(x, noise, share=layer.dropout, stream=stream)
            x = FUNCTIONS[layer.kind](layer, x, rest.pop(0), rest.pop(0), pool)
            stream += layer.kind == "dense"
        return x


def _drop(x: tf.Tensor, noise: StatelessRandom, *, share: float, stream: int) -> tf.Tensor:
    """Zero a share of the values and scale up the others (Srivastava et al. 2014)."""
    keep = noise.uniform(sizes(x), stream=stream) >= share
    return tf.where(keep, x / (1 - share), tf.zeros_like(x))


def _uniform(shape: tuple[int, ...], *, key: tuple[int, int], limit: np.float32) -> np.ndarray:
    """float32 values in [-limit, limit): the upper 24 bits of Philox' words (Salmon et al. 2011), exactly."""
    values = np.empty(math.prod(shape), np.float32)
    philox = np.random.Philox(key=list(key))
    # Block by block: the words of a large kernel would take five times its memory.
    for start in range(0, values.size, BLOCK):
        block = values[start : start + BLOCK]
        words = philox.random_raw(block.size) >> np.uint64(40)
        block[:] = (words.astype(np.float32) * np.float32(2**-23) - np.float32(1)) * limit
    return values.reshape(shape)


def build(model: Model, dataset: DatasetInfo, *, own_pooling: bool = False) -> Network:
    """The network of a spec for a dataset's examples, and its classes or targets."""
    return Network(describe(model, dataset), own_pooling)
