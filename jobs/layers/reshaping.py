"""Layers that put values in another order or shape, or more or fewer of them."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from jobs.layers.base import MOST_VALUES, Cost, Layer, Shape, Unfit, words
from jobs.layers.windows import Sides, along, form, image_or_sequence

MOST_AXES = 4

Edge = Annotated[int, Field(ge=0, le=1024)]
_Edges = Annotated[tuple[Edge, Edge], Field(strict=False)]
_EdgePairs = Annotated[tuple[_Edges, _Edges], Field(strict=False)]
Edges = Annotated[
    Annotated[Edge, Tag("side")] | Annotated[_Edges, Tag("pair")] | Annotated[_EdgePairs, Tag("pairs")],
    Discriminator(form),
]


class Flatten(Layer):
    """All values in a row."""

    type: Literal["flatten"] = "flatten"

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(values,)."""
        return (math.prod(inputs[0]),)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Nothing: the values stay where they are."""
        del inputs
        return Cost()


class Reshape(Layer):
    """The values in another shape."""

    type: Literal["reshape"] = "reshape"
    target_shape: Annotated[
        tuple[Annotated[int, Field(ge=-1, le=MOST_VALUES)], ...],
        Field(
            min_length=1,
            max_length=MOST_AXES,
            strict=False,
            description="Of an example; one axis may be -1: what is left for it.",
            examples=[[7, 7, -1]],
        ),
    ]

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """The target's."""
        size, target = math.prod(inputs[0]), self.target_shape
        if 0 in target or target.count(-1) > 1:
            raise Unfit("has a target_shape of which no axis may be 0 and one may be -1", field="target_shape")
        known = math.prod(side for side in target if side > 0)
        if size % known or (-1 not in target and size != known):
            wanted = " x ".join("?" if side < 0 else f"{side:,}" for side in target)
            raise Unfit(
                f"takes {words(inputs[0])} = {size:,} values, and they do not go into {wanted}", field="target_shape"
            )
        return tuple(size // known if side < 0 else side for side in target)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Nothing: the values stay where they are."""
        del inputs
        return Cost()


class Permute(Layer):
    """The axes in another order."""

    type: Literal["permute"] = "permute"
    dims: Annotated[
        tuple[Annotated[int, Field(ge=1, le=8)], ...],
        Field(
            min_length=1,
            max_length=8,
            strict=False,
            description="Which axis, counted from 1, becomes the first, the second, ….",
            examples=[[2, 1]],
        ),
    ]

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """In that order."""
        shape = inputs[0]
        if sorted(self.dims) != list(range(1, len(shape) + 1)):
            wanted = ", ".join(map(str, range(1, len(shape) + 1)))
            raise Unfit(f"takes {words(shape)}, so dims must have each of {wanted} once", field="dims")
        return tuple(shape[axis - 1] for axis in self.dims)


class ZeroPadding(Layer):
    """Zeros around an image, or before and behind a sequence."""

    type: Literal["zero_padding"] = "zero_padding"
    padding: Annotated[
        Edges,
        Field(
            description="How many: one for all edges; of an image also (height, width) or ((top, bottom), (left, "
            "right)), of a sequence (before, behind).",
            examples=[1],
        ),
    ] = 1

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """Larger by them."""
        lengths = image_or_sequence(inputs[0])
        edges = _edges(self.padding, len(lengths), field="padding")
        return (*(sum(edge) + length for edge, length in zip(edges, lengths, strict=True)), inputs[0][-1])


class Cropping(Layer):
    """An image without its edges, or a sequence without its ends."""

    type: Literal["cropping"] = "cropping"
    cropping: Annotated[
        Edges,
        Field(
            description="How much goes: one for all edges; of an image also (height, width) or ((top, bottom), (left, "
            "right)), of a sequence (before, behind).",
            examples=[1],
        ),
    ]

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """Smaller by them."""
        lengths = image_or_sequence(inputs[0])
        edges = _edges(self.cropping, len(lengths), field="cropping")
        left = [length - sum(edge) for edge, length in zip(edges, lengths, strict=True)]
        if min(left) < 1:
            gone = words(tuple(map(sum, edges)))
            raise Unfit(f"crops {gone} of {words(lengths)}, and nothing is left", field="cropping")
        return (*left, inputs[0][-1])


class UpSampling(Layer):
    """An image or a sequence made larger."""

    type: Literal["up_sampling"] = "up_sampling"
    size: Annotated[Sides, Field(description="Along height and width, or one for both.", examples=[2])] = 2
    interpolation: Annotated[
        Literal["nearest", "bilinear"],
        Field(description="What the new values are: repeated, or in between. Of sequences `nearest` alone."),
    ] = "nearest"

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """So many times as large."""
        lengths = image_or_sequence(inputs[0])
        if len(lengths) == 1 and self.interpolation != "nearest":
            raise Unfit("makes sequences larger by `nearest` alone", field="interpolation")
        times = along(self.size, len(lengths), field="size")
        return (*(length * by for length, by in zip(lengths, times, strict=True)), inputs[0][-1])


def _edges(given: Any, axes: int, *, field: str) -> tuple[tuple[int, int], ...]:
    """(before, behind) along each axis. Raises Unfit for those of an image where a sequence comes in."""
    if isinstance(given, int):
        return ((given, given),) * axes
    first, second = given
    if axes == 1:
        if not isinstance(first, int):
            raise Unfit(f"has a {field} of two axes, and sequences have one", field=field)
        return ((first, second),)
    return ((first, first), (second, second)) if isinstance(first, int) else (first, second)
