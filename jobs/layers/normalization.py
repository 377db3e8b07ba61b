"""Layers that bring values to a mean and a deviation."""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jobs.layers.base import Cost, Layer, Shape, Weight
from jobs.layers.initializers import Initializer
from jobs.layers.regularizers import Regularizer

Epsilon = Annotated[float, Field(gt=0.0, le=1.0, description="Added to the variance.")]


class BatchNormalization(Layer):
    """Standardises each channel by the batch's examples, and by moving statistics when evaluated (Ioffe and Szegedy
    2015)."""

    type: Literal["batch_normalization"] = "batch_normalization"
    momentum: Annotated[
        float, Field(ge=0.0, lt=1.0, description="Share of the moving statistics that a step keeps.")
    ] = 0.99
    epsilon: Epsilon = 0.001
    center: Annotated[bool, Field(description="Whether β is added.")] = True
    scale: Annotated[bool, Field(description="Whether γ is multiplied.")] = True
    beta_initializer: Annotated[Initializer, Field(description="First values of β.")] = "zeros"
    gamma_initializer: Annotated[Initializer, Field(description="First values of γ.")] = "ones"
    beta_regularizer: Annotated[
        Regularizer | None, Field(description="What a large β costs.", examples=[{"l2": 0.0001}])
    ] = None
    gamma_regularizer: Annotated[
        Regularizer | None, Field(description="What a large γ costs.", examples=[{"l2": 0.0001}])
    ] = None

    has_batch_statistics: ClassVar[bool] = True

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """As it comes."""
        return inputs[0]

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """gamma, beta, moving_mean, moving_variance [channels]."""
        shape = inputs[0][-1:]
        gamma = Weight("gamma", shape, self.gamma_initializer, self.gamma_regularizer)
        beta = Weight("beta", shape, self.beta_initializer, self.beta_regularizer)
        moving = (
            Weight("moving_mean", shape, "zeros", is_trained=False),
            Weight("moving_variance", shape, "ones", is_trained=False),
        )
        return (*([gamma] if self.scale else []), *([beta] if self.center else []), *moving)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """What it gives, and what is standardised."""
        size = math.prod(inputs[0])
        return Cost(kept=2 * size, working=4 * size, evaluated=2 * size)
