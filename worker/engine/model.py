"""The networks: layers as pure functions of their weights, and initial weights from a seed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from jobs.datasets import DatasetInfo
from jobs.spec import CNN, MLP, Activation, Model

Weights = tuple[tf.Tensor, ...]

ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "relu": tf.nn.relu,
    "tanh": tf.nn.tanh,
    "sigmoid": tf.nn.sigmoid,
    "gelu": tf.nn.gelu,
    "linear": lambda x: x,
}


@dataclass(frozen=True, slots=True)
class Noise:
    """Where a training step's random numbers come from: pure functions of the job's seed and the step.

    `seed` and `step` are int32 scalars.
    """

    seed: tf.Tensor
    step: tf.Tensor

    def uniform(self, shape: Sequence[int], *, stream: int) -> tf.Tensor:
        """float32 values in [0, 1) of the given shape. Each use within a step has a `stream` of its own."""
        # The algorithm is named because the automatic choice differs between devices and under XLA.
        key = tf.stack([self.seed * 64 + stream, self.step])
        return tf.random.stateless_uniform(shape, seed=key, alg="philox")


@dataclass(frozen=True, slots=True)
class Dense:
    """x·W + b for x [B, inputs]; a hidden layer has an activation behind it."""

    name: str
    inputs: int
    outputs: int
    activation: Activation | str

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
    activation: Activation | str

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of kernel and bias."""
        return ((self.size, self.size, self.inputs, self.outputs), (self.outputs,))

    def __call__(self, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=1, padding="SAME"), bias)
        _, height, width, _ = x.shape
        pool = (min(2, height), min(2, width))
        # Pooling before a monotone activation gives the same values and a quarter of the work.
        if self.activation in {"relu", "tanh", "sigmoid", "linear"}:
            return ACTIVATIONS[self.activation](tf.nn.max_pool2d(x, pool, pool, "VALID"))
        return tf.nn.max_pool2d(ACTIVATIONS[self.activation](x), pool, pool, "VALID")


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
        """Normal kernels of variance 2/fan_in (1/fan_in for the output; He et al. 2015), zero biases. float32."""
        weights: list[np.ndarray] = []
        for index, layer in enumerate(self.layers):
            kernel, bias = layer.shapes
            gain = 1.0 if layer is self.layers[-1] else 2.0
            generator = np.random.Generator(np.random.Philox(key=[seed, index]))
            values = generator.standard_normal(kernel, dtype=np.float32)
            weights.append(values * np.float32(math.sqrt(gain / math.prod(kernel[:-1]))))
            weights.append(np.zeros(bias, np.float32))
        return tuple(weights)

    def forward(self, weights: Weights, images: tf.Tensor, noise: Noise | None = None) -> tf.Tensor:
        """Outputs [B, classes] for images [B, pixels] of the weights' dtype. With `noise`, as in training."""
        rest = list(weights)
        x = images
        if self.convolutions:
            x = tf.reshape(x, (-1, *self.image))
            for convolution in self.convolutions:
                x = convolution(x, rest.pop(0), rest.pop(0))
            x = tf.reshape(x, (-1, math.prod(x.shape[1:])))
        for index, dense in enumerate(self.dense):
            if index or self.convolutions:
                x = self._drop(x, noise, stream=index)
            x = dense(x, rest.pop(0), rest.pop(0))
        return x

    def _drop(self, x: tf.Tensor, noise: Noise | None, *, stream: int) -> tf.Tensor:
        """Zero a share of the values and scale up the others (Srivastava et al. 2014)."""
        if noise is None or self.dropout == 0:
            return x
        keep = noise.uniform(x.shape, stream=stream) >= self.dropout
        return tf.where(keep, x / (1 - self.dropout), tf.zeros_like(x))


def build(model: Model, dataset: DatasetInfo) -> Network:
    """The network of a spec for a dataset's images and classes."""
    image = (dataset.height, dataset.width, dataset.channels)
    convolutions: list[Convolution] = []
    inputs, hidden, dropout = dataset.pixels, (), 0.0
    if isinstance(model, CNN):
        height, width, channels = image
        for index, filters in enumerate(model.filters, 1):
            convolutions.append(
                Convolution(f"convolution_{index}", model.kernel_size, channels, filters, model.activation)
            )
            height, width, channels = max(1, height // 2), max(1, width // 2), filters
        inputs, hidden, dropout = height * width * channels, model.dense, model.dropout
    elif isinstance(model, MLP):
        hidden, dropout = model.hidden, model.dropout
    dense: list[Dense] = []
    for index, width in enumerate(hidden, 1):
        dense.append(Dense(f"dense_{index}", inputs, width, model.activation))  # pyright: ignore[reportAttributeAccessIssue]
        inputs = width
    dense.append(Dense("output", inputs, dataset.classes, "linear"))
    return Network(image, tuple(convolutions), tuple(dense), dropout)
