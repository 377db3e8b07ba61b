"""Layers that disturb what comes in, while training."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape
from jobs.layers.windows import image_or_sequence

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


class SpatialDropout(Layer):
    """Sets whole channels of an image or features of a sequence to 0 at random, and scales the others up (Tompson et
    al. 2015)."""

    type: Literal["spatial_dropout"] = "spatial_dropout"
    rate: Rate

    @property
    def is_random(self) -> bool:
        """Unless nothing is dropped."""
        return self.rate > 0

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As it comes."""
        image_or_sequence(inputs[0])
        return inputs[0]

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What it leaves, and what is in between."""
        size = math.prod(inputs[0])
        return Cost(kept=2 * size, working=4 * size) if self.is_random else Cost()


class GaussianNoise(Layer):
    """Adds normal numbers."""

    type: Literal["gaussian_noise"] = "gaussian_noise"
    stddev: Annotated[float, Field(ge=0.0, le=1e3, description="Their standard deviation.", examples=[0.1])]

    @property
    def is_random(self) -> bool:
        """Unless they are all 0."""
        return self.stddev > 0

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As it comes."""
        return inputs[0]

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What it gives, and the numbers that are drawn."""
        size = math.prod(inputs[0])
        return Cost(kept=size, working=7 * size) if self.is_random else Cost()
