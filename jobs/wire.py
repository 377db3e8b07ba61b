"""What travels between API and client beside the contract's own records: pages, series, what there is, and problems."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from jobs import presets
from jobs.columns import Column
from jobs.dataset_versions import DatasetVersion
from jobs.datasets import DatasetInfo
from jobs.record import Checkpoint, Event, Progress, Value
from jobs.spec import Spec
from jobs.states import Phase, Status
from jobs.uploaded_weights import NamedArray, UploadedWeights

Item = TypeVar("Item")

MOST_ERRORS = 20
"""Fields named in one answer; a body with more mistakes than that is told so."""
MOST_FAULTS = 1000
"""Faults named in one answer."""


class Page(Value, Generic[Item]):
    """Part of a list."""

    object: Annotated[Literal["list"], Field(description="Always `list`.")] = "list"
    data: Annotated[tuple[Item, ...], Field(description="The entries, in the order asked for.")]
    first_id: Annotated[str | None, Field(description="Id or name of the first entry; `null` for an empty page.")]
    last_id: Annotated[
        str | None,
        Field(description="Id or name of the last entry: the next page's `after`; `null` for an empty page."),
    ]
    has_more: Annotated[bool, Field(description="Whether entries follow this page.", examples=[False])]


class Series(Value):
    """A job's epochs as columns: the same index in each column is the same epoch."""

    object: Annotated[Literal["training.metrics"], Field(description="Always `training.metrics`.")] = "training.metrics"
    job_id: Annotated[str, Field(description="The job measured.")]
    names: Annotated[tuple[str, ...], Field(description="The metrics that follow, in order.")]
    epochs: Annotated[tuple[int, ...], Field(description="Number of each epoch.")]
    steps: Annotated[tuple[int, ...], Field(description="Steps done at the end of each epoch.")]
    series: Annotated[
        dict[str, tuple[float | None, ...]],
        Field(description="Values of each metric, by name; `null` where it was not measured."),
    ]
    points: Annotated[
        int, Field(ge=0, description="Epochs there are; more than the columns hold when `max_points` thinned them out.")
    ]


class LiveProgress(Value):
    """How far a job is at this moment: told to those who follow it, and kept nowhere."""

    object: Annotated[Literal["training.progress"], Field(description="Always `training.progress`.")] = (
        "training.progress"
    )
    status: Annotated[Status, Field(description="Where the job stands.")]
    phase: Annotated[Phase | None, Field(description="What it is doing; `null` unless it runs.")] = None
    queue_position: Annotated[
        int | None, Field(description="Jobs that will be claimed before it; `null` unless queued.", examples=[0])
    ] = None
    progress: Annotated[Progress, Field(description="How far it has come.")]


class JobEvent(Event):
    """An event of one of the jobs that are followed together. Ids are those of the common order."""

    id: Annotated[str, Field(description="Position in the common order.", examples=["1764300000000-0"])]
    job_id: Annotated[
        str,
        Field(description="The job; empty for `ready` and `reset`.", examples=["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"]),
    ]
    job_event_id: Annotated[
        str, Field(description="The event's id in that job's own history; empty as well.", examples=["1-4"])
    ]


class JobProgress(LiveProgress):
    """How far one of the jobs that are followed together is at this moment."""

    job_id: Annotated[str, Field(description="The job.", examples=["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"])]


class Preset(Value):
    """A named starting point for a job."""

    name: Annotated[str, Field(description="What a spec's `preset` says.")]
    object: Annotated[Literal["preset"], Field(description="Always `preset`.")] = "preset"
    description: Annotated[str, Field(description="What it is for.")]
    spec: Annotated[Spec, Field(description="The spec that it stands for, with every default filled in.")]

    @classmethod
    def of(cls, preset: presets.Preset, spec: Spec) -> "Preset":
        """Show a preset and what it resolves to."""
        return cls(name=preset.name, description=preset.description, spec=spec)


