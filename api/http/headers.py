"""Request headers: each one's name, description and reading in one place."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from starlette.requests import Request

from api.http import kinds
from api.http.conditional import wait_seconds
from api.http.negotiation import choose
from api.http.problems import refused_for
from jobs.wire import FieldError

T_co = TypeVar("T_co", covariant=True)

Json = dict[str, Any]

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Header(Generic[T_co]):
    """A header that an operation reads."""

    name: str
    parse: Callable[[str | None], T_co]
    """What the value says, of all its lines; given None without the header. Raises Refused."""
    description: str
    example: str
    constraints: Json = field(default_factory=dict[str, Any])
    """What JSON Schema says of the value beside that it is a string."""

    def read(self, request: Request) -> T_co:
        """What the request's header says. Raises Refused."""
        lines = request.headers.getlist(self.name)
        return self.parse(", ".join(lines) if lines else None)

    def described(self) -> list[Json]:
        """The header as the document has it."""
        return [
            {
                "name": self.name,
                "in": "header",
                "required": False,
                "description": self.description,
                "schema": {"type": "string", **self.constraints, "examples": [self.example]},
            }
        ]


@dataclass(frozen=True, slots=True)
class Accept:
    """The form of the answer, chosen of those that can be had. OpenAPI tells it by the answers' media types."""

    offers: tuple[str, ...]

    def read(self, request: Request) -> str:
        """The media type that the caller likes best. Raises Refused (406)."""
        return choose(", ".join(request.headers.getlist("accept")), self.offers)

    def described(self) -> list[Json]:
        """OpenAPI has no such parameter."""
        return []


def _text(value: str | None) -> str:
    return value or ""


def _idempotency_key(value: str | None) -> str:
    if value is None:
        return ""
    bare = value[1:-1] if len(value) > 2 and value[0] == value[-1] == '"' else value
    if not _KEY.fullmatch(bare):
        detail = "Input should be 1 to 255 printable ASCII characters without spaces"
        raise refused_for(kinds.INVALID_PARAMETER, [FieldError(parameter="Idempotency-Key", detail=detail)])
    return bare


def idempotency_header(description: str) -> Header[str]:
    """The header, described as it works here."""
    return Header(
        "Idempotency-Key",
        _idempotency_key,
        f"{description} 1 to 255 printable ASCII characters.",
        "5f0c9a4b-e1d2-4738-9d0e-8c1c7f1f6a11",
        {"minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    )


IdempotencyKey = Annotated[
    str,
    idempotency_header(
        "Makes sending again safe: for 24 hours the same key with the same body answers what was answered first, and "
        "with another body is refused."
    ),
]
"""The key, without quotes around it; empty without one."""
UnneededIdempotencyKey = Annotated[
    str,
    idempotency_header(
        "Accepted as everywhere, and not needed: sending this again changes nothing more and answers the job as it is "
        "now."
    ),
]
"""The same where an operation can be repeated anyway."""
IfNoneMatch = Annotated[
    str, Header("If-None-Match", _text, "`ETag` of the answer you have: 304 while it is still true.", '"7.0.."')
]
"""The tags that the caller knows, as they were sent; empty without any."""
Range = Annotated[
    str, Header("Range", _text, "Only these bytes of the file (RFC 9110), answered with 206.", "bytes=0-1023")
]
"""The bytes that the caller wants, as it was sent; the answer reads it again."""
IfRange = Annotated[
    str, Header("If-Range", _text, "`Range` counts only while the file's `ETag` is this.", '"9f86d081884c7d65"')
]
"""The tag on which a range depends; the answer reads it again."""
Prefer = Annotated[
    int,
    Header(
        "Prefer",
        wait_seconds,
        "`wait=N`: answer as soon as the job differs from what `If-None-Match` knows (without it: from what it is "
        "now), or after N seconds, at most 60. A job in a final status is answered at once.",
        "wait=30",
    ),
]
"""How many seconds the caller would wait for a change; 0 for not at all."""
REQUEST_ID = Header(
    "X-Request-Id",
    _text,
    "Your name for the request, up to 128 letters, digits and `._:/+=@-`; anything else is replaced.",
    "5f0c9a4be1d27386",
)
"""Of every operation; `RequestMiddleware` reads it."""
