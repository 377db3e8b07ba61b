"""Layers that put values in another order or shape."""

import math
from collections.abc import Sequence
from typing import Literal

from jobs.layers.base import Cost, Layer, Shape


class Flatten(Layer):
    """All values in a row."""

    type: Literal["flatten"] = "flatten"

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(values,)."""
        return (math.prod(inputs[0]),)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Nothing: the values stay where they are."""
        return Cost()
