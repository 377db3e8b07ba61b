"""Windows that slide along an image or a sequence: their parameters, and in how many places they fit."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from jobs.layers.base import Shape, Unfit, words

Side = Annotated[int, Field(ge=1, le=64)]
Pair = Annotated[tuple[Side, Side], Field(strict=False)]


def form(given: Any) -> str:
    """Which of the forms of a parameter with several a value is meant to have: one complaint is enough."""
    if not isinstance(given, list | tuple):
        return "side"
    return "pairs" if any(isinstance(each, list | tuple) for each in given) else "pair"  # pyright: ignore[reportUnknownVariableType] (of anything)


def _one_or_two(given: Any) -> str:
    return "pair" if isinstance(given, list | tuple) else "side"


Sides = Annotated[Annotated[Side, Tag("side")] | Annotated[Pair, Tag("pair")], Discriminator(_one_or_two)]
"""One for all axes, or height and width."""
Padding = Literal["valid", "same"]


def image(shape: Shape) -> Shape:
    """(height, width). Raises Unfit for what is no image."""
    if len(shape) != 3:
        raise Unfit(f"takes images (height x width x channels), and {words(shape)} come in")
    return shape[:-1]


def sequence(shape: Shape) -> Shape:
    """(steps,). Raises Unfit for what is no sequence."""
    if len(shape) != 2:
        raise Unfit(f"takes sequences (steps x features), and {words(shape)} come in")
    return shape[:-1]


def image_or_sequence(shape: Shape) -> Shape:
    """(height, width) or (steps,). Raises Unfit for what is neither."""
    if len(shape) not in (2, 3):
        raise Unfit(
            f"takes images (height x width x channels) or sequences (steps x features), and {words(shape)} come in"
        )
    return shape[:-1]


def along(sides: int | tuple[int, int], axes: int, *, field: str) -> tuple[int, ...]:
    """A side for each axis. Raises Unfit for two sides of a sequence."""
    if isinstance(sides, int):
        return (sides,) * axes
    if axes != 2:
        raise Unfit(f"has two sides in {field}, and sequences have one axis: give one number", field=field)
    return sides


def reach(window: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """How far a dilated window goes."""
    return tuple((side - 1) * gap + 1 for side, gap in zip(window, dilation, strict=True))


def slid(
    lengths: Shape, window: Sequence[int], strides: Sequence[int], *, padding: str, field: str = "kernel_size"
) -> Shape:
    """Places of a window along each axis; of a dilated one its reach counts. Raises Unfit where it does not fit."""
    places = tuple(
        -(-length // stride) if padding != "valid" else (length - side) // stride + 1
        for length, side, stride in zip(lengths, window, strides, strict=True)
    )
    if min(places) < 1:
        raise Unfit(f"has a window of {words(tuple(window))}, which does not fit into {words(lengths)}", field=field)
    return places


def check_dilation(strides: Sequence[int], dilation: Sequence[int]) -> None:
    """Raise Unfit for a window that leaves out values in both ways."""
    if max(strides) > 1 and max(dilation) > 1:
        raise Unfit("has strides and dilation_rate above 1: one of them may be", field="dilation_rate")