class Features(Value):
    """What a network is fed of an example."""

    shape: Annotated[
        tuple[int, ...],
        Field(
            description="[height, width, channels] of images; [values] of an encoded row; any of arrays.",
            examples=[[28, 28, 1]],
        ),
    ]
    dtype: Annotated[
        Literal["uint8", "float32"], Field(description="`uint8` are bytes, which are scaled to 0…1 in training.")
    ]
    columns: Annotated[
        tuple[Column, ...] | None,
        Field(description="How each column of a table is encoded; `null` in lists, and for images."),
    ] = None


class Regressand(Value):
    """A number to be told."""

    name: Annotated[str, Field(description="Name of the column.", examples=["price"])]
    mean: Annotated[float, Field(description="Mean over the training examples.", examples=[12.5])]
    std: Annotated[
        float, Field(description="Deviation over the training examples; training divides by it.", examples=[3.1])
    ]


class FaultAt(Value):
    """A place in an upload, and what is wrong with it."""

    file: Annotated[str | None, Field(description="Name of the file in an archive.", examples=["train/cat/17.png"])] = (
        None
    )
    row: Annotated[int | None, Field(description="Row of data, from 1.", examples=[17])] = None
    line: Annotated[int | None, Field(description="Line of the file, from 1.", examples=[18])] = None
    column: Annotated[str | None, Field(description="Name of the column.", examples=["age"])] = None
    found: Annotated[str, Field(description="What is there.", examples=["twelve"])] = ""
    wanted: Annotated[
        str, Field(description="What should be there.", examples=["a number, as in the rest of the column"])
    ] = ""


class SizeCount(Value):
    """A size that pictures of an upload have."""

    height: Annotated[int, Field(ge=1, description="In pixels, turned as it is to be seen.", examples=[480])]
    width: Annotated[int, Field(ge=1, description="In pixels.", examples=[640])]
    count: Annotated[int, Field(ge=1, description="How many have it.", examples=[120])]


class UploadReport(Value):
    """What was seen while an upload was checked."""

    skipped: Annotated[int, Field(ge=0, description="Examples left out for their faults.", examples=[0])] = 0
    faults: Annotated[tuple[FaultAt, ...], Field(description="The faults of those, the first thousand.")] = ()
    faults_total: Annotated[int, Field(ge=0, description="How many faults there are.", examples=[0])] = 0
    duplicates: Annotated[
        int, Field(ge=0, description="Examples that are the same as an earlier one.", examples=[3])
    ] = 0
    train_test_duplicates: Annotated[
        int, Field(ge=0, description="Test examples that are the same as a training example.", examples=[1])
    ] = 0
    class_conflicts: Annotated[
        int,
        Field(ge=0, description="Pictures or arrays that are the same as one of another class.", examples=[0]),
    ] = 0
    sizes: Annotated[
        tuple[SizeCount, ...] | None,
        Field(description="Sizes of the pictures, the most frequent twenty; `null` of what has none."),
    ] = None
    constant_columns: Annotated[
        tuple[str, ...], Field(description="Columns that are the same in every row.", examples=[["country"]])
    ] = ()
    unique_columns: Annotated[
        tuple[str, ...],
        Field(description="Columns of whole numbers that no two rows share: an id, perhaps.", examples=[["customer"]]),
    ] = ()
    class_counts: Annotated[
        dict[str, int] | None, Field(description="Examples of each class.", examples=[{"no": 120, "yes": 80}])
    ] = None


