"""Reads a request's body: bounded while it arrives, strictly JSON, and nothing but what its bytes say."""

import asyncio
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.requests import Request

from api.http import kinds
from api.http.kinds import Kind
from api.http.problems import Refused, shortened
from jobs.wire import FieldError

MOST_ON_LOOP_BYTES = 16 * 1024
"""Longer bodies are parsed beside the event loop, which answers others meanwhile."""

_PARSER = ThreadPoolExecutor(1, "parser")
"""One thread, so that however many bodies come at once the event loop shares the interpreter with one of them."""

_IS_JSON = re.compile(r"application/(json|[a-z0-9.!#$&^_-]+\+json)")
_PARAMETER = re.compile(r';\s*([^\s;="]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CODINGS = {"content-encoding": ("", "identity"), "transfer-encoding": ("", "chunked")}
"""What a body may be coded by, for each header that says so: nothing that changes it."""
_OTHERWISE_SENT = frozenset(name.encode() for name in (*_CODINGS, "content-range"))
"""Headers without which a body is what its bytes are: most requests have none."""


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A body that is a JSON object."""

    fields: dict[str, Any]
    digest: str
    """Equal for equal bodies, however they were written; the part before the colon says by which rule it was made."""


async def read_json_object(request: Request, *, most_bytes: int) -> JsonBody:
    """The body as an object; an empty one for an empty body.

    Raises Refused: 415 for another type or a coding, 413 past `most_bytes`, 400 for what is not JSON, 422 for JSON
    that is not an object.
    """
    content, _ = await read_body(request, most_bytes=most_bytes)
    content = content.removeprefix(_BYTE_ORDER_MARK)
    if not content:
        return _digested({})
    if len(content) <= MOST_ON_LOOP_BYTES:
        return _parsed(content)
    return await asyncio.get_running_loop().run_in_executor(_PARSER, _parsed, content)


async def read_body(
    request: Request, *, most_bytes: int, types: tuple[str, ...] = ("application/json",)
) -> tuple[bytes, str]:
    """The body, and which of these types it is; an empty one is of the first, whatever it says.

    Raises Refused: 415 for another type or a coding, 413 past `most_bytes`.
    """
    _check_form(request.headers)
    content = await _read(request, most_bytes=most_bytes)
    return content, _type_of(request.headers, types) if content.removeprefix(_BYTE_ORDER_MARK) else types[0]


def check_upload(headers: Headers) -> int | None:
    """The length that an upload's headers declare. Raises Refused for a coding that would have to be undone, but gzip:
    that is found in the bytes, wherever it comes from.
    """
    _check_form(headers, known=(*_CODINGS["content-encoding"], "gzip"))
    declared = headers.get("content-length", "")
    return int(declared) if declared.isdigit() else None


def parse_object(content: bytes, *, otherwise: Kind = kinds.INVALID_SPEC) -> dict[str, Any]:
    """The JSON object in these bytes: no NaN, no name twice, bounded depth and digits.

    Raises Refused, `otherwise` for JSON that is no object.
    """
    try:
        value = from_json(content, allow_inf_nan=False)
        # The first parser keeps silent about a name given twice.
        _NAMES.decode(content.decode())
    except ValueError as error:
        raise Refused(kinds.MALFORMED_JSON, f"the body is not valid JSON: {shortened(str(error), 200)}") from error
    if not isinstance(value, dict):
        detail = "the body must be a JSON object"
        raise Refused(otherwise, detail, errors=[FieldError(pointer="", detail=detail)])
    return value  # pyright: ignore[reportUnknownVariableType]


def _parsed(content: bytes) -> JsonBody:
    return _digested(parse_object(content))


def _digested(fields: dict[str, Any]) -> JsonBody:
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return JsonBody(fields, f"body:{hashlib.sha256(canonical.encode()).hexdigest()}")


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
    return Refused(
        kinds.BODY_TOO_LARGE, f"the body is longer than {most_bytes:,} bytes", headers={"connection": "close"}
    )


def _check_form(headers: Headers, *, known: tuple[str, ...] = _CODINGS["content-encoding"]) -> None:
    """Refuse a body whose headers say that it has to be decoded, or put together with others, to be understood."""
    if _OTHERWISE_SENT.isdisjoint(name for name, _ in headers.raw):
        return
    for name, plain in {**_CODINGS, "content-encoding": known}.items():
        for coding in ",".join(headers.getlist(name)).split(","):
            if coding.strip().lower() not in plain:
                detail = f"the body came in the coding {shortened(coding.strip(), 100)!r}; send it as it is"
                raise Refused(kinds.UNSUPPORTED_MEDIA_TYPE, detail, headers={"accept-encoding": "identity"})
    if "content-range" in headers:
        raise Refused(kinds.BAD_REQUEST, "a part of a body (Content-Range) cannot be taken; send the whole")


def _type_of(headers: Headers, types: tuple[str, ...]) -> str:
    """Which of these types a body is. Raises Refused."""
    given = ", ".join(headers.getlist("content-type"))
    if given == "application/json":
        return given
    media_type, semicolon, rest = given.partition(";")
    # JSON has no parameters, so others than this one say nothing of how to read it.
    charsets = [value for name, value in _PARAMETER.findall(semicolon + rest) if name.lower() == "charset"]
    is_utf_8 = all(charset.strip(' \t"').lower() in ("utf-8", "utf8") for charset in charsets)
    bare = media_type.strip().lower()
    if is_utf_8 and _IS_JSON.fullmatch(bare):
        return "application/json"
    if is_utf_8 and bare in types:
        return bare
    told = repr(shortened(given, 100)) if given else "no type"
    detail = f"the body came with {told}; send JSON in UTF-8, with Content-Type: application/json"
    if len(types) > 1:
        detail += f", or {' or '.join(types[1:])}"
    raise Refused(kinds.UNSUPPORTED_MEDIA_TYPE, detail)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the name {shortened(twice, 100)!r} appears twice in one object")
    return found


_NAMES = json.JSONDecoder(object_pairs_hook=_unique)
