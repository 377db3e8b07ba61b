"""Non-linearities by Keras' names, as parameters of layers and as a layer."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, total

Activation = Literal[
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "softmax",
    "softplus",
    "softsign",
    "exponential",
    "log_sigmoid",
    "tanh_shrink",
    "squareplus",
]
_IN_PLACE = frozenset({"linear", "relu", "relu6", "tanh", "sigmoid"})
"""Those whose gradient is a function of what they give: backward keeps that alone."""


def terms(activation: str) -> int:
    """Arrays as large as what it gives that it keeps for backward, beside that."""
    return 0 if activation in _IN_PLACE else 3


def maps(activation: str) -> int:
    """Arrays as large as what it gives that are there at once, forward: before and after, and terms between them."""
    return 2 + terms(activation)


class ActivationLayer(Layer):
    """A non-linearity by itself."""

    type: Literal["activation"] = "activation"
    activation: Annotated[Activation, Field(description="Keras' name of it.", examples=["relu"])]

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As it comes."""
        return inputs[0]

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Its terms."""
        size = math.prod(inputs[0])
        return Cost(
            kept=size * (1 + terms(self.activation)),
            working=2 * size + total(inputs),
            evaluated=size * (maps(self.activation) - 1),
        )