class Dataset(Value):
    """A dataset that jobs can name, in one of its versions."""

    id: Annotated[
        str, Field(description="What names just this version: `name@version`, or a built-in name.", examples=["wine@1"])
    ]
    name: Annotated[str, Field(description="What a spec's `dataset` says for the newest version.", examples=["wine"])]
    object: Annotated[Literal["dataset"], Field(description="Always `dataset`.")] = "dataset"
    version: Annotated[
        int | None,
        Field(description="Grows with every upload; `null` for built-in ones, and in a dry run.", examples=[1]),
    ] = None
    description: Annotated[str, Field(description="What it holds and where it comes from.", examples=[""])] = ""
    kind: Annotated[Literal["images", "table", "arrays"], Field(description="What its examples are.")]
    task: Annotated[Literal["classification", "regression"], Field(description="What is to be learnt.")]
    features: Annotated[Features, Field(description="Shape and type of what a network is fed, and how it is made.")]
    classes: Annotated[
        tuple[str, ...] | None,
        Field(description="Names of the classes, in the order of a network's outputs; `null` for regression."),
    ] = None
    targets: Annotated[
        tuple[Regressand, ...] | None, Field(description="The numbers to be told; `null` for classification.")
    ] = None
    train_examples: Annotated[int, Field(ge=1, description="Examples to train on.")]
    validation_examples: Annotated[int, Field(ge=0, description="Examples that the upload brought to validate on.")] = 0
    test_examples: Annotated[int, Field(ge=1, description="Examples to test on.")]
    class_counts: Annotated[
        dict[str, int] | None, Field(description="Examples of each class; `null` where that is not known.")
    ] = None
    size_bytes: Annotated[
        int | None, Field(ge=0, description="Length of the upload; `null` for built-in ones.", examples=[11_000])
    ] = None
    stored_bytes: Annotated[
        int | None, Field(ge=0, description="What it takes of its owner's room.", examples=[45_000])
    ] = None
    sha256: Annotated[str | None, Field(description="SHA-256 of the upload, in hex.")] = None
    report: Annotated[
        UploadReport | None, Field(description="What was seen while the upload was checked; `null` in lists.")
    ] = None
    created_at: Annotated[datetime | None, Field(description="When it was uploaded.")] = None

    @classmethod
    def of(cls, info: DatasetInfo) -> "Dataset":
        """Show a built-in one."""
        return cls(
            id=info.name,
            name=info.name,
            description=info.description,
            kind=info.kind,
            task=info.task,
            features=Features(shape=info.shape, dtype=info.dtype),
            classes=info.classes,
            train_examples=info.train_examples,
            test_examples=info.test_examples,
        )

    @classmethod
    def of_version(cls, version: DatasetVersion, *, brief: bool = False) -> "Dataset":
        """Show an uploaded one; `brief` without its columns and its report."""
        report = UploadReport.model_validate(version.report or {}, extra="ignore")
        columns = version.rows.columns if version.rows and not brief else None
        return cls(
            id=str(version.ref) if version.version else version.name,
            name=version.name,
            version=version.version or None,
            kind=version.kind,
            task=version.task,
            features=Features(shape=version.shape, dtype=version.dtype, columns=columns),
            classes=version.classes,
            targets=tuple(Regressand(**target._asdict()) for target in version.targets) if version.targets else None,
            train_examples=version.train_examples,
            validation_examples=version.validation_examples,
            test_examples=version.test_examples,
            class_counts=report.class_counts,
            size_bytes=version.size_bytes,
            stored_bytes=version.stored_bytes,
            sha256=version.sha256,
            report=None if brief else report,
            created_at=version.created_at,
        )


class Weights(Value):
    """Weights that were uploaded."""

    name: Annotated[str, Field(description="A spec's `init_from` names them `weights:NAME`.", examples=["backbone"])]
    object: Annotated[Literal["weights"], Field(description="Always `weights`.")] = "weights"
    sha256: Annotated[str, Field(description="SHA-256 of the upload, in hex.", examples=["9f86d081884c7d65…"])]
    size_bytes: Annotated[int, Field(ge=0, description="Length of the upload.", examples=[942_000])]
    stored_bytes: Annotated[int, Field(ge=0, description="What they take of their owner's room.", examples=[942_000])]
    arrays: Annotated[
        tuple[NamedArray, ...] | None, Field(description="Its arrays, in their order; `null` in lists.")
    ] = None
    created_at: Annotated[datetime, Field(description="When they were uploaded.")]

    @classmethod
    def of(cls, weights: UploadedWeights, *, brief: bool = False) -> "Weights":
        """Show them; `brief` without their arrays."""
        return cls(
            name=weights.name,
            sha256=weights.sha256,
            size_bytes=weights.size_bytes,
            stored_bytes=weights.stored_bytes,
            arrays=None if brief else weights.arrays,
            created_at=weights.created_at,
        )


