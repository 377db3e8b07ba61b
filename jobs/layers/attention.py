"""Layers that look wherever it matters."""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, Unfit, Weight, total, words
from jobs.layers.initializers import Initializer
from jobs.layers.noise import Rate
from jobs.layers.regularizers import Penalty
from jobs.layers.windows import sequence

Width = Annotated[int, Field(ge=1, le=4096)]


class MultiHeadAttention(Layer):
    """Attention of sequences [steps, features] (Vaswani et al. 2017). Its inputs are query, value and, if it is not the
    value, key; of one input alone it is self-attention.
    """

    type: Literal["multi_head_attention"] = "multi_head_attention"
    num_heads: Annotated[int, Field(ge=1, le=256, description="Heads, each with its own look.", examples=[4])]
    key_dim: Annotated[Width, Field(description="Values of a head's queries and keys.", examples=[16])]
    value_dim: Annotated[
        Width | None, Field(description="Values of a head's values; without it `key_dim`.", examples=[16])
    ] = None
    dropout: Annotated[Rate, Field(description="Share of what is looked at that is dropped in training.")] = 0.0
    use_bias: Annotated[bool, Field(description="Whether its four products have biases.")] = True
    use_causal_mask: Annotated[bool, Field(description="Whether no step sees later ones.")] = False
    kernel_initializer: Annotated[Initializer, Field(description="First values of the kernels.")] = "glorot_uniform"
    bias_initializer: Annotated[Initializer, Field(description="First values of the biases.")] = "zeros"
    kernel_regularizer: Annotated[Penalty, Field(description="What large kernels cost.")] = None
    bias_regularizer: Annotated[Penalty, Field(description="What large biases cost.")] = None

    takes: ClassVar[tuple[int, int]] = (1, 3)

    @property
    def is_random(self) -> bool:
        """Where it drops."""
        return self.dropout > 0

    @property
    def values(self) -> int:
        """Of a head."""
        return self.value_dim or self.key_dim

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """The query's."""
        for shape in inputs:
            sequence(shape)
        query, value, key = self._taken(inputs)
        if value[0] != key[0]:
            raise Unfit(
                f"takes as many keys as values, and {words(value)} and {words(key)} come in as value and key",
                field="inputs",
            )
        return query

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """Kernel [features, heads, dim] and bias [heads, dim] of query, key and value; kernel [heads, dim, features]
        and bias [features] of the output."""
        query, value, key = self._taken(inputs)
        weights: list[Weight] = []
        for name, features, width in (
            ("query", query[-1], self.key_dim),
            ("key", key[-1], self.key_dim),
            ("value", value[-1], self.values),
        ):
            fans = features, self.num_heads * width
            weights += self._pair(name, (features, self.num_heads, width), (self.num_heads, width), fans=fans)
        fans = self.num_heads * self.values, query[-1]
        shape = self.num_heads, self.values, query[-1]
        return (*weights, *self._pair("attention_output", shape, (query[-1],), fans=fans))

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Its four products, and those of queries with keys and of what is looked at with values."""
        query, value, key = self._taken(inputs)
        heads, narrow, wide = self.num_heads, self.key_dim, self.values
        looks = heads * query[0] * key[0]
        projected = heads * ((query[0] + key[0]) * narrow + value[0] * wide)
        told = heads * query[0] * wide
        size = math.prod(query)
        return Cost(
            products=heads * narrow * (math.prod(query) + math.prod(key))
            + heads * wide * math.prod(value)
            + looks * (narrow + wide)
            + told * query[-1],
            kept=3 * projected + (5 if self.is_random else 3) * looks + 2 * told + size,
            working=2 * projected + 4 * looks + 2 * told + 2 * size + total(inputs),
            evaluated=2 * projected + 3 * looks + 2 * told + 2 * size,
        )

    def _pair(self, name: str, kernel: Shape, bias: Shape, *, fans: tuple[int, int]) -> tuple[Weight, ...]:
        weights = (
            Weight(f"{name}/kernel", kernel, self.kernel_initializer, self.kernel_regularizer, fans=fans),
            Weight(f"{name}/bias", bias, self.bias_initializer, self.bias_regularizer),
        )
        return weights if self.use_bias else weights[:1]

    @staticmethod
    def _taken(inputs: Sequence[Shape]) -> tuple[Shape, Shape, Shape]:
        """Query, value and key."""
        query, *others = inputs
        value = others[0] if others else query
        return query, value, others[1] if len(others) > 1 else value
