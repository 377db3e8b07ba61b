"""The networks of the kinds `softmax`, `mlp` and `cnn`, written out: the textbook's forward pass, layer by layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from jobs.architecture import Architecture, Node
from jobs.layers.convolution import Conv2D, pair
from jobs.layers.dense import Dense
from jobs.layers.noise import Dropout
from jobs.layers.pooling import MaxPooling
from jobs.layers.reshaping import Flatten
from worker.engine import pooling
from worker.engine.initial_weights import initial_weights
from worker.engine.network import InitialValues, Weights, sizes, split
from worker.engine.stateless_random import StatelessRandom

ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "relu": tf.nn.relu,
    "tanh": tf.nn.tanh,
    "sigmoid": tf.nn.sigmoid,
    "gelu": tf.nn.gelu,
    "linear": lambda x: x,
}

MONOTONE = {"relu", "tanh", "sigmoid", "linear"}
"""Activations that keep the order of values."""

Pool = Callable[[tf.Tensor, tuple[int, int]], tf.Tensor]
"""The largest of each window of so many rows and columns."""


def dense(layer: Dense, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """x·W + b for x [B, inputs], then the activation."""
    return ACTIVATIONS[layer.activation](tf.matmul(x, kernel) + bias)


def block(
    layer: Conv2D, size: tuple[int, int], x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, pool: Pool
) -> tf.Tensor:
    """Same-size convolution, activation and max-pooling of x [B, height, width, channels]."""
    x = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
    activation = ACTIVATIONS[layer.activation]
    if layer.activation not in MONOTONE:
        return pool(activation(tf.nn.bias_add(x, bias)), size)
    # The largest of four stays the largest when all get the same bias and a monotone activation: pooling
    # first gives the same values for a quarter of the work.
    return activation(tf.nn.bias_add(pool(x, size), bias))


@dataclass(frozen=True, slots=True)
class Chain:
    """A described network as pure functions, after `worker.engine.network.Network`."""

    described: Architecture
    dtype: tf.DType = tf.float32
    """Number format of the layers' products."""
    own_pooling: bool = False
    """Whether to pool by `worker.engine.pooling` and not by the library."""

    @property
    def fixed_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Those of frozen weights."""
        return tuple(weight.shape for weight in self.described.fixed)

    def initial(self, seed: int) -> InitialValues:
        """Kernels uniform in ±1/√inputs, biases 0."""
        return split(self.described, tuple(initial_weights(self.described, seed)))

    def forward(
        self, weights: Weights, fixed: Weights, features: tf.Tensor, noise: StatelessRandom | None = None
    ) -> tuple[tf.Tensor, Weights]:
        """Outputs float32 [B, outputs] for features float32 [B, values], and `fixed`. With `noise`, as in training."""
        every = self._every(weights, fixed)
        if self.dtype == tf.float32:
            return self._outputs(every, features, noise), fixed
        lowered = [tf.cast(weight, self.dtype) for weight in every]
        return tf.cast(self._outputs(lowered, tf.cast(features, self.dtype), noise), tf.float32), fixed

    def _every(self, weights: Weights, fixed: Weights) -> list[tf.Tensor]:
        """All weights in the description's order."""
        trained, others = iter(weights), iter(fixed)
        return [next(trained if weight.is_trained else others) for weight in self.described.weights]

    def _outputs(self, every: Sequence[tf.Tensor], features: tf.Tensor, noise: StatelessRandom | None) -> tf.Tensor:
        rest = list(every)
        pool = pooling.max_pool if self.own_pooling else pooling.library_max_pool
        x, stream = features, 0
        nodes = self.described.nodes
        for node in nodes:
            if not isinstance(node.layer, MaxPooling) and sizes(x)[1:] != node.inputs[0]:
                x = tf.reshape(x, (-1, *node.inputs[0]))
            match node.layer:
                case Dense():
                    x = dense(node.layer, x, rest.pop(0), rest.pop(0))
                    stream += 1
                case Conv2D():
                    x = block(node.layer, _pool_behind(nodes, node), x, rest.pop(0), rest.pop(0), pool)
                case Dropout() if noise is not None:
                    x = _drop(x, noise, share=node.layer.rate, stream=stream)
                case Flatten():
                    if sizes(x)[1:] != node.output:
                        x = tf.reshape(x, (-1, *node.output))
                case _:  # pooled with its convolution, or nothing to drop
                    pass
        return x


def _pool_behind(nodes: Sequence[Node], convolution: Node) -> tuple[int, int]:
    pool = nodes[convolution.place + 1].layer
    assert isinstance(pool, MaxPooling)
    return pair(pool.pool_size)


def _drop(x: tf.Tensor, noise: StatelessRandom, *, share: float, stream: int) -> tf.Tensor:
    """Zero a share of the values and scale up the others (Srivastava et al. 2014)."""
    keep = noise.uniform(sizes(x), stream=stream) >= share
    return tf.where(keep, x / (1 - share), tf.zeros_like(x))
