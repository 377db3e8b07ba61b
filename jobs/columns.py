"""What is known of a table's columns: all that it takes to make numbers of a row. Datasets and models record it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MISSING_MARKERS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?")
"""What a missing value is written as; a dataset may name others."""


class Value(BaseModel):
    """Frozen; fields that a newer version wrote are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class NumericColumn(Value):
    """Numbers, standardised: (x - mean) / std. A missing one is the mean.

    Takes one value of the encoded row, and a second where training rows had missing ones: 1 for missing, else 0.
    """

    kind: Annotated[Literal["numeric"], Field(description="Always `numeric`.")] = "numeric"
    name: Annotated[str, Field(description="Name of the column.", examples=["age"])]
    mean: Annotated[float, Field(description="Mean of the training rows.", examples=[34.5])]
    std: Annotated[float, Field(gt=0, description="Deviation of the training rows.", examples=[11.2])]
    missing: Annotated[bool, Field(description="Whether training rows had missing ones.", examples=[False])]

    @property
    def width(self) -> int:
        """Values of the encoded row."""
        return 1 + self.missing


class CategoricalColumn(Value):
    """Texts of a fixed set, one-hot. Behind their places one for missing, where training rows had missing ones, and one
    for what training rows did not have (a missing one too, where they had none)."""

    kind: Annotated[Literal["categorical"], Field(description="Always `categorical`.")] = "categorical"
    name: Annotated[str, Field(description="Name of the column.", examples=["city"])]
    categories: Annotated[
        tuple[str, ...], Field(description="Its texts, in the order of their places.", examples=[["Basel", "Bern"]])
    ]
    missing: Annotated[bool, Field(description="Whether training rows had missing ones.", examples=[False])]

    @property
    def width(self) -> int:
        """Values of the encoded row."""
        return len(self.categories) + self.missing + 1

    @property
    def unseen(self) -> int:
        """Code of what training rows did not have."""
        return self.width - 1

    @property
    def missing_code(self) -> int:
        """Code of a missing one."""
        return len(self.categories)


class LeftOutColumn(Value):
    """Not part of the encoded row. It may be in a row that is to be read, or not."""

    kind: Annotated[Literal["left_out"], Field(description="Always `left_out`.")] = "left_out"
    name: Annotated[str, Field(description="Name of the column.", examples=["id"])]
    reason: Annotated[
        Literal["target", "ignored", "too_many_categories", "too_long_texts", "no_values"], Field(description="Why.")
    ]

    @property
    def width(self) -> int:
        """Values of the encoded row: none."""
        return 0


Column = Annotated[NumericColumn | CategoricalColumn | LeftOutColumn, Field(discriminator="kind")]


class RowEncoding(Value):
    """How the rows of a dataset version are encoded: its columns, in the file's order."""

    columns: tuple[Column, ...]
    missing_markers: tuple[str, ...] = MISSING_MARKERS

    @property
    def width(self) -> int:
        """Values of an encoded row."""
        return sum(column.width for column in self.columns)
