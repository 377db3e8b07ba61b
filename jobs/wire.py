"""What travels between API and client beside the contract's own records: pages, series, what there is, and problems."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from jobs import presets
from jobs.datasets import DatasetInfo
from jobs.record import Checkpoint, Value
from jobs.spec import Spec

Item = TypeVar("Item")

MOST_ERRORS = 20
"""Fields named in one answer; a body with more mistakes than that is told so."""


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


class Dataset(Value):
    """A dataset that jobs can name."""

    name: Annotated[str, Field(description="What a spec's `dataset` says.")]
    object: Annotated[Literal["dataset"], Field(description="Always `dataset`.")] = "dataset"
    description: Annotated[str, Field(description="What it holds and where it comes from.")]
    train_examples: Annotated[int, Field(ge=1, description="Examples to train on.")]
    test_examples: Annotated[int, Field(ge=1, description="Examples to test on.")]
    height: Annotated[int, Field(ge=1, description="Height of an image, in pixels.")]
    width: Annotated[int, Field(ge=1, description="Width of an image, in pixels.")]
    channels: Annotated[int, Field(ge=1, description="Values of a pixel.")]
    classes: Annotated[int, Field(ge=2, description="Number of labels.")]

    @classmethod
    def of(cls, info: DatasetInfo) -> "Dataset":
        """Show an entry of the catalogue."""
        return cls(
            name=info.name,
            description=info.description,
            train_examples=info.train_examples,
            test_examples=info.test_examples,
            height=info.height,
            width=info.width,
            channels=info.channels,
            classes=info.classes,
        )


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
