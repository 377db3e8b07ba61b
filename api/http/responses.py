"""Makes responses, and describes them for the documentation."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.responses import Response

from api.http.problems import KINDS, MEDIA_TYPE
from jobs.wire import Page

Item = TypeVar("Item", bound=BaseModel)


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


GUARDED = ("unauthorized", "foreign_request", "insufficient_scope", "too_many_requests", "store_unavailable")
"""What every operation answers that asks for an API key."""


def refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The problems that an operation answers, as FastAPI's `responses` takes them; a fault of ours is always one."""
    by_status: dict[int | str, list[str]] = {}
    for code in (*codes, "internal_error"):
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {status: _refusal(group) for status, group in by_status.items()}


def _refusal(codes: Sequence[str]) -> dict[str, Any]:
    lines = [f"`{code}`: {KINDS[code].meaning}" for code in codes]
    examples = {code: {"summary": KINDS[code].title, "value": _example(code)} for code in codes}
    return {
        "description": "\n\n".join(lines),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }


def _example(code: str) -> dict[str, Any]:
    kind = KINDS[code]
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.meaning,
        "instance": "/v1/jobs",
        "code": code,
        "request_id": "5f0c9a4be1d27386",
    }
