"""Layers that make one value of a neighbourhood."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, total
from jobs.layers.windows import Padding, Sides, along, image_or_sequence, slid


class _Pooling(Layer):
    """Of an image's or a sequence's windows."""

    pool_size: Annotated[
        Sides, Field(description="Height and width of the window, or one for both; steps of a sequence.", examples=[2])
    ] = 2
    strides: Annotated[Sides | None, Field(description="Steps of the window; without them its size.", examples=[2])] = (
        None
    )
    padding: Annotated[Padding, Field(description="`same`: windows may reach beyond the edge.")] = "valid"

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(height, width, channels) or (steps, features)."""
        lengths = image_or_sequence(inputs[0])
        size = along(self.pool_size, len(lengths), field="pool_size")
        strides = size if self.strides is None else along(self.strides, len(lengths), field="strides")
        return (*slid(lengths, size, strides, padding=self.padding, field="pool_size"), inputs[0][-1])

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What is pooled, and what comes of it."""
        size = math.prod(self.output(inputs))
        return Cost(kept=2 * size, working=2 * size + total(inputs), evaluated=size)


class MaxPooling(_Pooling):
    """The largest value of each window."""

    type: Literal["max_pooling"] = "max_pooling"


class AveragePooling(_Pooling):
    """The mean of each window."""

    type: Literal["average_pooling"] = "average_pooling"


class _GlobalPooling(Layer):
    """Of a whole image or sequence."""

    keepdims: Annotated[bool, Field(description="Whether the axes stay, with a length of 1.")] = False

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(channels,)."""
        lengths, channels = image_or_sequence(inputs[0]), inputs[0][-1]
        return (*(1 for _ in lengths), channels) if self.keepdims else (channels,)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What is pooled, and what comes of it."""
        size = inputs[0][-1]
        return Cost(kept=2 * size, working=2 * size + 2 * total(inputs), evaluated=2 * size)


class GlobalMaxPooling(_GlobalPooling):
    """The largest value of each channel."""

    type: Literal["global_max_pooling"] = "global_max_pooling"


class GlobalAveragePooling(_GlobalPooling):
    """The mean of each channel."""

    type: Literal["global_average_pooling"] = "global_average_pooling"
