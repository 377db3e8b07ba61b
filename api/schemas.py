"""What the API answers beside the contract's own records."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.estimate import Estimate
from jobs.record import Event, Job, Value, Worker
from jobs.spec import Spec
from jobs.wire import Dataset, KeptCheckpoint, Page, Preset

Parameters = Annotated[int, Field(ge=0, description="Number of trained values.", examples=[235_146])]


class Resolved(Value):
    """What a job would be, without creating it."""

    object: Annotated[Literal["training.estimate"], Field(description="Always `training.estimate`.")] = (
        "training.estimate"
    )
    spec: Annotated[Spec, Field(description="The spec with every default filled in.")]
    parameters: Parameters
    weight_bytes: Annotated[
        int, Field(ge=0, description="Memory of the weights in float32; training needs several times that.")
    ]
    memory_bytes: Annotated[
        int, Field(ge=0, description="Memory of training by estimate: weights, gradients, activations, dataset.")
    ]
    train_examples: Annotated[int, Field(ge=0, description="Training examples per epoch.")]
    validation_examples: Annotated[
        int, Field(ge=0, description="Examples held out; 0 when validation happens on the test examples.")
    ]
    steps_per_epoch: Annotated[int, Field(ge=0, description="Steps of one epoch.")]
    steps: Annotated[int, Field(ge=0, description="Steps of all epochs.")]

    @classmethod
    def of(cls, spec: Spec, sizes: Estimate) -> "Resolved":
        """Put a spec and its estimate together."""
        return cls(
            spec=spec,
            parameters=sizes.parameters,
            weight_bytes=sizes.weight_bytes,
            memory_bytes=sizes.memory_bytes,
            train_examples=sizes.train_examples,
            validation_examples=sizes.validation_examples,
            steps_per_epoch=sizes.steps_per_epoch,
            steps=sizes.steps,
        )


class Health(Value):
    """A sign of life."""

    status: Annotated[Literal["ok"], Field(description="Always `ok`: anything else is a problem.")] = "ok"
    version: Annotated[str, Field(description="Version of the server.", examples=["0.1.0"])]


class ProblemKind(Value):
    """A kind of problem that answers can carry."""

    code: Annotated[str, Field(description="Its stable name.")]
    object: Annotated[Literal["problem"], Field(description="Always `problem`.")] = "problem"
    type: Annotated[str, Field(description="Its address, as in a problem's `type`.")]
    status: Annotated[int, Field(ge=400, le=599, description="HTTP status it comes with.")]
    title: Annotated[str, Field(description="The kind in words.")]
    meaning: Annotated[str, Field(description="What it says.")]
    remedy: Annotated[str, Field(description="What to do about it.")]


class JobPage(Page[Job]):
    """Part of the list of jobs."""


class EventPage(Page[Event]):
    """Part of a job's history."""


class CheckpointPage(Page[KeptCheckpoint]):
    """A job's checkpoints."""


class WorkerPage(Page[Worker]):
    """The live workers."""


class PresetPage(Page[Preset]):
    """The presets."""


class DatasetPage(Page[Dataset]):
    """The datasets."""


class ProblemPage(Page[ProblemKind]):
    """The kinds of problems."""
