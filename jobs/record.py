"""What is known of a job: the record that the store keeps and the API shows."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.automatic import Choice
from jobs.escapes import escaped
from jobs.estimate import Rounding
from jobs.spec import Execution, Spec
from jobs.states import Phase, Reason, Status

Loss = Annotated[float, Field(description="Mean loss per example.", examples=[0.0213])]
Accuracy = Annotated[
    float | None,
    Field(ge=0, le=1, description="Share of examples classified right; `null` for regression.", examples=[0.9771]),
]
Mae = Annotated[
    float | None,
    Field(ge=0, description="Mean absolute error, in the target's units; `null` for classes.", examples=[None]),
]
Rmse = Annotated[
    float | None,
    Field(
        ge=0, description="Root of the mean squared error, in the target's units; `null` for classes.", examples=[None]
    ),
]
R2 = Annotated[
    float | None,
    Field(description="Share of the target's variance that is explained; `null` for classes.", examples=[None]),
]


class Value(BaseModel):
    """A frozen value. Whoever makes one may give no unknown field; one that the store holds is left out in reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EpochMetrics(Value):
    """What one epoch measured. Those of training are over the epoch's examples, as the network was at each step.

    Of several targets `mae`, `rmse` and `r2` are the mean of each one's.
    """

    epoch: Annotated[int, Field(ge=1, description="Epochs done, this one included.", examples=[3])]
    step: Annotated[int, Field(ge=1, description="Steps done since the job began.", examples=[1407])]
    loss: Loss
    accuracy: Accuracy = None
    mae: Mae = None
    rmse: Rmse = None
    r2: R2 = None
    val_loss: Loss
    val_accuracy: Accuracy = None
    val_mae: Mae = None
    val_rmse: Rmse = None
    val_r2: R2 = None
    learning_rate: Annotated[
        float, Field(description="Learning rate of the epoch's last step that was not skipped.", examples=[0.1])
    ]
    seconds: Annotated[float, Field(ge=0, description="Wall time of the epoch, evaluation included.", examples=[0.45])]
    examples_per_second: Annotated[
        float, Field(ge=0, description="Training examples per second of training time.", examples=[142_000.0])
    ]
    skipped_steps: Annotated[
        int | None,
        Field(
            ge=0,
            description="Steps of the epoch that changed nothing, as their gradients were too large for float16; "
            "`null` in metrics of older versions.",
            examples=[0],
        ),
    ] = None
    device_memory_bytes: Annotated[
        int | None, Field(description="Memory in use on the GPU; `null` on a CPU.", examples=[None])
    ] = None
    device_memory_peak_bytes: Annotated[
        int | None, Field(description="Largest memory in use on the GPU so far; `null` on a CPU.", examples=[None])
    ] = None

    def score(self, monitor: str | None = None) -> float:
        """What the best epoch has most of: what early stopping watches; without that `val_accuracy`, or the least
        `val_loss`."""
        watched = monitor or ("val_loss" if self.val_accuracy is None else "val_accuracy")
        value: float = getattr(self, watched)
        return value if watched.removeprefix("val_") in ("accuracy", "r2") else -value


class Metrics(Value):
    """A job's measurements in brief; the whole series is at `/v1/jobs/{id}/metrics`."""

    latest: Annotated[EpochMetrics | None, Field(description="The last epoch's metrics.")] = None
    best: Annotated[
        EpochMetrics | None,
        Field(
            description="The best epoch, the first of equals: by what `early_stopping` watches, whose weights are kept "
            "then; without that by the highest `val_accuracy`, for regression by the lowest `val_loss`."
        ),
    ] = None
    test_loss: Annotated[
        float | None, Field(description="Loss on the test examples with the final weights, once succeeded.")
    ] = None
    test_accuracy: Annotated[
        float | None, Field(description="Accuracy on the test examples with the final weights, once succeeded.")
    ] = None
    test_precision: Annotated[
        float | None,
        Field(description="Mean over the classes of the share of right ones among those told as one.", examples=[0.98]),
    ] = None
    test_recall: Annotated[
        float | None,
        Field(description="Mean over the classes of the share of its examples that are told as it.", examples=[0.98]),
    ] = None
    test_f1: Annotated[
        float | None,
        Field(description="Mean over the classes of the harmonic mean of precision and recall.", examples=[0.98]),
    ] = None
    test_mae: Annotated[
        float | None, Field(description="Mean absolute error on the test examples.", examples=[None])
    ] = None
    test_rmse: Annotated[
        float | None, Field(description="Root of the mean squared error on the test examples.", examples=[None])
    ] = None
    test_r2: Annotated[
        float | None,
        Field(description="Share of the test examples' variance that is explained.", examples=[None]),
    ] = None


