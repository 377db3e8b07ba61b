"""What uploaded weights are: a record of their arrays, and the errors around them."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import GradientdError
from jobs.layers.base import Shape

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Names of weights: part of URLs and of specs."""
MOST_ARRAYS = 4096
LONGEST_ARRAY_NAME = 200
ARRAY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
"""Of a layer, then of one of its weights; those of layers within a layer have more parts."""


class WeightsNotFound(GradientdError):
    """There are no weights of this name that the caller sees. `GET /v1/weights` lists those that are there."""

    code = "weights_not_found"


class InvalidWeights(GradientdError):
    """An upload cannot be kept as weights. Correct what the message names; nothing was kept."""

    code = "invalid_weights"


class NamedArray(BaseModel):
    """One array of weights."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, Field(description="Layer, slash, weight.", examples=["dense_1/kernel"])]
    shape: Annotated[Shape, Field(description="Its shape.", examples=[[784, 128]])]
    dtype: Annotated[str, Field(description="Type of its values as they came.", examples=["float32"])]


class UploadedWeights(BaseModel):
    """The record. Fields that a newer version of the software wrote are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    sha256: Annotated[str, Field(description="Of the upload, in hex.")]
    size_bytes: Annotated[int, Field(ge=0, description="Length of the upload.")]
    arrays: tuple[NamedArray, ...]
    file_sha256: Annotated[str, Field(description="Of what is kept: the same arrays, float32, in hex.")]
    stored_bytes: Annotated[int, Field(ge=0, description="What they take on the disk.")]
    folder: Annotated[str, Field(pattern=r"^[a-z0-9]{16,64}$", description="Name of the folder with the file.")]
    created_at: datetime
