"""What a trained model is fed and what it tells: the file `encoding.json` beside its graph."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from jobs.columns import RowEncoding
from jobs.dataset_versions import DatasetVersion
from jobs.datasets import DatasetInfo, Kind, Target, Task
from jobs.inputs import ArrayEncoding, ImageEncoding


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
    images: Annotated[ImageEncoding | None, Field(description="How a picture becomes an input.")] = None
    arrays: Annotated[
        ArrayEncoding | None, Field(description="How an array becomes an input, unless it goes in as it is.")
    ] = None

    @property
    def pictures(self) -> ImageEncoding:
        """How pictures become inputs of a model of images; as they were for one whose file does not say."""
        height, width, channels = self.shape
        return self.images or ImageEncoding.model_validate({"height": height, "width": width, "channels": channels})

    @classmethod
    def of(
        cls,
        dataset: DatasetInfo,
        *,
        rows: RowEncoding | None = None,
        images: ImageEncoding | None = None,
        arrays: ArrayEncoding | None = None,
    ) -> Self:
        """That of the models that learn a dataset."""
        made = cls(
            kind=dataset.kind,
            task=dataset.task,
            shape=dataset.shape,
            dtype=dataset.dtype,
            classes=dataset.classes,
            targets=dataset.targets,
            rows=rows,
            images=images,
            arrays=arrays,
        )
        return made.model_copy(update={"images": made.pictures}) if dataset.kind == "images" else made

    @classmethod
    def of_version(cls, version: DatasetVersion) -> Self:
        """That of the models that learn an uploaded dataset."""
        return cls.of(version.info, rows=version.rows, images=version.images, arrays=version.arrays)
