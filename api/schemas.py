"""What the API answers beside the contract's own records."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from jobs.automatic import Choice
from jobs.estimate import Estimate
from jobs.record import Artifact, Event, Job, JobSummary, Value, Worker
from jobs.spec import Spec
from jobs.summary import LayerSummary, layers
from jobs.webhook_messages import Delivery
from jobs.wire import Dataset, JobEvent, KeptCheckpoint, Page, Preset, Weights

Parameters = Annotated[int, Field(ge=0, description="Number of trained values.", examples=[235_146])]
FixedParameters = Annotated[
    int,
    Field(ge=0, description="Number of values kept and not trained: frozen ones, moving statistics.", examples=[224]),
]


class Resolved(Value):
    """What a job would be, without creating it."""

    object: Annotated[Literal["training.estimate"], Field(description="Always `training.estimate`.")] = (
        "training.estimate"
    )
    spec: Annotated[Spec, Field(description="The spec with every default filled in.")]
    choices: Annotated[
        tuple[Choice, ...], Field(description="What the spec left open and the preset `auto` or `table` decided.")
    ] = ()
    parameters: Parameters
    non_trainable_parameters: FixedParameters
    layers: Annotated[
        tuple[LayerSummary, ...], Field(description="The network, layer by layer; what the last one gives is told.")
    ]
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
    def of(cls, spec: Spec, sizes: Estimate, *, choices: tuple[Choice, ...] = ()) -> "Resolved":
        """Put a spec and its estimate together."""
        return cls(
            spec=spec,
            choices=choices,
            parameters=sizes.parameters,
            non_trainable_parameters=sizes.non_trainable_parameters,
            layers=layers(sizes.network),
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


class Readiness(Health):
    """A sign that jobs can be submitted."""

    warnings: Annotated[
        tuple[str, ...], Field(description="What is set otherwise than it should be, and what may come of it.")
    ] = ()


class ProblemKind(Value):
    """A kind of problem that answers can carry."""

    code: Annotated[str, Field(description="Its stable name.")]
    object: Annotated[Literal["problem"], Field(description="Always `problem`.")] = "problem"
    type: Annotated[str, Field(description="Its address, as in a problem's `type`.")]
    status: Annotated[int, Field(ge=400, le=599, description="HTTP status it comes with.")]
    title: Annotated[str, Field(description="The kind in words.")]
    meaning: Annotated[str, Field(description="What it says.")]
    remedy: Annotated[str, Field(description="What to do about it.")]


J = TypeVar("J")


class JobsPage(Page[J], Generic[J]):
    """Part of a list of jobs."""

    unreadable: Annotated[
        tuple[str, ...],
        Field(description="Jobs of this part whose records this server cannot read; `GET /v1/jobs/{id}` says why."),
    ] = ()


class JobPage(JobsPage[Job]):
    """Part of the list of jobs."""


class JobSummaryPage(JobsPage[JobSummary]):
    """Part of the list of jobs, each in brief."""


class EventPage(Page[Event]):
    """Part of a job's history."""


class JobEventPage(Page[JobEvent]):
    """Part of what happened to all jobs."""


class WebhookDeliveryPage(Page[Delivery]):
    """Part of what a job's webhook was told, or is to be told."""


class CheckpointPage(Page[KeptCheckpoint]):
    """A job's checkpoints."""


class WorkerPage(Page[Worker]):
    """The live workers."""


class PresetPage(Page[Preset]):
    """The presets."""


class DatasetPage(Page[Dataset]):
    """Part of the list of datasets."""


class WeightsPage(Page[Weights]):
    """Part of the list of uploaded weights."""


class Preview(Value):
    """Examples of a dataset."""

    object: Annotated[Literal["dataset.preview"], Field(description="Always `dataset.preview`.")] = "dataset.preview"
    dataset: Annotated[str, Field(description="The version shown.", examples=["wine@1"])]
    split: Annotated[Literal["train", "val", "test"], Field(description="Part of the examples.")]
    data: Annotated[
        tuple[dict[str, Any], ...],
        Field(
            description="Rows as objects of their columns' values, `null` where missing; or arrays, each as `features` "
            "with its `label` or `targets`."
        ),
    ]


class ArtifactPage(Page[Artifact]):
    """The files that a job left."""


class PredictedClass(Value):
    """What a model tells of an example."""

    label: Annotated[str, Field(description="The likeliest class.", examples=["yes"])]
    index: Annotated[int, Field(ge=0, description="Its place among the classes.", examples=[1])]
    probabilities: Annotated[
        dict[str, float], Field(description="Of each class, or with `top` of the likeliest.", examples=[{"yes": 0.93}])
    ]


class PredictedNumber(Value):
    """What a model of one target tells of an example."""

    value: Annotated[float, Field(description="The number, in the target's units.", examples=[12.5])]


class PredictedNumbers(Value):
    """What a model of several targets tells of an example."""

    values: Annotated[
        dict[str, float], Field(description="The numbers, by target, in its units.", examples=[{"width": 3.5}])
    ]


class PredictionList(Value):
    """What a model tells of examples."""

    object: Annotated[Literal["prediction.list"], Field(description="Always `prediction.list`.")] = "prediction.list"
    job_id: Annotated[str, Field(description="The job whose model it was.")]
    predictions: Annotated[
        tuple[PredictedClass | PredictedNumber | PredictedNumbers, ...],
        Field(description="One for each instance, in their order."),
    ]


class ProblemPage(Page[ProblemKind]):
    """The kinds of problems."""
