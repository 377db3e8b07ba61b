"""Layers that bring values to a mean and a deviation."""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, Unfit, Weight
from jobs.layers.initializers import Initializer
from jobs.layers.regularizers import Penalty

Epsilon = Annotated[float, Field(gt=0.0, le=1.0, description="Added to the variance.")]


class _Scaled(Layer):
    """Standardised, then multiplied by γ and with β added, one of each a channel."""

    epsilon: Epsilon = 0.001
    center: Annotated[bool, Field(description="Whether β is added.")] = True
    scale: Annotated[bool, Field(description="Whether γ is multiplied.")] = True
    beta_initializer: Annotated[Initializer, Field(description="First values of β.")] = "zeros"
    gamma_initializer: Annotated[Initializer, Field(description="First values of γ.")] = "ones"
    beta_regularizer: Annotated[Penalty, Field(description="What a large β costs.")] = None
    gamma_regularizer: Annotated[Penalty, Field(description="What a large γ costs.")] = None

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As it comes."""
        return inputs[0]

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """gamma, beta [channels]."""
        shape = inputs[0][-1:]
        gamma = Weight("gamma", shape, self.gamma_initializer, self.gamma_regularizer)
        beta = Weight("beta", shape, self.beta_initializer, self.beta_regularizer)
        return (*([gamma] if self.scale else []), *([beta] if self.center else []))

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What it gives, and what is standardised."""
        size = math.prod(inputs[0])
        return Cost(kept=2 * size, working=4 * size, evaluated=2 * size)


class BatchNormalization(_Scaled):
    """Standardises each channel by the batch's examples, and by moving statistics when evaluated (Ioffe and Szegedy
    2015)."""

    type: Literal["batch_normalization"] = "batch_normalization"
    momentum: Annotated[
        float, Field(ge=0.0, lt=1.0, description="Share of the moving statistics that a step keeps.")
    ] = 0.99

    has_batch_statistics: ClassVar[bool] = True

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """gamma, beta, moving_mean, moving_variance [channels]."""
        shape = inputs[0][-1:]
        moving = (
            Weight("moving_mean", shape, "zeros", is_trained=False),
            Weight("moving_variance", shape, "ones", is_trained=False),
        )
        return (*super().weights(inputs), *moving)


class LayerNormalization(_Scaled):
    """Standardises each place's channels by themselves (Ba et al. 2016)."""

    type: Literal["layer_normalization"] = "layer_normalization"

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What it gives, what is standardised, and what becomes of the deviations."""
        size = math.prod(inputs[0])
        return Cost(kept=3 * size, working=6 * size, evaluated=4 * size)


class GroupNormalization(_Scaled):
    """Standardises an example's channels in groups, over all places (Wu and He 2018)."""

    type: Literal["group_normalization"] = "group_normalization"
    groups: Annotated[
        int, Field(ge=-1, le=8192, description="How many; -1: each channel by itself. They leave no rest.")
    ] = 32

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As it comes."""
        channels = inputs[0][-1]
        if self.groups == 0:
            raise Unfit("has 0 groups: there must be 1 or more, or -1 for as many as channels", field="groups")
        if self.groups > 0 and channels % self.groups:
            raise Unfit(f"has {self.groups:,} groups, into which {channels:,} channels do not go", field="groups")
        return inputs[0]

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What it gives, what is standardised, and what becomes of the deviations."""
        size = math.prod(inputs[0])
        return Cost(kept=3 * size, working=6 * size, evaluated=4 * size)
