"""Layers that disturb what comes in, while training."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape

Rate = Annotated[float, Field(ge=0.0, le=0.95, description="Share of them.", examples=[0.5])]


class Dropout(Layer):
    """Sets values to 0 at random, and scales the others up (Srivastava et al. 2014)."""

    type: Literal["dropout"] = "dropout"
    rate: Rate

    @property
    def is_random(self) -> bool:
        """Unless nothing is dropped."""
        return self.rate > 0

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As it comes."""
        return inputs[0]

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What it leaves, its mask, and the numbers that are drawn."""
        size = math.prod(inputs[0])
        return Cost(kept=2 * size, working=7 * size) if self.is_random else Cost()
