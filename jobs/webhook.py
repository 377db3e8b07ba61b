"""Whom a job's owner wants told what becomes of it: part of a spec. What is sent is in `jobs.webhook_messages`."""

import base64
import binascii
import ipaddress
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_core import PydanticCustomError

from jobs import patterns

WebhookEvent = Literal[
    "job.queued",
    "job.running",
    "job.pausing",
    "job.paused",
    "job.cancelling",
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "job.epoch",
]
"""What a webhook can be told: that a job got a status, and what an epoch measured."""

_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{32,86}={0,2}")
_SECRET_SCHEMA: dict[str, Any] = {
    "type": "string",
    "format": "password",
    "writeOnly": True,
    "pattern": f"^{_SECRET.pattern}$",
    "maxLength": 94,
    "description": "Key by which the messages are signed: `whsec_` and 24 to 64 random bytes in base64. Needed, and "
    "in no answer.",
    "examples": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
}


_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\.?$)(?:{_LABEL}\.)*{_LABEL}\.?")
"""Of a host, as name servers take it."""


def _is_host(text: str, *, in_brackets: bool) -> bool:
    """Whether this can be a host: a name or an address."""
    if not in_brackets:
        return _NAME.fullmatch(text) is not None
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _webhook_url(url: str) -> str:
    unusable = PydanticCustomError("url", "Input should be an address with a host and, if any, a port of 1 to 65535")
    try:
        parts = urlsplit(url)
        if not _is_host(parts.hostname or "", in_brackets="[" in parts.netloc) or parts.port == 0:
            raise unusable
    except ValueError:
        raise unusable from None
    if "@" in parts.netloc:
        raise PydanticCustomError("url", "Input should hold no user name or password")
    if parts.fragment:
        raise PydanticCustomError("url", "Input should have no fragment (#)")
    return url


def _webhook_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) if _SECRET.fullmatch(text) else 0
    except binascii.Error:
        size = 0
    if not 24 <= size <= 64:
        raise PydanticCustomError("secret", "Input should be whsec_ and 24 to 64 bytes in base64")
    return secret


def _show_secret(schema: dict[str, Any]) -> None:
    """The secret stands in the schema of what is sent, though nothing that is answered has it."""
    schema["properties"]["secret"] = _SECRET_SCHEMA


class Webhook(BaseModel):
    """Whom to tell what becomes of the job, by the Standard Webhooks specification."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra=_show_secret)

    url: Annotated[
        str,
        StringConstraints(pattern=patterns.URL, max_length=2000),
        AfterValidator(_webhook_url),
        Field(
            description="Where to POST the messages: http or https, any port, and no address of the server's own "
            "network.",
            examples=["https://hooks.example.org/training"],
        ),
    ]
    events: Annotated[
        tuple[WebhookEvent, ...],
        Field(
            min_length=1,
            max_length=9,
            strict=False,
            description="What to tell: `job.` and a status, each time that the job gets it; `job.epoch`, what each "
            "epoch measured.",
            examples=[["job.succeeded", "job.failed", "job.epoch"]],
        ),
    ] = ("job.succeeded", "job.failed", "job.cancelled")
    # Left out of whatever is made of a spec: answers, records, cards, logs.
    secret: Annotated[Annotated[SecretStr, AfterValidator(_webhook_secret)] | None, Field(exclude=True, repr=False)] = (
        None
    )
