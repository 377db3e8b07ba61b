"""What the check of an upload tells: everything about it but its arrays, which it has written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from jobs.columns import RowEncoding
from jobs.datasets import DType
from jobs.faults import Fault, InvalidUpload
from jobs.inputs import ArrayEncoding, ImageEncoding
from jobs.uploaded_weights import NamedArray

Task = Literal["classification", "regression"]
Progress = Callable[[float], None]
"""Told now and then which share of a check is done."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upload may take."""

    most_bytes: int
    """Of a table, decompressed."""
    most_encoded_bytes: int
    """Of the arrays, and of what an archive holds."""


class Size(BaseModel):
    """A size that pictures have."""

    height: int
    width: int
    count: int


class Report(BaseModel):
    """What was seen that its owner may want to know."""

    skipped: int
    """Examples that were left out for their faults."""
    faults: tuple[Fault, ...]
    faults_total: int
    duplicates: int
    """Examples that are the same as an earlier one."""
    train_test_duplicates: int
    """Test examples that are the same as a training example."""
    class_conflicts: int = 0
    """Examples that are the same as one of another class. Of pictures and arrays."""
    constant_columns: tuple[str, ...] = ()
    unique_columns: tuple[str, ...] = ()
    """Columns of whole numbers of which no two rows have the same: an id, perhaps."""
    class_counts: dict[str, int] | None
    sizes: tuple[Size, ...] | None = None
    """Of pictures, the most frequent first."""


class TargetColumn(BaseModel):
    """A target of regression, with the mean and deviation by which its values are standardised."""

    name: str
    mean: float
    std: float


class Checked(BaseModel):
    """What an upload became."""

    task: Task
    classes: tuple[str, ...] | None
    targets: tuple[TargetColumn, ...] | None
    train_examples: int
    validation_examples: int = 0
    test_examples: int
    report: Report


class CheckedTable(Checked):
    """What a table became."""

    kind: Literal["table"] = "table"
    encoding: RowEncoding

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an example."""
        return (self.encoding.width,)

    @property
    def dtype(self) -> DType:
        """Of its values."""
        return "float32"


class CheckedImages(Checked):
    """What pictures became."""

    kind: Literal["images"] = "images"
    encoding: ImageEncoding

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an example."""
        return self.encoding.shape

    @property
    def dtype(self) -> DType:
        """Of its values."""
        return "uint8"


class CheckedArrays(Checked):
    """What arrays became."""

    kind: Literal["arrays"] = "arrays"
    encoding: ArrayEncoding | None
    shape: tuple[int, ...]
    dtype: DType


class CheckedWeights(BaseModel):
    """What weights are."""

    kind: Literal["weights"] = "weights"
    arrays: tuple[NamedArray, ...]


CheckedDataset = CheckedTable | CheckedImages | CheckedArrays
AnyChecked = Annotated[CheckedDataset | CheckedWeights, Field(discriminator="kind")]


def refuse_others(given: Sequence[str], *, kind: str, found: str) -> None:
    """Raise InvalidUpload where options were given that something else has."""
    if given:
        names = " and ".join([", ".join(given[:-1]), given[-1]] if given[:-1] else given)
        raise InvalidUpload(f"{names}: for {kind}, and this is {found}")
