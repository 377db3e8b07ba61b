"""A described network as pure functions: what the step asks of it, whoever computes its layers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, cast

import numpy as np
import tensorflow as tf

from jobs.architecture import Architecture
from worker.engine.stateless_random import StatelessRandom

Weights = tuple[tf.Tensor, ...]


class InitialValues(NamedTuple):
    """What a network begins with."""

    weights: tuple[np.ndarray, ...]
    """Those that are trained, float32, in the description's order."""
    fixed: tuple[np.ndarray, ...]
    """Those that gradients leave alone: frozen weights and moving statistics, float32, in the description's order; then
    the generators of its random layers, integers."""


class Network(Protocol):
    """A described network, in the number format of its products."""

    @property
    def described(self) -> Architecture:
        """Its layers."""
        ...

    @property
    def fixed_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of each of its `fixed` values."""
        ...

    def initial(self, seed: int) -> InitialValues:
        """Its values before training, by the seed."""
        ...

    def forward(
        self, weights: Weights, fixed: Weights, features: tf.Tensor, noise: StatelessRandom | None = None
    ) -> tuple[tf.Tensor, Weights]:
        """Outputs float32 [B, outputs] for features float32 [B, values], and `fixed` thereafter.

        With `noise`, as in training: moving statistics follow the batch, and random layers draw.
        """
        ...


def names(network: Network) -> tuple[str, ...]:
    """Name of each trained weight."""
    return tuple(weight.name for weight in network.described.trained)


def fixed_names(network: Network) -> tuple[str, ...]:
    """Name of each weight that is not trained."""
    return tuple(weight.name for weight in network.described.fixed)


def sizes(tensor: tf.Tensor) -> tuple[int, ...]:
    """The tensor's shape, all of which is known while tracing: programs are made for fixed shapes."""
    return cast("tuple[int, ...]", tuple(tensor.shape))


def split(described: Architecture, values: Sequence[np.ndarray]) -> InitialValues:
    """Values of all weights, in the description's order, as a network takes them."""
    pairs = list(zip(described.weights, values, strict=True))
    return InitialValues(
        tuple(value for weight, value in pairs if weight.is_trained),
        tuple(value for weight, value in pairs if not weight.is_trained),
    )


def replaced(described: Architecture, values: InitialValues, given: Mapping[str, np.ndarray]) -> InitialValues:
    """The same values but for weights that are given, float32 arrays by name."""
    count = len(described.fixed)
    return InitialValues(
        tuple(given.get(weight.name, value) for weight, value in zip(described.trained, values.weights, strict=True)),
        (
            *(given.get(weight.name, value) for weight, value in zip(described.fixed, values.fixed, strict=False)),
            *values.fixed[count:],
        ),
    )