class Progress(Value):
    """How far a job has come. Refreshed a few times a second while it trains."""

    percent: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            description="Share of all steps done; evaluation and export follow the last. Never falls in an attempt.",
            examples=[42.5],
        ),
    ] = 0.0
    epoch: Annotated[int, Field(ge=0, description="Epoch under way, from 1; 0 before the first.", examples=[5])] = 0
    epochs: Annotated[int, Field(ge=1, description="Epochs asked for.", examples=[10])]
    step: Annotated[int, Field(ge=0, description="Steps done.", examples=[1993])] = 0
    steps: Annotated[int, Field(ge=1, description="Steps in all epochs.", examples=[4690])]
    steps_per_second: Annotated[
        float | None, Field(description="Speed of training in the last few seconds.", examples=[1100.0])
    ] = None
    examples_per_second: Annotated[float | None, Field(description="The same.", examples=[140_800.0])] = None
    loss: Annotated[float | None, Field(description="Mean loss per example of the epoch so far.", examples=[0.03])] = (
        None
    )
    accuracy: Annotated[float | None, Field(description="Accuracy of the epoch so far.", examples=[0.97])] = None
    estimated_finish_at: Annotated[
        datetime | None,
        Field(
            description="When a running job should have succeeded, at this attempt's speed, with what follows each "
            "epoch and, at the end, evaluation and export; `null` until the speed is known. A job that stops early "
            "is done before."
        ),
    ] = None


class Runtime(Value):
    """How the worker runs the job: what `auto` became, and what the bits of the result depend on."""

    execution: Annotated[Execution, Field(description="`eager`, `graph` or `xla`.")]
    device: Annotated[str, Field(description="Where the weights live.", examples=["/device:CPU:0"])]
    device_name: Annotated[str, Field(description="Model of that device.", examples=["AMD EPYC"])]
    variables: Annotated[
        dict[str, str],
        Field(description="Device of each weight tensor, by name.", examples=[{"dense_1/kernel": "/device:CPU:0"}]),
    ]
    parameters: Annotated[int, Field(ge=0, description="Number of trained values.", examples=[235_146])]
    non_trainable_parameters: Annotated[
        int,
        Field(
            ge=0, description="Number of values kept and not trained: frozen ones, moving statistics.", examples=[224]
        ),
    ] = 0
    threads: Annotated[int | None, Field(description="CPU threads within one operation.", examples=[2])]
    memory_growth: Annotated[
        bool | None, Field(description="Whether GPU memory grows with need; `null` without a GPU.")
    ]
    program: Annotated[str, Field(description="The compiled program's kind: `solo`, or `pack` and its size.")] = "solo"
    tensorflow: Annotated[str, Field(description="TensorFlow version.", examples=["2.21.0"])]
    rounding: Annotated[
        Rounding,
        Field(
            description="How shares, of examples held out and of warm-up steps, become counts: `nearest`, or `down` in "
            "jobs that older versions began.",
            examples=["nearest"],
        ),
    ] = "down"

    @property
    def circumstances(self) -> dict[str, object]:
        """What the bits of a result depend on beside its spec and dataset."""
        return self.model_dump(include={"execution", "device_name", "threads", "program", "tensorflow", "rounding"})


class Artifact(Value):
    """A file the job produced."""

    name: Annotated[str, Field(description="File name.", examples=["weights.npz"])]
    size_bytes: Annotated[int, Field(ge=0, description="Its length.", examples=[942_000])]
    sha256: Annotated[str, Field(description="SHA-256 of its bytes, in hex.", examples=["9f86d081884c7d65…"])]


class Checkpoint(Value):
    """A state of the job from which it can go on to the same bits."""

    name: Annotated[str, Field(description="File name.", examples=["checkpoint-1-469.npz"])]
    epoch: Annotated[int, Field(ge=0, description="Whole epochs in it.", examples=[1])]
    step: Annotated[int, Field(ge=0, description="Steps in it.", examples=[469])]
    size_bytes: Annotated[int, Field(ge=0, description="The file's length.", examples=[942_000])]
    sha256: Annotated[str, Field(description="SHA-256 of its bytes, in hex.", examples=["9f86d081884c7d65…"])]
    metrics: Annotated[
        EpochMetrics | None, Field(description="The last whole epoch's metrics; `null` within the first.")
    ] = None


class InitialWeights(Value):
    """With what a job begins: a copy of its own of another one's weights, or of uploaded ones."""

    source: Annotated[
        str,
        Field(
            description="From what it was taken: `job_…` for its final weights, `job_…@best` and `job_…@last` for its "
            "checkpoints, `weights:NAME` for uploaded ones.",
            examples=["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC@best"],
        ),
    ]
    sha256: Annotated[
        str, Field(description="SHA-256 of the file it was taken from, in hex.", examples=["9f86d081884c7d65…"])
    ]
    epoch: Annotated[
        int | None, Field(ge=0, description="Epochs that they were trained by then; of a job.", examples=[3])
    ] = None
    step: Annotated[
        int | None, Field(ge=0, description="Steps that they were trained by then; of a job.", examples=[1407])
    ] = None
    file: Annotated[Artifact, Field(description="The copy.")]
    encoding: Annotated[
        Artifact | None,
        Field(description="What the network is fed, where that is taken over, too: a file like `encoding.json`."),
    ] = None


