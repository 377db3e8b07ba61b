"""Makes responses, and describes them and their headers for the documentation."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.responses import Response

from api.http import kinds
from api.http.kinds import Kind
from api.http.problems import MEDIA_TYPE
from jobs.wire import Page

Item = TypeVar("Item", bound=BaseModel)

Json = dict[str, Any]


def to_json(
    value: BaseModel,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    background: BackgroundTask | None = None,
) -> Response:
    """A value as a JSON response. FastAPI would validate and dump it a second time."""
    return Response(value.model_dump_json(), status, headers, media_type="application/json", background=background)


def to_page(kind: type[Page[Item]], items: Sequence[Item], ids: Sequence[str], *, has_more: bool = False) -> Page[Item]:
    """The entries as a page; `ids` names each of them."""
    return kind.model_construct(
        data=tuple(items), first_id=ids[0] if ids else None, last_id=ids[-1] if ids else None, has_more=has_more
    )


def _header(name: str, description: str, example: str) -> Json:
    return {name: {"description": description, "schema": {"type": "string"}, "example": example}}


# Headers of responses, as the document has them; a route joins those that it answers: `LOCATION | ETAG`.
LOCATION = _header("Location", "Address of the job.", "/v1/jobs/job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC")
CONTENT_LOCATION = _header("Content-Location", "Address of the job shown.", "/v1/jobs/job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC")
ETAG = _header("ETag", "Names this state of the job; send it as `If-None-Match`.", '"7.0..."')
PREFERENCE_APPLIED = _header("Preference-Applied", "The wait that was granted.", "wait=30")
CONTENT_RANGE = _header("Content-Range", "Which part of the file this is, and its length.", "bytes 0-99/1234")
ACCEPT_RANGES = _header("Accept-Ranges", "That parts of the file can be asked for.", "bytes")
CONTENT_DISPOSITION = _header("Content-Disposition", "Name for the file.", 'attachment; filename="model.onnx"')
LAST_MODIFIED = _header(
    "Last-Modified", "When the file was written; `If-Range` takes it, too.", "Fri, 27 Nov 2026 22:27:17 GMT"
)
FILE_ETAG = LAST_MODIFIED | _header(
    "ETag", "The file's SHA-256; send it as `If-None-Match` or `If-Range`.", '"9f86d081884c7d65"'
)
CARD_ETAG = _header("ETag", "Names the card; send it as `If-None-Match`.", '"9f86d081884c7d65.12.0.1.0"')
REQUEST_ID = _header("X-Request-Id", "Name of the request in the server's log.", "5f0c9a4be1d27386")
_OF_REFUSALS = (
    _header("Retry-After", "Seconds after which to try again.", "2")
    | _header("WWW-Authenticate", "What kind of credentials is wanted.", 'Bearer realm="gradientd"')
    | CONTENT_RANGE
)


def followed_by(parameter: str, *, value: str, description: str) -> Json:
    """The links of a response that names what other operations take: the document has one for each of those.

    `value` is an OpenAPI runtime expression, such as `$response.body#/id`.
    """
    return {parameter: {"parameters": {parameter: value}, "description": description}}


GUARDED = (
    kinds.UNAUTHORIZED,
    kinds.FOREIGN_REQUEST,
    kinds.INSUFFICIENT_SCOPE,
    kinds.TOO_MANY_REQUESTS,
    kinds.STORE_UNAVAILABLE,
)
"""What every operation answers that asks for an API key."""


def refusals(*refused: Kind) -> dict[int | str, Json]:
    """The problems that an operation answers, as FastAPI's `responses` takes them; a fault of ours is always one."""
    by_status: dict[int | str, list[Kind]] = {}
    for kind in (*refused, kinds.INTERNAL_ERROR):
        by_status.setdefault(kind.status, []).append(kind)
    return {status: _refusal(group) for status, group in by_status.items()}


def _refusal(group: Sequence[Kind]) -> Json:
    lines = [f"`{kind.code}`: {kind.meaning}" for kind in group]
    examples = {kind.code: {"summary": kind.title, "value": _example(kind)} for kind in group}
    return {
        "description": "\n\n".join(lines),
        "headers": {kind.header: _OF_REFUSALS[kind.header] for kind in group if kind.header},
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }


def _example(kind: Kind) -> Json:
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.meaning,
        "instance": "/v1/jobs",
        "code": kind.code,
        "request_id": "5f0c9a4be1d27386",
    }
