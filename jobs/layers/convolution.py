"""Layers that look at each place's neighbourhood."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from jobs.layers.activations import Activation, maps, terms
from jobs.layers.base import Cost, Layer, Shape, Unfit, Weight, total, words
from jobs.layers.initializers import Initializer
from jobs.layers.regularizers import Regularizer

Side = Annotated[int, Field(ge=1, le=64)]
Sides = Annotated[tuple[Side, Side], Field(strict=False)]
Filters = Annotated[int, Field(ge=1, le=8192)]
Padding = Literal["valid", "same"]


def pair(sides: int | tuple[int, int]) -> tuple[int, int]:
    """Along height and width."""
    return (sides, sides) if isinstance(sides, int) else sides


def slid(length: int, window: int, *, stride: int, padding: str) -> int:
    """Places of a window along an axis; fewer than 1 where it does not fit. Of a dilated window its reach counts."""
    return -(-length // stride) if padding != "valid" else (length - window) // stride + 1


def image(layer: str, shape: Shape) -> tuple[int, int, int]:
    """(height, width, channels). Raises Unfit."""
    if len(shape) != 3:
        raise Unfit(f"takes images (height x width x channels), and {words(shape)} come in")
    height, width, channels = shape
    return height, width, channels


class Conv2D(Layer):
    """Convolution of images [height, width, channels]."""

    type: Literal["conv2d"] = "conv2d"
    filters: Annotated[Filters, Field(description="Channels that it gives.", examples=[32])]
    kernel_size: Annotated[Side | Sides, Field(description="Height and width of the window.", examples=[3])]
    strides: Annotated[Side | Sides, Field(description="Steps of the window.", examples=[1])] = 1
    padding: Annotated[
        Padding, Field(description="`same`: zeros around it, so that strides alone make it smaller.")
    ] = "valid"
    dilation_rate: Annotated[Side | Sides, Field(description="Distance of the window's values.", examples=[1])] = 1
    groups: Annotated[
        int, Field(ge=1, le=8192, description="Parts of the channels that are convolved by themselves.")
    ] = 1
    activation: Annotated[Activation, Field(description="Non-linearity, by Keras' name.")] = "linear"
    use_bias: Annotated[bool, Field(description="Whether each filter has a bias.")] = True
    kernel_initializer: Annotated[Initializer, Field(description="First values of the kernel.")] = "glorot_uniform"
    bias_initializer: Annotated[Initializer, Field(description="First values of the bias.")] = "zeros"
    kernel_regularizer: Annotated[
        Regularizer | None, Field(description="What large kernels cost.", examples=[{"l2": 0.0001}])
    ] = None
    bias_regularizer: Annotated[
        Regularizer | None, Field(description="What a large bias costs.", examples=[{"l2": 0.0001}])
    ] = None

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(height, width, filters)."""
        height, width, channels = image(self.type, inputs[0])
        strides, dilation = pair(self.strides), pair(self.dilation_rate)
        if max(strides) > 1 and max(dilation) > 1:
            raise Unfit("has strides and dilation_rate above 1: one of them may be", field="dilation_rate")
        if channels % self.groups or self.filters % self.groups:
            raise Unfit(
                f"has {self.groups} groups, of which neither {channels} channels nor {self.filters} filters may leave "
                "a rest",
                field="groups",
            )
        reach = [(side - 1) * gap + 1 for side, gap in zip(pair(self.kernel_size), dilation, strict=True)]
        places = [
            slid(length, window, stride=stride, padding=self.padding)
            for length, window, stride in zip((height, width), reach, strides, strict=True)
        ]
        if min(places) < 1:
            raise Unfit(
                f"has a window of {words(tuple(reach))}, and {words(inputs[0])} come in: it does not fit",
                field="kernel_size",
            )
        return (*places, self.filters)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """kernel [height, width, channels / groups, filters], bias [filters]."""
        shape = (*pair(self.kernel_size), inputs[0][-1] // self.groups, self.filters)
        kernel = Weight("kernel", shape, self.kernel_initializer, self.kernel_regularizer)
        bias = Weight("bias", (self.filters,), self.bias_initializer, self.bias_regularizer)
        return (kernel, bias) if self.use_bias else (kernel,)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """The window's product at each place."""
        size = math.prod(self.output(inputs))
        return Cost(
            products=size * math.prod(pair(self.kernel_size)) * (inputs[0][-1] // self.groups),
            kept=size * (1 + terms(self.activation)),
            working=2 * size + total(inputs),
            evaluated=size * maps(self.activation),
        )