class Transition(Value):
    """One change of status."""

    at: Annotated[datetime, Field(description="When, by the store's clock.")]
    status: Annotated[Status, Field(description="The status from then on.")]
    reason: Annotated[Reason | None, Field(description="Why, where the status alone does not say.")] = None
    attempt: Annotated[int, Field(ge=0, description="Claims so far.", examples=[1])] = 0


LogLevel = Literal["info", "warning", "error"]
LONGEST_MESSAGE = 500
"""Characters of a log line."""


class LogLine(Value):
    """What a job's worker, or the service, has to say about it."""

    level: Annotated[
        LogLevel,
        Field(description="`info`; `warning` for what went otherwise than it should; `error` for why it failed."),
    ]
    message: Annotated[
        str,
        Field(
            max_length=LONGEST_MESSAGE,
            description="One line for people; its wording may change.",
            examples=["compiled by XLA in 0.6 s"],
        ),
    ]

    @classmethod
    def of(cls, level: LogLevel, text: str) -> "LogLine":
        """The line of a text, however long, whoever wrote parts of it."""
        line = escaped(" ".join(text.split()))
        return cls(level=level, message=line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…")


class JobError(Value):
    """Why a job failed, in the shape of an RFC 9457 problem."""

    code: Annotated[str, Field(description="Stable name of the cause.", examples=["non_finite_loss"])]
    title: Annotated[str, Field(description="The cause in words.", examples=["Loss or gradients are not finite"])]
    detail: Annotated[str, Field(description="What happened and what to do.")]
    step: Annotated[int | None, Field(description="Step at which it happened, where known.", examples=[117])] = None

    @property
    def log_line(self) -> LogLine:
        """The same for whoever reads the job's log."""
        if self.code == Reason.TRAINING_ERROR:
            # What a library said may tell of the machine, and means nothing to who cannot see it.
            kind = self.detail.partition(":")[0]
            told = f"{self.title}: {kind}; whoever runs the server finds more in its log, under this job's id"
        else:
            told = f"{self.title}: {self.detail}"
        return LogLine.of("error", told)


class JobState(Value):
    """How a training job stands."""

    id: Annotated[str, Field(description="Sortable by time of creation.", examples=["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"])]
    object: Annotated[str, Field(description="What this is.", examples=["training.job"])]
    status: Annotated[Status, Field(description="Where it stands.")]
    status_reason: Annotated[Reason | None, Field(description="Why, where the status alone does not say.")] = None
    phase: Annotated[Phase | None, Field(description="What a running job is doing.")] = None
    progress: Annotated[Progress, Field(description="How far it has come.")]
    queue_position: Annotated[
        int | None, Field(description="Jobs that will be claimed before it; `null` unless queued.", examples=[0])
    ] = None
    estimated_start_at: Annotated[
        datetime | None,
        Field(
            description="When a worker should claim a queued job, if nothing of higher priority comes: from what the "
            "running jobs still take and how long jobs took lately. `null` unless queued, without a live worker for "
            "it, and where that is not known."
        ),
    ] = None
    attempt: Annotated[int, Field(ge=0, description="Times a worker has claimed it.", examples=[1])] = 0
    worker: Annotated[str | None, Field(description="Name of the worker that has or had it.")] = None
    metrics: Annotated[Metrics, Field(description="Its measurements in brief.")] = Metrics()
    created_at: Annotated[datetime, Field(description="When it was accepted.")]
    started_at: Annotated[datetime | None, Field(description="When it was first claimed.")] = None
    finished_at: Annotated[datetime | None, Field(description="When it reached its final status.")] = None
    last_heartbeat_at: Annotated[datetime | None, Field(description="When its worker last spoke.")] = None
    responding: Annotated[
        bool | None,
        Field(description="Whether its worker spoke within the last lease; `null` unless a worker holds it."),
    ] = None
    metadata: Annotated[dict[str, str], Field(description="The labels given in the spec.")] = {}
    revision: Annotated[int, Field(ge=1, description="Grows with every change; the ETag is made of it.", examples=[7])]


class Job(JobState):
    """A training job as the API shows it."""

    object: Annotated[Literal["training.job"], Field(description="Always `training.job`.")] = "training.job"  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    spec: Annotated[Spec, Field(description="What was asked for, with every default filled in.")]
    choices: Annotated[
        tuple[Choice, ...], Field(description="What the spec left open and the preset `auto` or `table` decided.")
    ] = ()
    initial_weights: Annotated[
        InitialWeights | None, Field(description="What the spec's `init_from` was; `null` without that.")
    ] = None
    run: Annotated[Runtime | None, Field(description="How it runs; `null` before its first claim.")] = None
    checkpoint: Annotated[
        Checkpoint | None, Field(description="From where the next attempt would go on; `null` for the beginning.")
    ] = None
    best_checkpoint: Annotated[
        Checkpoint | None,
        Field(
            description="The state after the epoch with the highest `val_accuracy`, for regression with the lowest "
            "`val_loss`, once it was kept."
        ),
    ] = None
    artifacts: Annotated[tuple[Artifact, ...], Field(description="Files it produced.")] = ()
    transitions: Annotated[
        tuple[Transition, ...],
        Field(description="Changes of status, oldest first: all of them, or of very many the first and the last."),
    ] = ()
    transitions_omitted: Annotated[
        int, Field(ge=0, description="Changes of status left out of `transitions`, behind its first 10.", examples=[0])
    ] = 0
    error: Annotated[JobError | None, Field(description="Why it failed; `null` otherwise.")] = None


class JobSummary(JobState):
    """A training job in brief: without its spec, its files and its past."""

    object: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
        Literal["training.job.summary"], Field(description="Always `training.job.summary`.")
    ] = "training.job.summary"
    dataset: Annotated[str, Field(description="What it trains on.", examples=["mnist"])]
    preset: Annotated[str | None, Field(description="The preset that filled its spec.", examples=["textbook"])] = None


