"""Layers that make one of several."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, Unfit, total, words

MOST_MERGED = 16


class _Merge(Layer):
    """Value by value; axes of length 1, and those that one lacks at its front, are repeated."""

    takes: ClassVar[tuple[int, int]] = (2, MOST_MERGED)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """That of the largest."""
        return reduce(_broadcast, inputs)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What comes of each two."""
        size = math.prod(self.output(inputs))
        # Of more than two each but the last leaves something in between.
        return Cost(
            kept=size * (0 if self.is_linear else len(inputs) - 1),
            working=2 * size + total(inputs),
            evaluated=2 * size,
        )

    is_linear: ClassVar[bool] = False
    """Whether backward needs no values."""


def _broadcast(one: Shape, other: Shape) -> Shape:
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    front, back = longer[: len(longer) - len(shorter)], longer[len(longer) - len(shorter) :]
    if any(a != b and 1 not in (a, b) for a, b in zip(back, shorter, strict=True)):
        raise Unfit(
            f"takes inputs of one shape, or of sides 1 where they differ, and {words(one)} and {words(other)} come in",
            field="inputs",
        )
    return (*front, *(b if a == 1 else a for a, b in zip(back, shorter, strict=True)))


class Add(_Merge):
    """The sum."""

    type: Literal["add"] = "add"
    is_linear: ClassVar[bool] = True


class Subtract(_Merge):
    """The first less the second."""

    type: Literal["subtract"] = "subtract"
    takes: ClassVar[tuple[int, int]] = (2, 2)
    is_linear: ClassVar[bool] = True


class Multiply(_Merge):
    """The product."""

    type: Literal["multiply"] = "multiply"


class Average(_Merge):
    """The mean."""

    type: Literal["average"] = "average"
    is_linear: ClassVar[bool] = True


class Maximum(_Merge):
    """The largest."""

    type: Literal["maximum"] = "maximum"


class Minimum(_Merge):
    """The smallest."""

    type: Literal["minimum"] = "minimum"


class Concatenate(Layer):
    """All, one after the other along an axis."""

    type: Literal["concatenate"] = "concatenate"
    axis: Annotated[
        int,
        Field(ge=-8, le=8, description="Counted as Keras does: the first of an example is 1, the last -1."),
    ] = -1

    takes: ClassVar[tuple[int, int]] = (2, MOST_MERGED)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As long as all together along the axis."""
        axes = len(inputs[0])
        come = ", ".join(map(words, inputs))
        if any(len(shape) != axes for shape in inputs):
            raise Unfit(f"takes inputs with the same number of axes, and {come} come in", field="inputs")
        if self.axis == 0 or not -axes <= self.axis <= axes:
            raise Unfit(
                f"has axis {self.axis}, and {come} come in: it must be 1 to {axes}, or -1 to -{axes}", field="axis"
            )
        at = self.axis - 1 if self.axis > 0 else axes + self.axis
        if len({(shape[:at], shape[at + 1 :]) for shape in inputs}) > 1:
            raise Unfit(
                f"takes inputs that differ along its axis {self.axis} alone, and {come} come in", field="inputs"
            )
        return (*inputs[0][:at], sum(shape[at] for shape in inputs), *inputs[0][at + 1 :])
