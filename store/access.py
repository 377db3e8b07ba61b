"""API keys: what one is, how its secret is made and recognised, and what can be done with stored ones.

A secret is 256 random bits, so a plain SHA-256 of it can be neither guessed nor looked up: the slow hashes that
passwords need would protect nothing here and would cost each request their time. Only that hash is ever stored.
"""

import hashlib
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import GradientdError, TooManyRequests
from jobs.settings import Settings
from store.calls import Call, Operation
from store.decoding import instant
from store.keys import Keys
from store.scripts import load

SECRET = re.compile(r"gd_[A-Za-z0-9_-]{43}")
OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
"""Owners' names. They are part of Redis keys, hence no colon, and `*` is everybody."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Misconfigured(GradientdError):
    """The settings cannot be used together. Correct them as the message says; nothing was started."""

    code = "misconfigured"


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """Read its owner's jobs, and what there is to train with."""
    SUBMIT = "submit"
    """Create its owner's jobs and change them."""
    ADMIN = "admin"
    """Everything, to everybody's jobs."""


class Limits(BaseModel):
    """How much a key may ask for; None leaves it to the server's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_jobs: Annotated[int | None, Field(ge=1)] = None
    """Most jobs of its owner that are not final."""
    max_queued: Annotated[int | None, Field(ge=1)] = None
    """Most jobs of its owner that are queued."""
    requests_per_minute: Annotated[int | None, Field(ge=1)] = None
    max_body_bytes: Annotated[int | None, Field(ge=1)] = None
    """Longest body, if that is less than the server reads at all."""


class ApiKey(BaseModel):
    """A key as it is stored: everything but its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    digest: Annotated[str, Field(repr=False)]
    """SHA-256 of the secret, in hex."""
    owner: Annotated[str, Field(pattern=f"^{OWNER.pattern}$")]
    scopes: frozenset[Scope]
    name: Annotated[str, Field(max_length=100)] = ""
    limits: Limits = Limits()
    created_at: datetime | None = None
    """None for a key of the settings."""

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


class Listed(NamedTuple):
    """A stored key, and when it was last used, to a minute."""

    key: ApiKey
    last_used_at: datetime | None


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
    secret: str, *, owner: str, scopes: Iterable[Scope], name: str = "", limits: Limits | None = None
) -> ApiKey:
    """The key that has this secret. Raises pydantic's ValidationError for an owner's name that cannot be one."""
    digest = digest_of(secret)
    return ApiKey(
        id=id_of(digest),
        digest=digest,
        owner=owner,
        scopes=frozenset(scopes),
        name=name,
        limits=limits or Limits(),
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
            f"entry {number} of GRADIENTD_API_KEYS is not OWNER:SCOPES:SHA256 with SCOPES of read, submit and admin "
            "joined by +; `gradientd keys create --env` prints one"
        )
    return ApiKey(id=id_of(digest), digest=digest, owner=owner, scopes=frozenset(map(Scope, scopes.split("+"))))


def is_loopback(host: str) -> bool:
    """Whether the host is this machine and nobody else can reach it there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposure(settings: Settings) -> None:
    """Raise Misconfigured where the API would listen to other machines and ask nobody for a key."""
    if is_loopback(settings.host) or settings.keys_required or settings.insecure:
        return
    raise Misconfigured(
        f"will not listen on {settings.host!r}, where other machines can reach it, without asking for API keys: set "
        "GRADIENTD_AUTH=required and create keys with `gradientd keys create`, or put hashed ones into "
        "GRADIENTD_API_KEYS, or listen on 127.0.0.1. To let anybody in all the same: --insecure or GRADIENTD_INSECURE=1"
    )


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The operations on keys, for one namespace. Carried out as a store's are."""

    keys: Keys
    given: tuple[ApiKey, ...] = ()
    """Keys of the settings."""
    requests_per_minute: int | None = None
    """For keys without a rate of their own, admins' excepted."""

    def _script(self, name: str, *args: str | int) -> Call:
        return Call((self.keys.namespace, *args), load(name))

    def create(self, key: ApiKey) -> Operation[None]:
        """Store a key. It is valid at once."""
        yield self._script("key_create", key.id, key.model_dump_json())

    def list(self) -> Operation[tuple[Listed, ...]]:
        """The stored keys, oldest first."""
        reply: Sequence[str] = yield self._script("key_list")
        found = [
            Listed(ApiKey.model_validate_json(text), instant(used_at) if used_at else None)
            for text, used_at in zip(reply[::2], reply[1::2], strict=True)
        ]
        return tuple(sorted(found, key=lambda listed: (str(listed.key.created_at), listed.key.id)))

    def revoke(self, key_id: str) -> Operation[bool]:
        """Forget a stored key, so that it is refused from the next request on. Tells whether there was one."""
        reply = yield self._script("key_revoke", key_id)
        return bool(reply)

    def admit(self, secret: str) -> Operation[ApiKey | None]:
        """The key that has this secret, its request counted; None if there is none. Raises TooManyRequests.

        A key of the settings that has no rate to be held to needs no store.
        """
        if not SECRET.fullmatch(secret):
            return None
        digest = digest_of(secret)
        given = self._given(digest)
        if given and (Scope.ADMIN in given.scopes or not self.requests_per_minute):
            return given
        reply: Any = yield self._script(
            "admit", id_of(digest), digest, self.requests_per_minute or 0, int(given is not None)
        )
        if reply is None:
            return None
        key = given or ApiKey.model_validate_json(reply[0])
        if not hmac.compare_digest(key.digest, digest):
            return None
        if wait_us := int(reply[1]):
            per_minute = key.limits.requests_per_minute or self.requests_per_minute or 0
            raise TooManyRequests(per_minute=per_minute, retry_after_seconds=-(-wait_us // 1_000_000))
        return key

    def owned(self, owner: str, job_ids: Sequence[str]) -> Operation[frozenset[str]]:
        """Those of the jobs that are the owner's."""
        if not job_ids:
            return frozenset()
        scores = yield Call(("ZMSCORE", self.keys.index(owner), *job_ids))
        return frozenset(job_id for job_id, score in zip(job_ids, scores, strict=True) if score is not None)

    def _given(self, digest: str) -> ApiKey | None:
        found = None
        for key in self.given:  # to the end, so that the time tells nothing of which it was
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def key_ring(settings: Settings) -> KeyRing:
    """The keys of these settings and of their store. Raises Misconfigured."""
    given = read_entries(settings.api_keys.get_secret_value())
    return KeyRing(Keys(settings.namespace), given, settings.key_requests_per_minute)


def caps(key: ApiKey, settings: Settings) -> tuple[int, int]:
    """Most unfinished and most queued jobs of the key's owner; 0 for any number."""
    own = key.limits
    if Scope.ADMIN in key.scopes:
        return own.max_jobs or 0, own.max_queued or 0
    return own.max_jobs or settings.key_max_jobs or 0, own.max_queued or settings.key_max_queued or 0


def summary(key: ApiKey) -> dict[str, Any]:
    """The key as it may be shown."""
    shown = json.loads(key.model_dump_json(exclude={"digest"}))
    return {**shown, "scopes": sorted(shown["scopes"])}
