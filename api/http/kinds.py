"""The kinds of problems: one table, from which answers, documentation and the errors' own kinds come."""

import inspect
from dataclasses import dataclass

from jobs.dataset_versions import (
    DatasetInUse,
    DatasetNotFound,
    InvalidDatasetName,
    StorageFull,
    StorageUnavailable,
)
from jobs.errors import (
    DeviceUnavailable,
    GradientdError,
    InvalidCursor,
    InvalidSpec,
    JobNotFound,
    JobTooLarge,
    MemoryUnavailable,
    NotNow,
    PriorityTooHigh,
    StoreUnavailable,
    TooBusy,
    TooManyJobs,
    TooManyRequests,
    UnknownDataset,
    UnknownPreset,
    UnreadableRecord,
)
from jobs.faults import InvalidUpload, UnreadableRows, UploadTooLarge
from jobs.uploaded_weights import InvalidWeights, WeightsNotFound


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: what `code` means wherever it appears."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str
    header: str = ""
    """The header that such an answer comes with beside those that all have."""
    error: type[GradientdError] | None = None
    """The error of the contract that it answers; None where only the API itself refuses so."""

    @property
    def type(self) -> str:
        """The kind's address, relative to the API."""
        return f"/problems/{self.code}"


def _of(error: type[GradientdError], status: int, title: str, *, header: str = "") -> Kind:
    """The kind of one of the contract's errors: its docstring says the meaning, then the remedy."""
    meaning, _, remedy = " ".join(inspect.cleandoc(error.__doc__ or "").split()).partition(". ")
    return Kind(error.code, status, title, f"{meaning}.", remedy, header, error)


