"""API keys: what one is, how its secret is made and recognised, and how GRADIENTD_API_KEYS holds them.

A secret is 256 random bits, so a plain SHA-256 of it can be neither guessed nor looked up: the slow hashes that
passwords need would protect nothing here and would cost each request their time. Only that hash is ever stored.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from jobs.errors import Misconfigured
from jobs.settings import Settings
from jobs.webhook import Webhook

SECRET = re.compile(r"gd_[A-Za-z0-9_-]{43}")
OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
"""Owners' names. They are part of Redis keys, hence no colon, and `*` is everybody."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """Read its owner's jobs, and what there is to train with."""
    SUBMIT = "submit"
    """Create its owner's jobs and change them."""
    PREDICT = "predict"
    """Ask the models of its owner's jobs, and nothing else: for what others hold. `read` and `submit` may as well."""
    METRICS = "metrics"
    """Read `/metrics`, and nothing else: for Prometheus."""
    ADMIN = "admin"
    """Everything, to everybody's jobs."""


class KeyLimits(BaseModel):
    """How much a key may ask for; None leaves it to the server's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_jobs: Annotated[int | None, Field(ge=1)] = None
    """Most jobs of its owner that are not final."""
    max_queued: Annotated[int | None, Field(ge=1)] = None
    """Most jobs of its owner that are queued."""
    max_priority: Annotated[int | None, Field(ge=-100, le=100)] = None
    """Highest priority of a job; jobs of every owner wait in one queue."""
    requests_per_minute: Annotated[int | None, Field(ge=1)] = None
    max_body_bytes: Annotated[int | None, Field(ge=1)] = None
    """Longest body, if that is less than the server reads at all. Not of an upload."""
    max_upload_mb: Annotated[int | None, Field(ge=1)] = None
    """Longest upload in MiB, if that is less than the server takes."""
    max_stored_mb: Annotated[int | None, Field(ge=1)] = None
    """Most MiB of all its owner's datasets, if that is less than the server keeps."""


class ApiKey(BaseModel):
    """A key as it is stored: everything but its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    digest: Annotated[str, Field(repr=False)]
    """SHA-256 of the secret, in hex."""
    owner: Annotated[str, Field(pattern=f"^{OWNER.pattern}$")]
    scopes: frozenset[Scope]
    name: Annotated[str, Field(max_length=100)] = ""
    limits: KeyLimits = KeyLimits()
    webhook: Webhook | None = None
    """That of jobs which name none, without its secret."""
    webhook_secret: Annotated[str, Field(repr=False)] = ""
    created_at: datetime | None = None
    """None for a key of the settings."""

    @property
    def default_webhook(self) -> Webhook | None:
        """The webhook of jobs which name none."""
        return self.webhook and self.webhook.model_copy(update={"secret": SecretStr(self.webhook_secret)})

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


def new_secret() -> str:
    """A new secret: `gd_` and 256 random bits."""
    return f"gd_{secrets.token_urlsafe(32)}"


def digest_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def id_of(digest: str) -> str:
    """A key's public name, for logs and for revoking it."""
    return f"key_{digest[:16]}"


def new_key(
    secret: str,
    *,
    owner: str,
    scopes: Iterable[Scope],
    name: str = "",
    limits: KeyLimits | None = None,
    webhook: Webhook | None = None,
) -> ApiKey:
    """The key that has this secret. Raises pydantic's ValidationError for an owner's name that cannot be one."""
    digest = digest_of(secret)
    return ApiKey(
        id=id_of(digest),
        digest=digest,
        owner=owner,
        scopes=frozenset(scopes),
        name=name,
        limits=limits or KeyLimits(),
        webhook=webhook,
        webhook_secret=webhook.secret.get_secret_value() if webhook and webhook.secret else "",
        created_at=datetime.now(UTC),
    )


def entry_of(key: ApiKey) -> str:
    """The key as an entry of GRADIENTD_API_KEYS."""
    return f"{key.owner}:{'+'.join(sorted(key.scopes))}:{key.digest}"


def read_entries(text: str) -> tuple[ApiKey, ...]:
    """The keys of GRADIENTD_API_KEYS.

    Raises Misconfigured, naming the entry by its number only: somebody may have put a secret there.
    """
    return tuple(
        _entry(word, number) for number, word in enumerate(re.split(r"[\s,]+", text.strip(", \t\r\n")), 1) if word
    )


def _entry(word: str, number: int) -> ApiKey:
    owner, _, rest = word.partition(":")
    scopes, _, digest = rest.partition(":")
    digest = digest.lower()
    known = set(Scope)
    if not (OWNER.fullmatch(owner) and _DIGEST.fullmatch(digest) and set(scopes.split("+")) <= known):
        raise Misconfigured(
            f"entry {number} of GRADIENTD_API_KEYS is not OWNER:SCOPES:SHA256 with SCOPES of read, submit, predict, "
            "metrics and admin joined by +; `gradientd keys create --env` prints one"
        )
    return ApiKey(id=id_of(digest), digest=digest, owner=owner, scopes=frozenset(map(Scope, scopes.split("+"))))


def caps(key: ApiKey, settings: Settings) -> tuple[int, int]:
    """Most unfinished and most queued jobs of the key's owner; 0 for any number."""
    own = key.limits
    if Scope.ADMIN in key.scopes:
        return own.max_jobs or 0, own.max_queued or 0
    return own.max_jobs or settings.key_max_jobs or 0, own.max_queued or settings.key_max_queued or 0


def highest_priority(key: ApiKey, settings: Settings) -> int | None:
    """Highest priority that jobs of the key may have; None for any."""
    if Scope.ADMIN in key.scopes or key.limits.max_priority is not None:
        return key.limits.max_priority
    return settings.key_max_priority


def summary(key: ApiKey) -> dict[str, Any]:
    """The key as it may be shown."""
    shown = json.loads(key.model_dump_json(exclude={"digest", "webhook_secret"}))
    return {**shown, "scopes": sorted(shown["scopes"])}
