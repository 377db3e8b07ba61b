"""Every way in which a job operation can fail. Knows no HTTP; `api.http.problems` maps these to answers."""

from collections.abc import Iterable


class GradientdError(Exception):
    """Root of all errors raised on purpose. `code` is stable and safe to match on."""

    code = "error"


# --- the caller asked for something that cannot be -----------------------------------------------


class InvalidSpec(GradientdError):
    """A value in the job spec cannot be accepted. Correct the field that `pointer` names.

    `pointer` is an RFC 6901 JSON pointer into the submitted body.
    """

    code = "invalid_spec"

    def __init__(self, detail: str, *, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer


class UnknownDataset(InvalidSpec):
    """The spec names a dataset that is not in the catalogue. Take one of those that the message names."""

    code = "unknown_dataset"

    def __init__(self, name: str, *, known: Iterable[str]) -> None:
        super().__init__(f"no dataset {name!r}; known here: {', '.join(known)}", pointer="/dataset")


class UnknownPreset(InvalidSpec):
    """The spec names a preset that does not exist. Take one of those that the message names."""

    code = "unknown_preset"

    def __init__(self, name: str, *, known: Iterable[str]) -> None:
        super().__init__(f"no preset {name!r}; known here: {', '.join(known)}", pointer="/preset")


class PriorityTooHigh(InvalidSpec):
    """The job's priority is above the highest that the key allows. Ask for that one, or for a key that allows more."""

    code = "priority_too_high"

    def __init__(self, priority: int, *, limit: int) -> None:
        super().__init__(f"priority {priority} is above this key's highest, {limit}", pointer="/priority")


class JobTooLarge(InvalidSpec):
    """The job needs more parameters, memory or time than one job may have. Ask for less of what `pointer` names."""

    code = "job_too_large"


class MemoryUnavailable(InvalidSpec):
    """No live worker has the memory that the job needs by estimate. Ask for a smaller batch or model, or start a larger
    worker.
    """

    code = "memory_unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, pointer="/batch_size")


class JobNotFound(GradientdError):
    """No job with this id is stored. Check the id; final jobs are deleted after the retention time."""

    code = "job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job {job_id!r} is known here")
        self.job_id = job_id


class UnreadableRecord(GradientdError):
    """The job's record cannot be read by this version of the server. Update the server, or delete the job.

    A newer version wrote it before it was rolled back, or the store was damaged.
    """

    code = "unreadable_record"
    title = "Record cannot be read"

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(f"the record of {job_id!r} cannot be read by this version: {why}")
        self.job_id = job_id


class InvalidCursor(GradientdError):
    """`after` names a job that is not in this list. Start again without it."""

    code = "invalid_cursor"

    def __init__(self, cursor: str) -> None:
        super().__init__(f"the cursor {cursor!r} is not a job id of this list")


class NotNow(GradientdError):
    """The job's status does not allow this. Look at its status; a final job stays as it is."""

    code = "not_now"


# --- the caller asked for too much ----------------------------------------------------------------


class TooManyJobs(GradientdError):
    """The key's owner has as many jobs as the key allows; nothing was changed. Wait for one to end, or cancel one."""

    code = "too_many_jobs"
    retry_after_seconds = 10

    def __init__(self, what: str, *, count: int, limit: int) -> None:
        super().__init__(f"this key's owner has {count} {what} jobs; the key's limit is {limit}")


class TooManyRequests(GradientdError):
    """The key has sent more requests than its rate allows. Send fewer; go on after `Retry-After`."""

    code = "too_many_requests"

    def __init__(self, *, per_minute: int, retry_after_seconds: int) -> None:
        super().__init__(f"this key may send {per_minute} requests a minute; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class TooBusy(GradientdError):
    """So many predictions wait here that this one would wait too long. Send it again shortly."""

    code = "too_busy"
    retry_after_seconds = 1


# --- somebody else owns the job now ---------------------------------------------------------------


class StaleFence(GradientdError):
    """The writer's claim on the job has ended: another claim, a requeue or a final state came after it.

    Stop working on the job and write nothing more.
    """

    code = "stale_fence"

    def __init__(self, job_id: str, fence: int) -> None:
        super().__init__(f"claim {fence} on {job_id} has ended")


# --- whoever runs the service has to change something ---------------------------------------------


class Misconfigured(GradientdError):
    """The settings cannot be used together. Correct them as the message says; nothing was started."""

    code = "misconfigured"


# --- a part of the machine is away ----------------------------------------------------------------


class StoreUnavailable(GradientdError):
    """Redis cannot be reached, or refuses writes. Try again in `retry_after_seconds`."""

    code = "store_unavailable"
    retry_after_seconds = 2


class DataLost(StoreUnavailable):
    """The data directory was deleted or replaced under the running service. Start the service again, with the directory
    put back, or it begins anew."""

    code = "data_lost"


# --- a job ends in failure ------------------------------------------------------------------------


class TrainingFailed(GradientdError):
    """Base of the failures that become a job's `error`. `code` becomes its `status_reason`."""

    code = "training_error"
    title = "Training failed"


class NonFiniteLoss(TrainingFailed):
    """The loss became NaN or infinite, or its gradients did. Lower the learning rate, or check the data."""

    code = "non_finite_loss"
    title = "Loss or gradients are not finite"

    def __init__(self, *, step: int, loss: float | None = None) -> None:
        """`loss` is None where that was finite and the gradients were not."""
        if loss is None:
            what, remedy = "the gradients overflowed float16, at the smallest loss scale too,", "the precision float32"
        else:
            what, remedy = f"the loss became {loss}", "for a softmax model the loss cross_entropy instead of mse"
        super().__init__(f"{what} at step {step}; a lower learning rate usually helps, and {remedy}")
        self.step = step


class DatasetUnavailable(TrainingFailed):
    """The dataset's files are nowhere to be had. Put the file where the message says."""

    code = "dataset_unavailable"
    title = "Dataset is nowhere to be had"


class InitialWeightsUnavailable(TrainingFailed):
    """The weights that the job was to begin with cannot be read any more. Submit it again."""

    code = "initial_weights_unavailable"
    title = "Initial weights cannot be read"


class DeviceUnavailable(InvalidSpec, TrainingFailed):
    """The device that the spec asks for is not there. Ask for one that the message names, or wait for a worker with it.

    One fact, found out in two places: by who takes the job, of the live workers, and by the worker that trains it.
    Hence a refused spec as well as a failed training.
    """

    code = "device_unavailable"
    title = "Device is not there"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, pointer="/device")


class OutOfMemory(TrainingFailed):
    """The device's memory does not hold the model and batch. Lower `batch_size` or the model's size."""

    code = "out_of_memory"
    title = "Out of memory"


class UnfitExamples(TrainingFailed):
    """The examples are not what a layer of the network takes: numbers that an embedding does not have. Give it the
    `input_dim` that the message names, or upload whole numbers from 0 on."""

    code = "unfit_examples"
    title = "Examples do not fit the network"


class Stalled(TrainingFailed):
    """Training made no step for so long that its process was ended, in every attempt."""

    code = "stalled"
    title = "Training stalled"


class DeadlineExceeded(TrainingFailed):
    """The job ran for longer than its `max_runtime_seconds`."""

    code = "deadline_exceeded"
    title = "Deadline exceeded"
