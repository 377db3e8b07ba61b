"""Non-linearities by Keras' names, as parameters of layers and as a layer."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, Unfit, total

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
    "swish",
    "mish",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "hard_shrink",
    "soft_shrink",
    "softmax",
    "log_softmax",
    "softplus",
    "softsign",
    "exponential",
    "log_sigmoid",
    "tanh_shrink",
    "squareplus",
    "sparse_plus",
    "sparse_sigmoid",
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
    negative_slope: Annotated[
        float | None,
        Field(ge=0.0, le=10.0, description="Of `leaky_relu` alone, below 0; without it Keras' 0.2.", examples=[0.1]),
    ] = None

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As it comes."""
        if self.negative_slope is not None and self.activation != "leaky_relu":
            raise Unfit(f"has a negative_slope, and {self.activation} has none", field="negative_slope")
        return inputs[0]

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Its terms."""
        size = math.prod(inputs[0])
        return Cost(
            kept=size * (1 + terms(self.activation)),
            working=2 * size + total(inputs),
            evaluated=size * (maps(self.activation) - 1),
        )
