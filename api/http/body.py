"""Reads a request's body: bounded while it arrives, and strictly JSON."""

import json
import re
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from api.http import kinds
from api.http.problems import Refused, shortened
from jobs.wire import FieldError

_IS_JSON = re.compile(r"application/(json|[a-z0-9.!#$&^_-]+\+json)")


async def read_json_object(request: Request, *, most_bytes: int) -> dict[str, Any]:
    """The body as an object; empty for an empty body.

    Raises Refused: 415 for another type, 413 past `most_bytes`, 400 for what is not JSON, 422 for JSON
    that is not an object.
    """
    content = await _read(request, most_bytes=most_bytes)
    if not content:
        return {}
    _check_type(request.headers.get("content-type", ""))
    return parse_object(content)


def parse_object(content: bytes) -> dict[str, Any]:
    """The JSON object in these bytes: no NaN, no name twice, bounded depth and digits. Raises Refused."""
    try:
        value = from_json(content, allow_inf_nan=False)
        # The first parser keeps silent about a name given twice.
        json.loads(content, object_pairs_hook=_unique)
    except ValueError as error:
        raise Refused(kinds.MALFORMED_JSON, f"the body is not valid JSON: {shortened(str(error), 200)}") from error
    if not isinstance(value, dict):
        detail = "the body must be a JSON object"
        raise Refused(kinds.INVALID_SPEC, detail, errors=[FieldError(pointer="", detail=detail)])
    return value  # pyright: ignore[reportUnknownVariableType]


async def _read(request: Request, *, most_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(content)


def _too_large(most_bytes: int) -> Refused:
    # What is still on its way is not wanted: the connection ends with the answer.
    return Refused(kinds.BODY_TOO_LARGE, f"the body is longer than {most_bytes} bytes", headers={"connection": "close"})


def _check_type(content_type: str) -> None:
    media_type, _, parameters = content_type.lower().partition(";")
    media_type = media_type.strip()
    if _IS_JSON.fullmatch(media_type) and parameters.replace('"', "").strip() in ("", "charset=utf-8", "charset=utf8"):
        return
    given = f"{shortened(content_type, 100)!r}" if content_type else "no type"
    raise Refused(kinds.UNSUPPORTED_MEDIA_TYPE, f"the body came with {given}; send Content-Type: application/json")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the name {shortened(twice, 100)!r} appears twice in one object")
    return found
