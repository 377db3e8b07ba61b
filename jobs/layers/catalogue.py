"""Every kind of layer."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, cast, get_args

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from jobs.layers.activations import ActivationLayer
from jobs.layers.attention import MultiHeadAttention
from jobs.layers.base import Layer
from jobs.layers.convolution import Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D
from jobs.layers.dense import Dense
from jobs.layers.embedding import Embedding
from jobs.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from jobs.layers.noise import Dropout, GaussianNoise, SpatialDropout
from jobs.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from jobs.layers.pooling import AveragePooling, GlobalAveragePooling, GlobalMaxPooling, MaxPooling
from jobs.layers.recurrent import GRU, LSTM, Bidirectional, SimpleRNN
from jobs.layers.reshaping import Cropping, Flatten, Permute, Reshape, UpSampling, ZeroPadding

_Described = (
    Dense
    | Conv1D
    | Conv2D
    | DepthwiseConv2D
    | SeparableConv2D
    | Conv2DTranspose
    | MaxPooling
    | AveragePooling
    | GlobalMaxPooling
    | GlobalAveragePooling
    | Flatten
    | Reshape
    | Permute
    | ZeroPadding
    | Cropping
    | UpSampling
    | Dropout
    | SpatialDropout
    | GaussianNoise
    | BatchNormalization
    | LayerNormalization
    | GroupNormalization
    | ActivationLayer
    | Add
    | Subtract
    | Multiply
    | Average
    | Maximum
    | Minimum
    | Concatenate
    | Embedding
    | LSTM
    | GRU
    | SimpleRNN
    | Bidirectional
    | MultiHeadAttention
)
KINDS: Mapping[str, type[Layer]] = {kind.model_fields["type"].default: kind for kind in get_args(_Described)}
"""The class of each kind, by what stands in its `type`."""

LONGEST_MEANT = 40
"""Characters of what may be one of them misspelt: likeness takes its time."""


def _of_a_kind(given: Any) -> Any:
    """What is given, if there is such a kind: Pydantic would tell them all."""
    if not isinstance(given, dict):
        return given
    kind = cast("dict[str, Any]", given).get("type")
    if kind is None:
        raise PydanticCustomError("layer_kind", "needs its type, for example dense")
    if not isinstance(kind, str) or kind not in KINDS:
        close = get_close_matches(kind, KINDS, n=1) if isinstance(kind, str) and len(kind) <= LONGEST_MEANT else []
        told = repr(kind)[:80]
        perhaps = f"; perhaps {close[0]!r}?" if close else f"; there are: {', '.join(KINDS)}"
        raise PydanticCustomError(
            "layer_kind", "there is no kind of layer {told}{perhaps}", {"told": told, "perhaps": perhaps}
        )
    return given  # pyright: ignore[reportUnknownVariableType] (as it came)


AnyLayer = Annotated[
    Annotated[_Described, Field(discriminator="type")],
    BeforeValidator(_of_a_kind),
]