JOB_NOT_FOUND = _of(JobNotFound, 404, "Job not found")
UNREADABLE_RECORD = _of(UnreadableRecord, 409, "Job's record cannot be read")
INVALID_SPEC = _of(InvalidSpec, 422, "Job spec cannot be accepted")
PRIORITY_TOO_HIGH = _of(PriorityTooHigh, 422, "Priority is above what the key allows")
INVALID_CURSOR = _of(InvalidCursor, 422, "Cursor is not in the list")
NOT_NOW = _of(NotNow, 409, "Job's status does not allow this")
STORE_UNAVAILABLE = _of(StoreUnavailable, 503, "Store is away", header="Retry-After")
TOO_MANY_JOBS = _of(TooManyJobs, 429, "Too many jobs", header="Retry-After")
TOO_MANY_REQUESTS = _of(TooManyRequests, 429, "Too many requests", header="Retry-After")
INVALID_DATASET_NAME = _of(InvalidDatasetName, 422, "Dataset cannot have this name")
DATASET_NOT_FOUND = _of(DatasetNotFound, 404, "Dataset not found")
DATASET_IN_USE = _of(DatasetInUse, 409, "Dataset is needed by a job")
WEIGHTS_NOT_FOUND = _of(WeightsNotFound, 404, "Weights not found")
INVALID_WEIGHTS = _of(InvalidWeights, 422, "Upload cannot be kept as weights")
INVALID_UPLOAD = _of(InvalidUpload, 422, "Upload cannot become a dataset")
UPLOAD_TOO_LARGE = _of(UploadTooLarge, 413, "Upload is too large")
STORAGE_FULL = _of(StorageFull, 413, "No room for more datasets")
STORAGE_UNAVAILABLE = _of(StorageUnavailable, 503, "Server's disk is full or away", header="Retry-After")
UNREADABLE_ROWS = _of(UnreadableRows, 422, "Rows cannot be read")
TOO_BUSY = _of(TooBusy, 503, "Too many predictions at once", header="Retry-After")
UPLOAD_NOT_FOUND = Kind(
    "upload_not_found",
    404,
    "Upload not found",
    "No upload with this id is on its way, or was lately.",
    "Look for the dataset; where it is not there, send the upload again.",
)
TOO_MANY_UPLOADS = Kind(
    "too_many_uploads",
    429,
    "Too many uploads at once",
    "The server receives or checks as many uploads as it takes at a time.",
    "Send this again in a while.",
    header="Retry-After",
)
ARTIFACT_NOT_FOUND = Kind(
    "artifact_not_found",
    404,
    "File not found",
    "The job has left no file of this name.",
    "`GET /v1/jobs/{job_id}/artifacts` lists those that there are.",
)
WEBHOOK_DELIVERY_NOT_FOUND = Kind(
    "webhook_delivery_not_found",
    404,
    "Delivery not found",
    "The job's webhook was told nothing under this id, or so long ago that it is no longer known.",
    "`GET /v1/jobs/{job_id}/webhook-deliveries` lists those that there are.",
)
NOT_EXPORTED = Kind(
    "not_exported",
    409,
    "Model is not there in this form",
    "The job has not succeeded yet, or did not leave its model in this format, or no evaluation of it for a card.",
    "Wait for its success, take one of the formats that `detail` names, or train again with it in `export`.",
)
RANGE_NOT_SATISFIABLE = Kind(
    "range_not_satisfiable",
    416,
    "File has no such part",
    "The range that was asked for lies beyond the file's end.",
    "Ask for a part within its length, which `Content-Range` names, or leave `Range` out.",
    header="Content-Range",
)
INVALID_INPUTS = Kind(
    "invalid_inputs",
    422,
    "Inputs cannot be read",
    "What is to be predicted is not of the shape or kind that the model was trained on.",
    "Correct what `errors` points at; `detail` says what the model takes.",
)
UNAUTHORIZED = Kind(
    "unauthorized",
    401,
    "No valid API key",
    "The server wants an API key, and the request has none that it knows.",
    "Send `Authorization: Bearer gd_…`. Whoever runs the server makes keys with `gradientd keys create`.",
    header="WWW-Authenticate",
)
FOREIGN_REQUEST = Kind(
    "foreign_request",
    403,
    "Sent by a foreign page, or to a foreign name",
    "The server asks for no API keys, so it serves this machine alone: a browser sent this for a page that is "
    "not the server's own, or the server was addressed by a name that is not this machine's.",
    "Address it as `localhost` or `127.0.0.1`. To reach it by other names or from other pages, have it ask "
    "for keys: `GRADIENTD_AUTH=required`.",
)
INSUFFICIENT_SCOPE = Kind(
    "insufficient_scope",
    403,
    "API key lacks a scope",
    "The API key is valid, but not for this: reading needs the scope `read`, `/metrics` `metrics`, all else `submit`.",
    "Use a key that has the scope that `detail` names.",
    header="WWW-Authenticate",
)
UNKNOWN_DATASET = Kind(
    "unknown_dataset",
    422,
    "Dataset is not known",
    "The spec names a dataset that is not in the catalogue.",
    "Take one of those that `detail` names; `GET /v1/datasets` lists them.",
    error=UnknownDataset,
)
UNKNOWN_PRESET = Kind(
    "unknown_preset",
    422,
    "Preset is not known",
    "The spec names a preset that does not exist.",
    "Take one of those that `detail` names; `GET /v1/presets` lists them.",
    error=UnknownPreset,
)
JOB_TOO_LARGE = Kind(
    "job_too_large",
    422,
    "Job asks for too much",
    "The job needs more parameters, memory or time than this server allows one job.",
    "Ask for less of what `errors` points at; `detail` names what was asked for and what is allowed.",
    error=JobTooLarge,
)
DEVICE_UNAVAILABLE = Kind(
    "device_unavailable",
    422,
    "No live worker has the device",
    "The spec asks for a device that no live worker has.",
    "Ask for one that `detail` names, or set `wait_for_device` to stay queued until there is one.",
    error=DeviceUnavailable,
)
MEMORY_UNAVAILABLE = Kind(
    "memory_unavailable",
    422,
    "No live worker has the memory",
    "The job needs more memory, by estimate, than any live worker can give it.",
    "Ask for a smaller batch or model, or start a worker with more memory; `detail` names what is needed and there.",
    error=MemoryUnavailable,
)
INVALID_PARAMETER = Kind(
    "invalid_parameter",
    422,
    "Parameter cannot be accepted",
    "A query parameter or header is unknown, or its value is out of bounds.",
    "Correct or leave out the parameters that `errors` names.",
)
IDEMPOTENCY_KEY_REUSED = Kind(
    "idempotency_key_reused",
    422,
    "Idempotency key was used for another body",
    "The `Idempotency-Key` came before with a different body, so nothing was created.",
    "Send the same body to get the first answer again, or a new key to create another job.",
)
MALFORMED_JSON = Kind(
    "malformed_json",
    400,
    "Body is not valid JSON",
    "The body is not JSON as RFC 8259 has it, or repeats a name within an object.",
    "Correct it at the line and column that `detail` names.",
)
UNSUPPORTED_MEDIA_TYPE = Kind(
    "unsupported_media_type",
    415,
    "Body is of the wrong type",
    "The body is not declared as JSON in UTF-8, or is compressed or coded otherwise.",
    "Send it as it is, with `Content-Type: application/json` and no `Content-Encoding`.",
)
BODY_TOO_LARGE = Kind(
    "body_too_large",
    413,
    "Body is too large",
    "The body is longer than this server reads.",
    "Send a shorter one; `detail` names the limit.",
)
NOT_ACCEPTABLE = Kind(
    "not_acceptable",
    406,
    "No acceptable form",
    "None of the forms that `Accept` asks for can be given.",
    "Ask for one that `detail` names, or leave `Accept` out.",
)
ROUTE_NOT_FOUND = Kind(
    "route_not_found",
    404,
    "Nothing is here",
    "No operation has this path.",
    "Check the path against `/docs` or `/openapi.json`.",
)
PROBLEM_NOT_FOUND = Kind(
    "problem_not_found",
    404,
    "No such kind of problem",
    "No problem has this code.",
    "`GET /problems` lists them all.",
)
METHOD_NOT_ALLOWED = Kind(
    "method_not_allowed",
    405,
    "Method is not allowed here",
    "The path exists, but not with this method.",
    "Use one of the methods that the `Allow` header names.",
)
PRECONDITION_FAILED = Kind(
    "precondition_failed",
    412,
    "Condition cannot be met",
    "The request was to change something under a condition (`If-Match`) that this operation does not look at, so it "
    "was not carried out.",
    "Leave `If-Match` out: cancelling, pausing, resuming and deleting again do no harm, and creating again is made "
    "safe by an `Idempotency-Key`.",
)
HEAD_TOO_LARGE = Kind(
    "head_too_large",
    431,
    "Request's head is too large",
    "The request's target and headers are longer, or more, than this server reads.",
    "Send fewer and shorter headers.",
)
REQUEST_TOO_SLOW = Kind(
    "request_too_slow",
    408,
    "Request did not arrive in time",
    "The request's head or body came more slowly than this server waits for.",
    "Send it in one go; a body may take as long as it moves at 1 KiB a second.",
)
TOO_MANY_CONNECTIONS = Kind(
    "too_many_connections",
    503,
    "Too many connections",
    "The server holds as many connections as it can, and is answering all of them.",
    "Try again shortly, and use one connection for many requests.",
)
BAD_REQUEST = Kind(
    "bad_request",
    400,
    "Request cannot be understood",
    "The request breaks HTTP's rules.",
    "Correct it as `detail` says.",
)
INTERNAL_ERROR = Kind(
    "internal_error",
    500,
    "Something went wrong here",
    "The server met a fault of its own.",
    "Try again; if it stays, give the operator the `request_id`, under which the log has the details.",
)

KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        JOB_NOT_FOUND,
        UNREADABLE_RECORD,
        INVALID_SPEC,
        PRIORITY_TOO_HIGH,
        INVALID_CURSOR,
        NOT_NOW,
        STORE_UNAVAILABLE,
        TOO_MANY_JOBS,
        TOO_MANY_REQUESTS,
        INVALID_DATASET_NAME,
        DATASET_NOT_FOUND,
        DATASET_IN_USE,
        WEIGHTS_NOT_FOUND,
        INVALID_WEIGHTS,
        INVALID_UPLOAD,
        UPLOAD_TOO_LARGE,
        STORAGE_FULL,
        STORAGE_UNAVAILABLE,
        UNREADABLE_ROWS,
        TOO_BUSY,
        UPLOAD_NOT_FOUND,
        TOO_MANY_UPLOADS,
        ARTIFACT_NOT_FOUND,
        WEBHOOK_DELIVERY_NOT_FOUND,
        NOT_EXPORTED,
        RANGE_NOT_SATISFIABLE,
        INVALID_INPUTS,
        UNAUTHORIZED,
        FOREIGN_REQUEST,
        INSUFFICIENT_SCOPE,
        UNKNOWN_DATASET,
        UNKNOWN_PRESET,
        JOB_TOO_LARGE,
        DEVICE_UNAVAILABLE,
        MEMORY_UNAVAILABLE,
        INVALID_PARAMETER,
        IDEMPOTENCY_KEY_REUSED,
        MALFORMED_JSON,
        UNSUPPORTED_MEDIA_TYPE,
        BODY_TOO_LARGE,
        NOT_ACCEPTABLE,
        ROUTE_NOT_FOUND,
        PROBLEM_NOT_FOUND,
        METHOD_NOT_ALLOWED,
        PRECONDITION_FAILED,
        HEAD_TOO_LARGE,
        REQUEST_TOO_SLOW,
        TOO_MANY_CONNECTIONS,
        BAD_REQUEST,
        INTERNAL_ERROR,
    )
}
"""All of them, by code."""

_BY_ERROR = {kind.error: kind for kind in KINDS.values() if kind.error}


def kind_of(error: GradientdError) -> Kind | None:
    """The kind that answers an error; None for one that no caller should meet."""
    return next((_BY_ERROR[cause] for cause in type(error).__mro__ if cause in _BY_ERROR), None)
