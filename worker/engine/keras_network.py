"""Any described network by its Keras layers, as pure functions of their weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.architecture import Architecture
from worker.engine import keras_layers
from worker.engine.batch_norm import BatchNormalization
from worker.engine.initial_weights import initial_weights
from worker.engine.network import InitialValues, Weights, split
from worker.engine.stateless_random import StatelessRandom

OWN = {"BatchNormalization": BatchNormalization}
"""What trains faster on a CPU than Keras' class of that name."""


@dataclass(frozen=True)
class KerasNetwork:
    """A described network as pure functions, after `worker.engine.network.Network`.

    Its Keras layers' variables have no values of their own: every call is given them.
    """

    described: Architecture
    precision: str
    """Keras' name of it."""
    on_gpu: bool = False
    by_xla: bool = False

    @cached_property
    def _model(self) -> Any:
        # Outside of whatever function is being traced, and beside the device's memory.
        with tf.init_scope(), tf.device("/CPU:0"):
            # Half a float's digits are too few for ids.
            dtype = "int32" if self.described.takes_ids else "float32"
            example = keras.Input(self.described.inputs, dtype=dtype, name="features")
            told = keras_layers.outputs(
                self.described.nodes, example, dtype=self.precision, instead={} if self.on_gpu else OWN
            )
            # Keras would number it among the process' others, and the number becomes part of a compiled program's key.
            model: Any = keras.Model(example, told, name="network")
        if self.by_xla or not self.on_gpu:
            # Recurrent layers would take the card's own kernels, which XLA has not, wherever the machine has a card.
            for layer in model._flatten_layers(include_self=False):
                if hasattr(layer, "use_cudnn"):
                    layer.use_cudnn = False
        for variable in model.variables:
            # Programs stay for later jobs: weights that nobody reads must not. Keras has no public way to do without.
            variable._value, variable._initializer = None, _no_value
        return model

    @cached_property
    def _places(self) -> tuple[list[int], list[int]]:
        """For each of Keras' trained variables the place of its value among `weights`; for each other one the place
        among `fixed`."""
        trained = {weight.name: n for n, weight in enumerate(self.described.trained)}
        fixed = {weight.name: n for n, weight in enumerate(self.described.fixed)}
        drawn = {id(variable): n for n, variable in enumerate(self._generators, len(fixed))}
        return (
            [trained[_name(variable)] for variable in self._model.trainable_variables],
            [
                drawn[id(variable)] if id(variable) in drawn else fixed[_name(variable)]
                for variable in self._model.non_trainable_variables
            ],
        )

    @cached_property
    def _generators(self) -> list[Any]:
        """State of the layers' random generators, in the layers' order."""
        kept = {id(variable) for variable in self._model.weights}
        return [variable for variable in self._model.non_trainable_variables if id(variable) not in kept]

    @property
    def fixed_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Those of the description, then the generators'."""
        described = (weight.shape for weight in self.described.fixed)
        return (*described, *(tuple(variable.shape) for variable in self._generators))

    def initial(self, seed: int) -> InitialValues:
        """By the description's initializers; each random layer's generator begins at a number of the seed and its
        place."""
        weights, fixed = split(self.described, tuple(initial_weights(self.described, seed)))
        return InitialValues(weights, (*fixed, *self._seeds(seed)))

    def _seeds(self, seed: int) -> Iterator[np.ndarray]:
        for n, variable in enumerate(self._generators):
            (word,) = np.random.SeedSequence([seed, n]).generate_state(1)
            yield np.array([int(word) >> 1, 0], variable.dtype)

    def forward(
        self, weights: Weights, fixed: Weights, features: tf.Tensor, noise: StatelessRandom | None = None
    ) -> tuple[tf.Tensor, Weights]:
        """Outputs float32 [B, outputs] for features float32, or int32 ids, [B, values], and `fixed` thereafter. With
        `noise`, as in training: of it no number is taken, as random layers have their generators in `fixed`."""
        trained_at, fixed_at = self._places
        x = tf.reshape(features, (-1, *self.described.inputs))
        told, after = self._model.stateless_call(
            [weights[at] for at in trained_at], [fixed[at] for at in fixed_at], x, training=noise is not None
        )
        changed = list(fixed)
        for at, value in zip(fixed_at, after, strict=True):
            changed[at] = value
        return tf.cast(told, tf.float32), tuple(changed)


def _no_value(*_: Any, **__: Any) -> Any:
    raise AssertionError("a layer's variable was read outside of a call that gives it a value")


def _name(variable: Any) -> str:
    """`conv2d_1/kernel`, as the description has it."""
    return variable.path
