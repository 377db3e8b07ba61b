"""What large weights cost, beside the loss of the examples."""

from typing import Annotated

from pydantic import Field

from jobs.frozen import Frozen

Factor = Annotated[float, Field(ge=0.0, le=1e3)]


class Regularizer(Frozen):
    """Σ (l1·|w| + l2·w²) over a weight's values, added to the loss that training minimises; the losses that a job tells
    are of the examples alone.
    """

    l1: Annotated[Factor, Field(description="Of the absolute values.", examples=[0.0])] = 0.0
    l2: Annotated[Factor, Field(description="Of the squares.", examples=[0.0001])] = 0.0


Penalty = Annotated[Regularizer | None, Field(examples=[{"l2": 0.0001}])]
"""A regularizer as a parameter."""
