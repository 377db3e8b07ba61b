"""Layers that connect every value with every one."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from jobs.layers.activations import Activation, maps, terms
from jobs.layers.base import Cost, Layer, Shape, Unfit, Weight, total
from jobs.layers.initializers import Initializer
from jobs.layers.regularizers import Penalty

Units = Annotated[int, Field(ge=1, le=65_536)]


class Dense(Layer):
    """activation(x·W + b), along the last axis of what comes in."""

    type: Literal["dense"] = "dense"
    units: Annotated[
        Units | None,
        Field(
            description="Values that it gives. The network's last layer may leave it out: one a class or target.",
            examples=[64],
        ),
    ] = None
    activation: Annotated[Activation, Field(description="Non-linearity, by Keras' name.")] = "linear"
    use_bias: Annotated[bool, Field(description="Whether b is there.")] = True
    kernel_initializer: Annotated[Initializer, Field(description="First values of W.")] = "glorot_uniform"
    bias_initializer: Annotated[Initializer, Field(description="First values of b.")] = "zeros"
    kernel_regularizer: Annotated[Penalty, Field(description="What large values of W cost.")] = None
    bias_regularizer: Annotated[Penalty, Field(description="What large values of b cost.")] = None

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """The last axis becomes `units`."""
        if self.units is None:
            raise Unfit("needs units; the last layer's alone may be left out", field="units")
        return (*inputs[0][:-1], self.units)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """kernel [last axis, units], bias [units]."""
        (*_, width), (*_, units) = inputs[0], self.output(inputs)
        kernel = Weight("kernel", (width, units), self.kernel_initializer, self.kernel_regularizer)
        bias = Weight("bias", (units,), self.bias_initializer, self.bias_regularizer)
        return (kernel, bias) if self.use_bias else (kernel,)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """The product."""
        size = math.prod(self.output(inputs))
        return Cost(
            products=size * inputs[0][-1],
            kept=size * (1 + terms(self.activation)),
            working=2 * size + total(inputs),
            evaluated=size * maps(self.activation),
        )
