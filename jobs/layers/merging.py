"""Layers that make one of several."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from jobs.layers.base import Cost, Layer, Shape, Unfit, total, words

MOST_MERGED = 16


class Add(Layer):
    """The sum of its inputs, which have one shape."""

    type: Literal["add"] = "add"

    takes: ClassVar[tuple[int, int]] = (2, MOST_MERGED)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """That of each."""
        if len(set(inputs)) > 1:
            raise Unfit(f"takes inputs of one shape, and {', '.join(map(words, inputs))} come in", field="inputs")
        return inputs[0]

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """The sum."""
        size = math.prod(inputs[0])
        return Cost(working=size + total(inputs), evaluated=size)
