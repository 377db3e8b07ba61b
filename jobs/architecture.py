"""The one description of a network: its layers with their shapes, weights, memory and work.

Estimates, refusals, the engine and exports read it; none of them computes a shape of its own.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from jobs.datasets import DatasetInfo
from jobs.errors import InvalidSpec
from jobs.spec import CNN, MLP, Model, Softmax

OUTPUT = "output"
"""Name of the last layer."""
Shape = tuple[int, ...]

MEMORY_PER_WEIGHT = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2}
"""Values that each optimizer remembers for a weight."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A trained array."""

    name: str
    shape: Shape

    @property
    def size(self) -> int:
        """Number of its values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layer:
    """A layer, with the activation, pooling and dropout that belong to it. Shapes are those of one example."""

    kind: Literal["dense", "convolution"]
    name: str
    inputs: Shape
    """(width,), or (height, width, channels)."""
    kernel: Shape
    """(inputs, outputs), or (side, side, channels in, channels out): the last axis is what comes out."""
    activation: str
    places: int = 1
    """Where the kernel is applied: the pixels of a convolution, which keeps the image's size."""
    pool: tuple[int, int] = (1, 1)
    """Rows and columns of which the largest value stays; an axis of one pixel is not pooled."""
    dropout: float = 0.0
    """Share of the inputs that training sets to 0."""

    @cached_property
    def outputs(self) -> Shape:
        """(width,), or (height, width, channels) after pooling."""
        if self.kind == "dense":
            return self.kernel[-1:]
        height, width, _ = self.inputs
        return (height // self.pool[0], width // self.pool[1], self.kernel[-1])

    @cached_property
    def weights(self) -> tuple[Weight, Weight]:
        """Kernel and bias."""
        return Weight(f"{self.name}/kernel", self.kernel), Weight(f"{self.name}/bias", self.kernel[-1:])

    @cached_property
    def parameters(self) -> int:
        """Number of trained values."""
        return sum(weight.size for weight in self.weights)

    @property
    def fan_in(self) -> int:
        """Inputs of each value that comes out."""
        return math.prod(self.kernel[:-1])

    @property
    def values(self) -> int:
        """Values of one example behind the kernel, before pooling."""
        return self.kernel[-1] * self.places

    @property
    def products(self) -> int:
        """Multiplications for one example, forward."""
        return math.prod(self.kernel) * self.places


@dataclass(frozen=True, eq=False)
class Architecture:
    """A network's layers, first to last; each takes what the one before gives, flattened where it is dense.

    Of the same model and data it is the same object, by which what is computed of it is kept.
    """

    inputs: Shape
    """Of an example: (height, width, channels), or (width,) for a row."""
    layers: tuple[Layer, ...]

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """All weights, layer by layer."""
        return tuple(weight for layer in self.layers for weight in layer.weights)

    @cached_property
    def parameters(self) -> int:
        """Number of trained values."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def values(self) -> int:
        """Values of one example behind all kernels."""
        return sum(layer.values for layer in self.layers)

    @cached_property
    def flops(self) -> int:
        """Multiplications and additions of training on one example: two a product forward, as many for the kernel's
        gradient, and as many for the gradient of the layer's input, which the first layer does not need."""
        work = [2 * layer.products for layer in self.layers]
        return 3 * sum(work) - work[0]


def describe(model: Model, dataset: DatasetInfo) -> Architecture:
    """The network of a spec for a dataset's examples, and its classes or targets.

    Raises InvalidSpec for convolutions over what is no image.
    """
    return _described(model, dataset)  # pyright: ignore[reportArgumentType] (frozen, as pydantic says it)


# Jobs come in series of the same.
@lru_cache(maxsize=256)
def _described(model: Model, dataset: DatasetInfo) -> Architecture:
    match model:
        case Softmax():
            layers = _dense(dataset.values, (), dataset.outputs, activation="linear")
        case MLP():
            layers = _dense(
                dataset.values, model.hidden, dataset.outputs, activation=model.activation, dropout=model.dropout
            )
        case CNN():
            if len(dataset.shape) != 3:
                shape = " x ".join(map(str, dataset.shape))
                what = "rows" if dataset.kind == "table" else f"arrays of {shape}"
                raise InvalidSpec(f"a cnn needs images, and {dataset.name} has {what}", pointer="/model/type")
            blocks = _convolutions(model, dataset.shape)
            # What comes from convolutions is dropped too, an image's own pixels are not.
            layers = blocks + _dense(
                math.prod(blocks[-1].outputs),
                model.dense,
                dataset.outputs,
                activation=model.activation,
                dropout=model.dropout,
                first_dropout=model.dropout,
            )
    return Architecture(dataset.shape, layers)


def _convolutions(model: CNN, image: tuple[int, int, int]) -> tuple[Layer, ...]:
    """Blocks that keep the image's size, then halve it."""
    height, width, channels = image
    blocks: list[Layer] = []
    for index, filters in enumerate(model.filters, 1):
        block = Layer(
            "convolution",
            f"convolution_{index}",
            inputs=(height, width, channels),
            kernel=(model.kernel_size, model.kernel_size, channels, filters),
            activation=model.activation,
            places=height * width,
            pool=(min(2, height), min(2, width)),
        )
        blocks.append(block)
        height, width, channels = block.outputs
    return tuple(blocks)


def _dense(
    inputs: int,
    hidden: tuple[int, ...],
    classes: int,
    *,
    activation: str,
    dropout: float = 0.0,
    first_dropout: float = 0.0,
) -> tuple[Layer, ...]:
    """Hidden layers and the output layer, which has no activation."""
    layers: list[Layer] = []
    for index, width in enumerate((*hidden, classes), 1):
        is_output = index > len(hidden)
        layers.append(
            Layer(
                "dense",
                OUTPUT if is_output else f"dense_{index}",
                inputs=(inputs,),
                kernel=(inputs, width),
                activation="linear" if is_output else activation,
                dropout=dropout if index > 1 else first_dropout,
            )
        )
        inputs = width
    return tuple(layers)