class Upload(Value):
    """An upload on its way to become a version of a dataset."""

    id: Annotated[str, Field(description="Its name here.", examples=["up_5f0c9a4be1d27386a1b2c3d4e5f60718"])]
    object: Annotated[Literal["dataset.upload"], Field(description="Always `dataset.upload`.")] = "dataset.upload"
    status: Annotated[
        Literal["checking", "ready", "refused"],
        Field(description="`checking` until it is a version (`ready`) or refused for the reason in `problem`."),
    ]
    progress: Annotated[
        float | None,
        Field(ge=0, le=1, description="Which share of it is checked; `null` where that is not known.", examples=[0.4]),
    ] = None
    dataset: Annotated[Dataset | None, Field(description="The version that it became.")] = None
    problem: Annotated["Problem | None", Field(description="Why it was refused.")] = None


class KeptCheckpoint(Checkpoint):
    """A checkpoint of a job, and what it is."""

    object: Annotated[Literal["training.checkpoint"], Field(description="Always `training.checkpoint`.")] = (
        "training.checkpoint"
    )
    kind: Annotated[
        Literal["last", "best"],
        Field(description="`last`: from where the next attempt goes on. `best`: after the best epoch."),
    ]


class FieldError(BaseModel):
    """What is wrong with one part of the request."""

    model_config = ConfigDict(frozen=True)

    pointer: Annotated[
        str | None,
        Field(
            description="JSON pointer (RFC 6901) into the body; the empty one means the whole body.",
            examples=["/optimizer/learning_rate"],
        ),
    ] = None
    parameter: Annotated[
        str | None,
        Field(description="Name of the query parameter or header, where it is not the body.", examples=["limit"]),
    ] = None
    detail: Annotated[str, Field(description="What is wrong with it.", examples=["Input should be greater than 0"])]


class Problem(BaseModel):
    """Why a request was not carried out (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: Annotated[
        str, Field(description="Address of the explanation of this kind.", examples=["/problems/job_not_found"])
    ]
    title: Annotated[str, Field(description="The kind in words.", examples=["Job not found"])]
    status: Annotated[int, Field(ge=400, le=599, description="HTTP status.", examples=[404])]
    detail: Annotated[str, Field(description="What happened this time.", examples=["no job 'job_0' is known here"])]
    instance: Annotated[str, Field(description="Path of the request.", examples=["/v1/jobs/job_0"])]
    code: Annotated[str, Field(description="Stable name of the kind, safe to match on.", examples=["job_not_found"])]
    request_id: Annotated[
        str, Field(description="Name of the request in the server's log.", examples=["5f0c9a4be1d27386"])
    ]
    errors: Annotated[
        list[FieldError],
        Field(
            max_length=MOST_ERRORS,
            description="The parts of the request that are wrong, where they can be named.",
            examples=[[{"pointer": "/epochs", "detail": "Input should be greater than or equal to 1"}]],
        ),
    ] = []
    faults: Annotated[
        list[FaultAt],
        Field(
            max_length=MOST_FAULTS,
            description="What is wrong with an upload, or with rows to predict: every place, up to the first thousand.",
            examples=[[]],
        ),
    ] = []
    faults_total: Annotated[
        int | None, Field(description="How many such places there are, where there are any.", examples=[None])
    ] = None


Upload.model_rebuild()
