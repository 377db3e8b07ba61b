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

    kind: Literal["numeric"] = "numeric"
    name: str
    mean: float
    std: Annotated[float, Field(gt=0)]
    missing: bool
    """Whether training rows had missing ones."""

    @property
    def width(self) -> int:
        """Values of the encoded row."""
        return 1 + self.missing


class CategoricalColumn(Value):
    """Texts of a fixed set, one-hot. Behind their places one for missing, where training rows had missing ones, and one
    for what training rows did not have (a missing one too, where they had none)."""

    kind: Literal["categorical"] = "categorical"
    name: str
    categories: tuple[str, ...]
    missing: bool
    """Whether training rows had missing ones."""

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

    kind: Literal["left_out"] = "left_out"
    name: str
    reason: Literal["target", "ignored", "too_many_categories", "too_long_texts", "no_values"]

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
