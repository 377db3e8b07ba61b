"""A job's life: its statuses, which may follow which, and why it is in one.

`TRANSITIONS` is the only place that says so: the Lua scripts receive this very table (`store.scripts`).
"""

from enum import StrEnum


class Status(StrEnum):
    """Where a job stands. Small on purpose: `Phase` and `Reason` carry the detail."""

    QUEUED = "queued"
    """Accepted and waiting for a worker."""
    RUNNING = "running"
    """A worker holds a live lease on it."""
    CANCELLING = "cancelling"
    """Somebody asked to stop it; its worker has not yet confirmed."""
    PAUSING = "pausing"
    """Somebody asked to pause it; its worker has not yet confirmed."""
    PAUSED = "paused"
    """Stopped with a checkpoint, waiting to be resumed."""
    SUCCEEDED = "succeeded"
    """Trained to its end."""
    FAILED = "failed"
    """Ended by an error, which the record holds."""
    CANCELLED = "cancelled"
    """Stopped because somebody asked for it."""


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
"""Nothing follows these."""

HELD = frozenset({Status.RUNNING, Status.CANCELLING, Status.PAUSING})
"""A worker's lease stands behind these."""

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED, Status.PAUSED, Status.FAILED}),
    Status.RUNNING: frozenset(
        {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.CANCELLING, Status.PAUSING, Status.QUEUED}
    ),
    Status.CANCELLING: frozenset({Status.CANCELLED, Status.SUCCEEDED, Status.FAILED}),
    Status.PAUSING: frozenset({Status.PAUSED, Status.CANCELLING, Status.CANCELLED, Status.SUCCEEDED, Status.FAILED}),
    Status.PAUSED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


class Phase(StrEnum):
    """What a held job is doing."""

    STARTING = "starting"
    LOADING_DATA = "loading_data"
    TRACING = "tracing"
    TRAINING = "training"
    EVALUATING = "evaluating"
    CHECKPOINTING = "checkpointing"
    EXPORTING = "exporting"


class Reason(StrEnum):
    """Why a job has its status, where the status alone does not say."""

    USER_REQUESTED = "user_requested"
    COMPLETED = "completed"
    EARLY_STOPPED = "early_stopped"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    WORKER_LOST = "worker_lost"
    WORKER_DRAINED = "worker_drained"
    STALLED = "stalled"
    OUT_OF_MEMORY = "out_of_memory"
    UNFIT_EXAMPLES = "unfit_examples"
    NON_FINITE_LOSS = "non_finite_loss"
    DATASET_UNAVAILABLE = "dataset_unavailable"
    INITIAL_WEIGHTS_UNAVAILABLE = "initial_weights_unavailable"
    DEVICE_UNAVAILABLE = "device_unavailable"
    TRAINING_ERROR = "training_error"
    UNREADABLE_RECORD = "unreadable_record"
