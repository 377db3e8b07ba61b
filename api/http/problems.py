"""Every way in which the API says no, as RFC 9457 problems."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from starlette.types import Scope

from api.http.kinds import Kind

MEDIA_TYPE = "application/problem+json"
SCOPE_REQUEST_ID = "gradientd.request_id"
"""Where the middleware leaves the request's id in the ASGI scope."""
LONGEST_DETAIL = 500
MOST_ERRORS = 20
"""Fields named in one answer; a body with more mistakes than that is told so."""


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


class Refused(Exception):
    """The API itself refuses a request: of one kind, with the parts of it that are wrong."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
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
        "request_id": scope.get(SCOPE_REQUEST_ID, ""),
    }
    if errors:
        body["errors"] = [error.model_dump(exclude_none=True) for error in errors[:MOST_ERRORS]]
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, kind.status, headers, media_type=MEDIA_TYPE)


def refused_for(kind: Kind, errors: Sequence[FieldError], *, of: int | None = None) -> Refused:
    """The refusal for these parts of the request, the first `MOST_ERRORS` of so many."""
    first, count = errors[0], of or len(errors)
    where = first.pointer if first.parameter is None else first.parameter
    text = f"{where}: {first.detail}" if where else first.detail
    more = f" (and {count - 1} more)" if count > 1 else ""
    return Refused(kind, text + more, errors=errors[:MOST_ERRORS])


def told(error: Mapping[str, Any], part: str) -> str:
    """What Pydantic says of an error, without its prefix and without much of the input."""
    if error["type"] == "extra_forbidden":
        return f"There is no such {part}"
    return shortened(str(error["msg"]).removeprefix("Value error, "), 300)
