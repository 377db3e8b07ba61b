"""What every kind of layer tells of itself: the shapes it gives, its weights, and what it costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field, StringConstraints

from jobs import patterns
from jobs.frozen import Frozen
from jobs.layers.initializers import Initializer
from jobs.layers.regularizers import Regularizer

Shape = tuple[int, ...]
"""Of one example: without the batch."""
LayerName = Annotated[
    str,
    StringConstraints(pattern=patterns.LAYER_NAME),
    Field(examples=["block_1"]),
]
MODES = frozenset({"eager", "graph", "xla"})
FORMATS = frozenset({"keras", "onnx", "tflite", "tflite_int8", "saved_model"})
LACKING: Mapping[str, frozenset[str]] = {
    # What it is written as strays by a tenth in whole numbers.
    "celu": frozenset({"tflite_int8"}),
    # Its divisor may be 0 in whole numbers.
    "softsign": frozenset({"tflite_int8"}),
}
"""Formats that networks with an activation cannot leave in."""
MOST_VALUES = 1 << 28
"""Values of one example that a layer may give."""


class Unfit(Exception):
    """A layer cannot take what comes in, or its parameters do not go together. `field` is the parameter's name."""

    def __init__(self, detail: str, *, field: str = "") -> None:
        super().__init__(detail)
        self.field = field


@dataclass(frozen=True, slots=True)
class Weight:
    """An array that a layer keeps, as Keras names and shapes it."""

    name: str
    shape: Shape
    initializer: Initializer = "zeros"
    regularizer: Regularizer | None = None
    is_trained: bool = True
    """False for what is no matter of gradients: the moving statistics of a batch normalization."""
    ones: tuple[int, int] | None = None
    """Places along the last axis, from the first to before the second, that begin at 1 whatever `initializer` says."""
    fans: tuple[int, int] | None = None
    """Inputs of each value that comes out, and outputs of each that comes in, where the shape does not tell them as a
    convolution's does."""

    @property
    def size(self) -> int:
        """Number of its values."""
        return math.prod(self.shape)


class Cost(NamedTuple):
    """What a layer takes for one example, in values and multiplications."""

    products: int = 0
    """Multiplications, forward."""
    kept: int = 0
    """Values that backward needs, beside the layer's inputs."""
    working: int = 0
    """Values that are there while the layer is computed, forward or backward."""
    evaluated: int = 0
    """Values that are there while it is computed forward alone, beside its inputs."""


class Layer(Frozen):
    """A layer. Its parameters are Keras', under the same names; images and sequences have their channels last.

    The methods take the shapes of the inputs, in their order.
    """

    type: Any
    name: Annotated[
        LayerName | None,
        Field(
            description="By which other layers and `freeze` name it; without one `TYPE_PLACE`, as `conv2d_1`.",
            examples=["block_1"],
        ),
    ] = None
    inputs: Annotated[
        tuple[LayerName, ...] | None,
        Field(
            min_length=1,
            max_length=16,
            strict=False,
            description="Names of the layers before it whose outputs it takes; `input` is the example. Without them "
            "it takes the layer before it.",
            examples=[["input"]],
        ),
    ] = None

    takes: ClassVar[tuple[int, int]] = (1, 1)
    """Fewest and most inputs."""
    modes: ClassVar[frozenset[str]] = MODES
    """Execution modes in which it can be trained."""
    has_batch_statistics: ClassVar[bool] = False
    """Whether the other examples of a batch change what it makes of one in training."""
    is_convolution: ClassVar[bool] = False
    """Whether it is one, which XLA computes slowly on a CPU."""
    takes_ids: ClassVar[bool] = False
    """Whether it takes whole numbers: those of the example, as they were uploaded."""

    @property
    def formats(self) -> frozenset[str]:
        """Formats in which a network with it can leave; tests/worker/files/test_layer_formats.py tries each."""
        return FORMATS - LACKING.get(getattr(self, "activation", ""), frozenset())

    @property
    def is_random(self) -> bool:
        """Whether training draws numbers for it at every step."""
        return False

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of what it gives. Raises Unfit."""
        raise NotImplementedError

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """Its weights, in Keras' order, named within the layer: `kernel`."""
        del inputs
        return ()

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What it takes; here of a layer that gives a new array and multiplies nothing."""
        size = math.prod(self.output(inputs))
        return Cost(kept=size, working=2 * size + total(inputs), evaluated=2 * size)


def total(shapes: Sequence[Shape]) -> int:
    """Values in all of them."""
    return sum(map(math.prod, shapes))


def words(shape: Shape) -> str:
    """`28 x 28 x 1`."""
    return " x ".join(f"{side:,}" for side in shape)
