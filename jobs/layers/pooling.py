"""Layers that make one value of a neighbourhood."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, Unfit, total, words
from jobs.layers.convolution import Padding, Side, Sides, image, pair, slid


class MaxPooling(Layer):
    """The largest value of each window."""

    type: Literal["max_pooling"] = "max_pooling"
    pool_size: Annotated[Side | Sides, Field(description="Height and width of the window.", examples=[2])] = 2
    strides: Annotated[
        Side | Sides | None, Field(description="Steps of the window; without them its size.", examples=[2])
    ] = None
    padding: Annotated[Padding, Field(description="`same`: windows may reach beyond the edge.")] = "valid"

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(height, width, channels)."""
        height, width, channels = image(self.type, inputs[0])
        size = pair(self.pool_size)
        strides = size if self.strides is None else pair(self.strides)
        places = [
            slid(length, side, stride=stride, padding=self.padding)
            for length, side, stride in zip((height, width), size, strides, strict=True)
        ]
        if min(places) < 1:
            raise Unfit(
                f"has a window of {words(size)}, and {words(inputs[0])} come in: it does not fit", field="pool_size"
            )
        return (*places, channels)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What is pooled, and what comes of it."""
        size = math.prod(self.output(inputs))
        return Cost(kept=2 * size, working=2 * size + total(inputs), evaluated=size)
