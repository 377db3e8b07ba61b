"""Every way in which the API says no, as RFC 9457 problems: one table, from which answers and documentation come."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from jobs.errors import (
    GradientdError,
    InvalidCursor,
    InvalidSpec,
    JobNotFound,
    NotNow,
    StoreUnavailable,
    TooManyJobs,
    TooManyRequests,
)
from jobs.wire import MOST_ERRORS, FieldError

MEDIA_TYPE = "application/problem+json"
REQUEST_ID = "gradientd.request_id"
"""Where the envelope leaves the request's id in the ASGI scope."""
LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: what `code` means wherever it appears."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str

    @property
    def type(self) -> str:
        """The kind's address, relative to the API."""
        return f"/problems/{self.code}"


def _of(error: type[GradientdError], status: int, title: str) -> Kind:
    """The kind of one of the contract's errors: its docstring says the meaning, then the remedy."""
    meaning, _, remedy = " ".join(inspect.cleandoc(error.__doc__ or "").split()).partition(". ")
    return Kind(error.code, status, title, f"{meaning}.", remedy)


KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        _of(JobNotFound, 404, "Job not found"),
        _of(InvalidSpec, 422, "Job spec cannot be accepted"),
        _of(InvalidCursor, 422, "Cursor is not in the list"),
        _of(NotNow, 409, "Job's status does not allow this"),
        _of(StoreUnavailable, 503, "Store is away"),
        _of(TooManyJobs, 429, "Too many jobs"),
        _of(TooManyRequests, 429, "Too many requests"),
        Kind(
            "unauthorized",
            401,
            "No valid API key",
            "The server wants an API key, and the request has none that it knows.",
            "Send `Authorization: Bearer gd_…`. Whoever runs the server makes keys with `gradientd keys create`.",
        ),
        Kind(
            "foreign_request",
            403,
            "Sent by a foreign page, or to a foreign name",
            "The server asks for no API keys, so it serves this machine alone: a browser sent this for a page that is "
            "not the server's own, or the server was addressed by a name that is not this machine's.",
            "Address it as `localhost` or `127.0.0.1`. To reach it by other names or from other pages, have it ask "
            "for keys: `GRADIENTD_AUTH=required`.",
        ),
        Kind(
            "insufficient_scope",
            403,
            "API key lacks a scope",
            "The API key is valid, but not for this: reading needs the scope `read`, all else `submit`.",
            "Use a key that has the scope that `detail` names.",
        ),
        Kind(
            "unknown_dataset",
            422,
            "Dataset is not known",
            "The spec names a dataset that is not in the catalogue.",
            "Take one of those that `detail` names; `GET /v1/datasets` lists them.",
        ),
        Kind(
            "unknown_preset",
            422,
            "Preset is not known",
            "The spec names a preset that does not exist.",
            "Take one of those that `detail` names; `GET /v1/presets` lists them.",
        ),
        Kind(
            "job_too_large",
            422,
            "Job asks for too much",
            "The job needs more parameters, memory or time than this server allows one job.",
            "Ask for less of what `errors` points at; `detail` names what was asked for and what is allowed.",
        ),
        Kind(
            "device_unavailable",
            422,
            "No live worker has the device",
            "The spec asks for a device that no live worker has.",
            "Ask for one that `detail` names, or set `wait_for_device` to stay queued until there is one.",
        ),
        Kind(
            "invalid_parameter",
            422,
            "Parameter cannot be accepted",
            "A query parameter or header is unknown, or its value is out of bounds.",
            "Correct or leave out the parameters that `errors` names.",
        ),
        Kind(
            "idempotency_key_reused",
            422,
            "Idempotency key was used for another body",
            "The `Idempotency-Key` came before with a different body, so nothing was created.",
            "Send the same body to get the first answer again, or a new key to create another job.",
        ),
        Kind(
            "malformed_json",
            400,
            "Body is not valid JSON",
            "The body is not JSON as RFC 8259 has it, or repeats a name within an object.",
            "Correct it at the line and column that `detail` names.",
        ),
        Kind(
            "unsupported_media_type",
            415,
            "Body is of the wrong type",
            "The body is not declared as JSON.",
            "Send it with `Content-Type: application/json`.",
        ),
        Kind(
            "body_too_large",
            413,
            "Body is too large",
            "The body is longer than this server reads.",
            "Send a shorter one; `detail` names the limit.",
        ),
        Kind(
            "not_acceptable",
            406,
            "No acceptable form",
            "None of the forms that `Accept` asks for can be given.",
            "Ask for one that `detail` names, or leave `Accept` out.",
        ),
        Kind(
            "route_not_found",
            404,
            "Nothing is here",
            "No operation has this path.",
            "Check the path against `/docs` or `/openapi.json`.",
        ),
        Kind(
            "problem_not_found",
            404,
            "No such kind of problem",
            "No problem has this code.",
            "`GET /problems` lists them all.",
        ),
        Kind(
            "method_not_allowed",
            405,
            "Method is not allowed here",
            "The path exists, but not with this method.",
            "Use one of the methods that the `Allow` header names.",
        ),
        Kind(
            "bad_request",
            400,
            "Request cannot be understood",
            "The request breaks HTTP's rules.",
            "Correct it as `detail` says.",
        ),
        Kind(
            "internal_error",
            500,
            "Something went wrong here",
            "The server met a fault of its own.",
            "Try again; if it stays, give the operator the `request_id`, under which the log has the details.",
        ),
    )
}


class Refused(Exception):
    """The API itself refuses a request: `code` is one of `KINDS`."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = KINDS[code]
        self.errors = errors
        self.headers = headers or {}


def shortened(text: str, longest: int = LONGEST_DETAIL) -> str:
    """The text, or its beginning: an answer never carries a large input back."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def answer(
    scope: Scope,
    kind: Kind,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The problem as a response to the request of `scope`."""
    path: str = scope.get("raw_path", b"").decode("ascii", "replace") or scope["path"]
    body: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": shortened(detail),
        "instance": path.partition("?")[0][:LONGEST_DETAIL],
        "code": kind.code,
        "request_id": scope.get(REQUEST_ID, ""),
    }
    if errors:
        body["errors"] = [error.model_dump(exclude_none=True) for error in errors[:MOST_ERRORS]]
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, kind.status, headers, media_type=MEDIA_TYPE)


def refused_for(code: str, errors: Sequence[FieldError], *, of: int | None = None) -> Refused:
    """The refusal for these parts of the request, the first `MOST_ERRORS` of so many."""
    first, count = errors[0], of or len(errors)
    where = first.pointer if first.parameter is None else first.parameter
    text = f"{where}: {first.detail}" if where else first.detail
    more = f" (and {count - 1} more)" if count > 1 else ""
    return Refused(code, text + more, errors=errors[:MOST_ERRORS])


def told(error: Mapping[str, Any], part: str) -> str:
    """What Pydantic says of an error, without its prefix and without much of the input."""
    if error["type"] == "extra_forbidden":
        return f"There is no such {part}"
    return shortened(str(error["msg"]).removeprefix("Value error, "), 300)
