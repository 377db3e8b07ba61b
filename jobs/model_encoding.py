"""What a trained model is fed and what it tells: the file `encoding.json` beside its graph."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from jobs.columns import RowEncoding
from jobs.datasets import DatasetInfo, Kind, Target, Task


class ModelEncoding(BaseModel):
    """All that is needed to predict by a model's graph: it belongs to the model, and outlasts the dataset."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = 1
    kind: Kind
    task: Task
    shape: Annotated[tuple[int, ...], Field(description="Of an input: [height, width, channels], or [width] of a row.")]
    dtype: Annotated[Literal["uint8", "float32"], Field(description="Of an input. Pixels go in as they are.")]
    classes: Annotated[
        tuple[str, ...], Field(description="Names of the outputs, which are probabilities; empty for regression.")
    ] = ()
    targets: Annotated[
        tuple[Target, ...], Field(description="The outputs of regression, in their own units; empty for classes.")
    ] = ()
    rows: Annotated[RowEncoding | None, Field(description="How a table's row becomes an input.")] = None

    @classmethod
    def of(cls, dataset: DatasetInfo, rows: RowEncoding | None) -> Self:
        """That of the models that learn a dataset."""
        return cls(
            kind=dataset.kind,
            task=dataset.task,
            shape=dataset.shape,
            dtype=dataset.dtype,
            classes=dataset.classes,
            targets=dataset.targets,
            rows=rows,
        )
