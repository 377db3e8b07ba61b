"""Layers that look numbers up."""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, Weight
from jobs.layers.initializers import Initializer
from jobs.layers.regularizers import Penalty

MOST_IDS = 1_000_000


class Embedding(Layer):
    """A learnt vector for each whole number, which are the example's own: it takes `input` alone."""

    type: Literal["embedding"] = "embedding"
    input_dim: Annotated[
        int, Field(ge=1, le=MOST_IDS, description="How many numbers there are: 0 … input_dim - 1.", examples=[1000])
    ]
    output_dim: Annotated[int, Field(ge=1, le=65_536, description="Values of a vector.", examples=[16])]
    embeddings_initializer: Annotated[Initializer, Field(description="First values of the vectors.")] = "random_uniform"
    embeddings_regularizer: Annotated[Penalty, Field(description="What large values cost.")] = None

    takes_ids: ClassVar[bool] = True

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(…, output_dim)."""
        return (*inputs[0], self.output_dim)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """embeddings [input_dim, output_dim]."""
        del inputs
        shape = (self.input_dim, self.output_dim)
        return (Weight("embeddings", shape, self.embeddings_initializer, self.embeddings_regularizer),)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What is looked up."""
        size = math.prod(self.output(inputs))
        return Cost(kept=size, working=2 * size, evaluated=2 * size)
