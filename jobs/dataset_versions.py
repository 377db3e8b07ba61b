"""What a version of an uploaded dataset is: a record that never changes, and the errors around it."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from jobs.columns import RowEncoding
from jobs.datasets import CATALOGUE, DatasetInfo, Target
from jobs.errors import GradientdError
from jobs.inputs import ArrayEncoding, ImageEncoding

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Names of datasets: part of URLs, of keys in the store and of paths."""
LARGEST_VERSION = 10**9


class InvalidDatasetName(GradientdError):
    """A dataset cannot have this name. Take lower-case letters, digits and . _ -, and none of the built-in names."""

    code = "invalid_dataset_name"


class DatasetNotFound(GradientdError):
    """There is no such dataset, or no such version of it, that the caller sees. `GET /v1/datasets` lists those that are
    there."""

    code = "dataset_not_found"


class DatasetInUse(GradientdError):
    """A dataset cannot be deleted while jobs that are not final need it. Cancel them, or wait for their end."""

    code = "dataset_in_use"

    def __init__(self, ref: str, jobs: Sequence[str]) -> None:
        named = ", ".join(jobs[:5]) + (f" and {len(jobs) - 5:,} more" if len(jobs) > 5 else "")
        super().__init__(f"{ref} is needed by {named}")
        self.jobs = tuple(jobs)


class StorageFull(GradientdError):
    """The owner's datasets take as much as they may. Delete some, or ask whoever runs the service for more."""

    code = "storage_full"

    def __init__(self, *, used_bytes: int, wanted_bytes: int, most_bytes: int) -> None:
        super().__init__(
            f"{wanted_bytes:,} bytes beside the {used_bytes:,} that are stored or on their way would be more than the "
            f"{most_bytes:,} that are allowed"
        )


class StorageUnavailable(GradientdError):
    """The server's disk takes no more, or cannot be read. Try again later, or ask whoever runs the service."""

    code = "storage_unavailable"
    retry_after_seconds = 30


class DatasetRef(NamedTuple):
    """A dataset by name, or one version of it."""

    name: str
    version: int | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"

    @classmethod
    def read(cls, text: str) -> Self:
        """`name` or `name@version`. Raises DatasetNotFound for what can be neither."""
        name, at, version = text.partition("@")
        number = int(version) if re.fullmatch(r"[1-9][0-9]{0,8}", version) else None
        if not NAME.fullmatch(name) or (at and number is None):
            raise DatasetNotFound(f"no dataset {text[:80]!r}")
        return cls(name, number)


def check_name(name: str) -> None:
    """Raise InvalidDatasetName where an upload cannot have this name."""
    if not NAME.fullmatch(name):
        raise InvalidDatasetName(f"{name[:80]!r} cannot be a dataset's name; wanted: lower-case letters, digits, . _ -")
    if name in CATALOGUE:
        raise InvalidDatasetName(f"{name!r} is the name of a built-in dataset")


class DatasetVersion(BaseModel):
    """One version. Fields that a newer version of the software wrote are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    version: Annotated[int, Field(ge=0, le=LARGEST_VERSION, description="From 1; 0 until it is published.")] = 0
    sha256: Annotated[str, Field(description="Of the upload's bytes, in hex.")]
    options_sha256: Annotated[str, Field(description="Of the options that it was read with, in hex.")]
    kind: Literal["table", "images", "arrays"]
    task: Literal["classification", "regression"]
    shape: Annotated[tuple[int, ...], Field(description="Of one example: [width], or [height, width, channels].")]
    dtype: Literal["float32", "uint8"]
    classes: Annotated[tuple[str, ...] | None, Field(description="Names of the classes, in their order.")] = None
    targets: Annotated[
        tuple[Target, ...] | None, Field(description="Name, mean and deviation of each target of regression.")
    ] = None
    encoding: Annotated[
        JsonValue,
        Field(description="How an example becomes an input: a `RowEncoding`, `ImageEncoding` or `ArrayEncoding`."),
    ] = None
    train_examples: Annotated[int, Field(ge=1)]
    validation_examples: Annotated[int, Field(ge=0)] = 0
    test_examples: Annotated[int, Field(ge=0)]
    report: Annotated[JsonValue, Field(description="What was seen while it was checked.")] = None
    size_bytes: Annotated[int, Field(ge=0, description="Length of the upload.")]
    stored_bytes: Annotated[int, Field(ge=0, description="What it takes on the disk, the upload included.")]
    folder: Annotated[str, Field(pattern=r"^[a-z0-9]{16,64}$", description="Name of the folder with its files.")]
    created_at: datetime

    @property
    def info(self) -> DatasetInfo:
        """What jobs need to know of it."""
        return DatasetInfo(
            name=str(self.ref),
            kind=self.kind,
            shape=self.shape,
            classes=self.classes or (),
            targets=self.targets or (),
            train_examples=self.train_examples,
            validation_examples=self.validation_examples,
            array_dtype=self.dtype,
            test_examples=self.test_examples,
        )

    @property
    def rows(self) -> RowEncoding | None:
        """How a table's row becomes a network's input."""
        return RowEncoding.model_validate(self.encoding) if self.kind == "table" and self.encoding else None

    @property
    def images(self) -> ImageEncoding | None:
        """How a picture does."""
        return ImageEncoding.model_validate(self.encoding) if self.kind == "images" and self.encoding else None

    @property
    def arrays(self) -> ArrayEncoding | None:
        """How an array's values do; None where they are bytes, which go in as they are."""
        return ArrayEncoding.model_validate(self.encoding) if self.kind == "arrays" and self.encoding else None

    @property
    def ref(self) -> DatasetRef:
        """By what it is named."""
        return DatasetRef(self.name, self.version)

    def numbered(self, version: int) -> "DatasetVersion":
        """This one, published as such a version."""
        return self.model_copy(update={"version": version})
