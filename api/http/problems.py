"""Every way in which the API says no, as RFC 9457 problems."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from api.http.kinds import Kind
from jobs.faults import Faulty
from jobs.patterns import IN_WORDS
from jobs.wire import MOST_ERRORS, MOST_FAULTS, FieldError

MEDIA_TYPE = "application/problem+json"
SCOPE_REQUEST_ID = "gradientd.request_id"
"""Where the middleware leaves the request's id in the ASGI scope."""
SCOPE_IS_HEAD = "gradientd.is_head"
"""Where the middleware leaves in the ASGI scope whether nothing of the answer but its head is wanted."""
SCOPE_ONLY_READS = "gradientd.only_reads"
"""Where a route leaves in the ASGI scope that its POST changes nothing."""
LONGEST_DETAIL = 500


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
    faults: Faulty | None = None,
) -> Response:
    """The problem as a response to the request of `scope`."""
    body = body_of(scope, kind, detail, errors=errors, faults=faults)
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, kind.status, headers, media_type=MEDIA_TYPE)


def body_of(
    scope: Scope, kind: Kind, detail: str, *, errors: Sequence[FieldError] = (), faults: Faulty | None = None
) -> dict[str, Any]:
    """The problem with the request of `scope`, as JSON has it."""
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
    if faults and faults.total:
        body["faults"] = [_without_gaps(asdict(fault)) for fault in faults.faults[:MOST_FAULTS]]
        body["faults_total"] = faults.total
    return body


def _without_gaps(fault: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fault.items() if value is not None}


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
    if error["type"] == "string_pattern_mismatch":
        pattern = str(error["msg"]).removeprefix("String should match pattern '").removesuffix("'")
        if words := IN_WORDS.get(pattern):
            return f"Should be {words}"
    return shortened(str(error["msg"]).removeprefix("Value error, "), 300)