class Event(Value):
    """One entry of a job's history. `id`s grow, have no duplicates, and never change."""

    id: Annotated[str, Field(description="Position in the history: claim number, dash, entry.", examples=["1-4"])]
    object: Annotated[Literal["training.event"], Field(description="Always `training.event`.")] = "training.event"
    type: Annotated[
        str,
        Field(
            description="What the entry tells: `status`, `run`, `metric`, `checkpoint`, `log`, or at last `done`; "
            "newer versions may have others.",
            examples=["metric"],
        ),
    ]
    at: Annotated[datetime, Field(description="When it was recorded, by the store's clock.")]
    data: Annotated[
        dict[str, Any],
        Field(
            description="For `status` a transition, for `run` how the job runs, "
            "for `metric` an epoch's metrics, for `checkpoint` what was kept, for `log` a `level` (`info`, `warning`, "
            "`error`) and a `message`, for `done` the final status.",
            examples=[{"epoch": 1, "step": 469, "loss": 0.31, "accuracy": 0.81}],
        ),
    ]


class Device(Value):
    """One device of a worker."""

    name: Annotated[str, Field(description="TensorFlow's name for it.", examples=["/device:CPU:0"])]
    kind: Annotated[Literal["cpu", "gpu"], Field(description="Kind of device.")]
    model: Annotated[str, Field(description="What the maker calls it.", examples=["AMD EPYC"])]
    memory_growth: Annotated[bool | None, Field(description="Whether its memory grows with need; GPU only.")] = None
    memory_limit_mb: Annotated[int | None, Field(description="Cap on its memory, in MiB; GPU only.")] = None
    memory_bytes: Annotated[int | None, Field(description="Memory in use; GPU only.")] = None
    memory_peak_bytes: Annotated[int | None, Field(description="Largest memory in use so far; GPU only.")] = None
    memory_bytes_total: Annotated[
        int | None, Field(description="All its memory, or the cap on it; GPU only.", examples=[25_769_803_776])
    ] = None


class Worker(Value):
    """A live worker."""

    name: Annotated[str, Field(description="Unique name.", examples=["worker-1"])]
    object: Annotated[Literal["worker"], Field(description="Always `worker`.")] = "worker"
    host: Annotated[str, Field(description="Machine it runs on.")]
    pid: Annotated[int, Field(description="Process id of its trainer.")]
    devices: Annotated[tuple[Device, ...], Field(description="What it can train on.")]
    threads: Annotated[int, Field(description="CPU threads within one operation.", examples=[2])]
    tensorflow: Annotated[str, Field(description="TensorFlow version.", examples=["2.21.0"])]
    status: Annotated[Literal["idle", "busy"], Field(description="Whether it trains at the moment.")]
    job_id: Annotated[str | None, Field(description="Job it trains.")] = None
    job_memory_bytes: Annotated[
        int | None,
        Field(
            description="Most memory that a job can have, by estimate: the machine's, or its container's limit, "
            "without what the trainer takes itself; `null` for workers of older versions.",
            examples=[16_000_000_000],
        ),
    ] = None
    started_at: Annotated[datetime, Field(description="When its trainer process began.")]
    last_heartbeat_at: Annotated[datetime, Field(description="When it last spoke.")]
