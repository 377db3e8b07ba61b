"""What pictures and arrays become before a network is fed with them. Rows of tables: `jobs.columns`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fit = Literal["contain", "cover", "stretch"]

PARTS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")
ARRAYS = tuple(f"{axis}_{part}" for part in PARTS for axis in "xy")
"""Names of the arrays of an upload."""
_OTHERS = {"images": "x", "features": "x", "labels": "y", "targets": "y"}
ARRAY_ALIASES = {
    **{letter: f"{letter.lower()}_train" for letter in "xyXY"},
    **{f"{axis.upper()}_{part}": f"{axis}_{part}" for part in PARTS for axis in "xy"},
    **{f"{part}_{other}": f"{axis}_{part}" for part in PARTS for other, axis in _OTHERS.items()},
}
"""What others call them: scikit-learn's users X and y, MedMNIST `train_images`."""


class ImageEncoding(BaseModel):
    """How a picture becomes pixels: uint8 [height, width, channels]."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    channels: Annotated[
        Literal[1, 3, 4], Field(description="1: grey. 3: red, green, blue. 4: those and how opaque a pixel is.")
    ]
    fit: Annotated[
        Fit,
        Field(
            description="How a picture of another size gets this one: whole, with black beside it (`contain`), filled, "
            "with what is too much cut off around the middle (`cover`), or out of proportion (`stretch`)."
        ),
    ] = "contain"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an example."""
        return self.height, self.width, self.channels


class ArrayEncoding(BaseModel):
    """How an array's numbers become a network's: (value - mean) / std, float32."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mean: Annotated[
        tuple[float, ...],
        Field(
            description="Over the training examples: of each value of an example, in C order, or along its last axis."
        ),
    ]
    std: Annotated[tuple[float, ...], Field(description="Their deviations; 1 where all are the same.")]
