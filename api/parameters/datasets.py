"""What operations on datasets and uploads take beside their bodies.

Fields of a dataclass are read in their order, so the first that cannot be is the one that is refused.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints
from starlette.requests import Request

from api.http import kinds
from api.http.headers import (
    IfNoneMatch,
    IfRange,
    Range,
    idempotency_header,
)
from api.http.params import Segment
from api.http.problems import Refused, shortened
from api.http.query import Flag, Query, Several, Whole
from api.parameters.cursors import not_a_cursor
from api.uploads.options import MOST_TARGETS, UploadOptions
from jobs import patterns
from jobs.dataset_versions import NAME, DatasetNotFound, DatasetRef, check_name
from jobs.inputs import Fit
from jobs.spec import LARGEST_SEED

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


CHANNELS: dict[str, Literal[1, 3, 4]] = {"1": 1, "3": 3, "4": 4}


class UploadQuery(Query):
    """How an upload is to be read."""

    target: Annotated[
        list[ColumnName],
        Field(
            max_length=MOST_TARGETS,
            description="The columns to be told from the others, the last one by default; repeat the parameter or "
            "separate them by commas.",
            examples=[["price"]],
        ),
        Several,
    ] = []  # noqa: RUF012 (pydantic copies it)
    task: Annotated[
        Literal["auto", "classification", "regression"],
        Field(
            description="`auto`: classes where the target is text, or whole numbers with at most 20 different values.",
            examples=["auto"],
        ),
    ] = "auto"
    ignore: Annotated[list[ColumnName], Field(description="Columns to leave out.", examples=[["id"]]), Several] = []  # noqa: RUF012
    numeric: Annotated[
        list[ColumnName], Field(description="Columns to be read as numbers.", examples=[["age"]]), Several
    ] = []  # noqa: RUF012
    categorical: Annotated[
        list[ColumnName], Field(description="Columns to be read as categories.", examples=[["postcode"]]), Several
    ] = []  # noqa: RUF012
    missing: Annotated[
        list[Annotated[str, StringConstraints(max_length=100)]],
        Field(
            max_length=100,
            description="How missing values are written, beside an empty cell, NA, N/A, NaN, null, None and ?.",
            examples=[["-999"]],
        ),
        Several,
    ] = []  # noqa: RUF012
    test_split: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            allow_inf_nan=False,
            description="Share of the examples kept for testing, where none were brought.",
            examples=[0.2],
        ),
    ] = 0.2
    split_seed: Annotated[
        int, Field(ge=0, le=LARGEST_SEED, description="Decides which rows those are.", examples=[0]), Whole
    ] = 0
    on_bad: Annotated[
        Literal["refuse", "skip"],
        Field(description="Whether examples with a fault refuse the upload, or are left out.", examples=["refuse"]),
    ] = "refuse"
    size: Annotated[
        str | None,
        Field(
            pattern=patterns.SIZE,
            description="HEIGHTxWIDTH that pictures get; needed where they are not all of one size.",
            examples=["64x64"],
        ),
    ] = None
    fit: Annotated[
        Fit | None,
        Field(
            description="How pictures of another size get it: whole, with black beside them (`contain`, what it is "
            "without this), filled and cut off around the middle (`cover`), or out of proportion (`stretch`).",
            examples=["cover"],
        ),
    ] = None
    channels: Annotated[
        Literal["1", "3", "4"] | None,
        Field(
            description="What pictures are made of: 1 for grey, 3 for colours, 4 for those and how opaque they are. "
            "Without it what keeps all there is.",
            examples=["3"],
        ),
    ] = None
    dry_run: Annotated[Flag, Field(description="Only check the upload, and say what it would be.", examples=[True])] = (
        False
    )

    @property
    def options(self) -> UploadOptions:
        """The options of the check."""
        height, width = map(int, self.size.split("x")) if self.size else (0, 0)
        return UploadOptions(
            targets=tuple(dict.fromkeys(self.target)),
            task=self.task,
            ignore=tuple(dict.fromkeys(self.ignore)),
            numeric=tuple(self.numeric),
            categorical=tuple(self.categorical),
            missing=tuple(self.missing),
            test_split=self.test_split,
            split_seed=self.split_seed,
            on_bad=self.on_bad,
            size=(height, width) if self.size else None,
            fit=self.fit,
            channels=CHANNELS[self.channels] if self.channels else None,
        )


def _upload_name(text: str) -> str:
    check_name(shortened(text, 100))
    return text


def _dataset_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise DatasetNotFound(f"there is no {shortened(text, 100)}")
    return text


def _version(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise DatasetNotFound(f"there is no version {shortened(text, 100)}")
    return int(text)


_NAMED: dict[str, Any] = {"pattern": f"^{NAME.pattern}$"}
DatasetName = Annotated[str, Segment("name", _dataset_name, "The dataset's `name`.", "wine", _NAMED)]


@dataclass(frozen=True, slots=True)
class DatasetUpload:
    """Which dataset gets a new version, and how its upload is to be read."""

    query: UploadQuery
    name: Annotated[str, Segment("name", _upload_name, "Name of the dataset, a new one or yours.", "wine", _NAMED)]
    idempotency_key: Annotated[
        str,
        idempotency_header("Accepted as everywhere, and not needed: the same upload again is the same version."),
    ]


class DatasetListQuery(Query):
    """Which part of the datasets."""

    after: Annotated[
        str,
        Field(
            description="Go on behind this dataset: the `last_id` of the page before.",
            examples=["wine"],
            json_schema_extra={"pattern": f"^({NAME.pattern})?$"},
        ),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=100, description="Most datasets on the page.", examples=[20]), Whole] = 20

    @classmethod
    def read(cls, request: Request) -> Self:
        """The request's query parameters. Raises Refused."""
        query = super().read(request)
        if query.after and not NAME.fullmatch(query.after):
            raise not_a_cursor(query.after, "a dataset's name")
        return query


@dataclass(frozen=True, slots=True)
class DatasetNamed:
    """Which dataset, and nothing else."""

    query: Query
    name: DatasetName

    @property
    def ref(self) -> DatasetRef:
        """The dataset, by its newest version."""
        return DatasetRef(self.name)


@dataclass(frozen=True, slots=True)
class DatasetVersionNamed:
    """Which version of which dataset."""

    query: Query
    name: DatasetName
    version: Annotated[
        int, Segment("version", _version, "Number of the version.", "1", {"pattern": "^[1-9][0-9]{0,8}$"})
    ]

    @property
    def ref(self) -> DatasetRef:
        """The version."""
        return DatasetRef(self.name, self.version)


class ContentQuery(Query):
    """Of which version."""

    version: Annotated[
        int | None, Field(ge=1, le=10**9, description="The newest one by default.", examples=[1]), Whole
    ] = None


@dataclass(frozen=True, slots=True)
class DatasetContent:
    """The upload of which version of which dataset, and which part of it."""

    query: ContentQuery
    if_none_match: IfNoneMatch
    byte_range: Range
    if_range: IfRange
    name: DatasetName

    @property
    def ref(self) -> DatasetRef:
        """The version."""
        return DatasetRef(self.name, self.query.version)


class PreviewQuery(ContentQuery):
    """Which rows."""

    split: Annotated[
        Literal["train", "val", "test"],
        Field(description="Of which part of the examples; `val` where such were brought.", examples=["train"]),
    ] = "train"
    limit: Annotated[
        int, Field(ge=1, le=100, description="Most examples; pictures come in tens.", examples=[10]), Whole
    ] = 10


@dataclass(frozen=True, slots=True)
class DatasetPreview:
    """Which rows of which dataset."""

    query: PreviewQuery
    name: DatasetName

    @property
    def ref(self) -> DatasetRef:
        """The version."""
        return DatasetRef(self.name, self.query.version)


UPLOAD_ID = re.compile(r"up_[0-9a-f]{32}")


def _upload_id(text: str) -> str:
    if not UPLOAD_ID.fullmatch(text):
        raise Refused(kinds.UPLOAD_NOT_FOUND, f"no upload {shortened(text, 100)!r} is known here")
    return text


@dataclass(frozen=True, slots=True)
class UploadName:
    """Which upload."""

    query: Query
    upload_id: Annotated[
        str,
        Segment(
            "upload_id",
            _upload_id,
            "The upload's `id`.",
            "up_5f0c9a4be1d27386a1b2c3d4e5f60718",
            {"pattern": f"^{UPLOAD_ID.pattern}$"},
        ),
    ]
