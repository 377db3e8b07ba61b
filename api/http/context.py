"""What routes are handed: the services, and on whose behalf they act. The one place that asks for API keys."""

import ipaddress
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, Request

from api.http import kinds
from api.http.problems import Refused, shortened
from api.job_cache import Seen
from api.services import Services
from api.uploads.intake import Room
from jobs.api_keys import ApiKey, KeyLimits, Scope, caps, highest_priority
from jobs.errors import PriorityTooHigh
from jobs.exposure import is_loopback
from jobs.settings import Settings
from jobs.spec import Spec
from store.calls import Operation
from store.keys import EVERYBODY

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    owner: str = ""
    """Whom jobs created now belong to."""
    visible_owner: str = EVERYBODY
    """Whose jobs can be read and changed."""
    key: ApiKey | None = None
    """With which key; None where none is asked for."""


ANYBODY = Caller()

REALM = 'Bearer realm="gradientd"'


@dataclass(frozen=True, slots=True)
class RequestContext:
    """A request, on whose behalf it came, and what serves it."""

    request: Request
    services: Services
    caller: Caller

    @property
    def most_bytes(self) -> int:
        """Longest body that is read."""
        most = self.services.settings.max_body_bytes
        own = self.caller.key.limits.max_body_bytes if self.caller.key else None
        return min(most, own) if own else most

    @property
    def room(self) -> Room:
        """How much an upload may be, and all datasets of the owner."""
        settings, own = self.services.settings, self.caller.key.limits if self.caller.key else KeyLimits()
        most = min(settings.max_upload_mb, own.max_upload_mb or settings.max_upload_mb)
        most_stored = min(settings.max_stored_mb, own.max_stored_mb or settings.max_stored_mb)
        return Room(most_bytes=most << 20, most_stored_bytes=most_stored << 20)

    @property
    def caps(self) -> tuple[int, int]:
        """Most unfinished and most queued jobs of the owner; 0 for any number."""
        return caps(self.caller.key, self.services.settings) if self.caller.key else (0, 0)

    def check_priority(self, spec: Spec) -> None:
        """Raise PriorityTooHigh for a job that would pass others by more than the key allows."""
        limit = highest_priority(self.caller.key, self.services.settings) if self.caller.key else None
        if limit is not None and spec.priority > limit:
            raise PriorityTooHigh(spec.priority, limit=limit)

    async def do(self, operation: Operation[T]) -> T:
        """Carry out a store operation. Raises StoreUnavailable and whatever the operation raises."""
        return await self.services.do(operation)

    async def job(self, job_id: str) -> Seen:
        """A job that the caller may see. Raises JobNotFound, UnreadableRecord and StoreUnavailable."""
        return await self.services.job_cache.read(job_id, owner=self.caller.visible_owner)

    async def check_key(self) -> None:
        """Raise Refused (401) when the caller's key has been revoked since: what waits asks now and then."""
        if self.caller.key and not await self.do(self.services.key_ring.holds(self.caller.key)):
            raise _unknown_key()


class ContextReader:
    """The dependency that says on whose behalf a request comes: the one place that asks for keys and their scopes."""

    def __init__(self, *scopes: Scope) -> None:
        """A key with any of these scopes is let in. Without any reading needs `read`, whatever changes something
        `submit`: so no operation can forget to ask.
        """
        self._scopes = scopes

    async def __call__(self, request: Request) -> RequestContext:
        """The request's context. Where no keys are asked for everybody is the same, nameless owner, and sees every job.

        Raises Refused, TooManyRequests and StoreUnavailable.
        """
        services: Services = request.app.state.services
        if services.settings.keys_required:
            by_method = Scope.READ if request.method == "GET" else Scope.SUBMIT
            caller = await _caller_of(request, services, self._scopes or (by_method,))
        else:
            _check_nearness(request, services.settings)
            caller = ANYBODY
        if request.method != "GET" and "if-match" in request.headers:
            detail = "this operation compares nothing with If-Match, so nothing was changed; leave the header out"
            raise Refused(kinds.PRECONDITION_FAILED, detail)
        return RequestContext(request, services, caller)


async def _caller_of(request: Request, services: Services, scopes: tuple[Scope, ...]) -> Caller:
    key = await _key_of(request, services)
    structlog.contextvars.bind_contextvars(key_id=key.id, owner=key.owner)
    if not any(map(key.allows, scopes)):
        wanted = scopes[0].value
        raise Refused(
            kinds.INSUFFICIENT_SCOPE,
            f"this key lacks the scope {wanted!r}; it has: {', '.join(sorted(key.scopes))}",
            headers={"www-authenticate": f'{REALM}, error="insufficient_scope", scope="{wanted}"'},
        )
    visible_owner = EVERYBODY if Scope.ADMIN in key.scopes else key.owner
    return Caller(key.owner, visible_owner, key)


def _check_nearness(request: Request, settings: Settings) -> None:
    """Refuse what did not come from this machine, where no keys are asked for.

    Neither the server's address, which no setting tells when another server runs the application, nor a page in a
    browser on this machine that sends requests across origins, or under a name of its own that it bends to 127.0.0.1
    (DNS rebinding). A browser need not name the origin of a request that has no body; newer ones name its site then.
    """
    if settings.insecure:
        return
    host = (request.scope.get("server") or ("", None))[0]
    if _is_far(host):
        detail = (
            f"this server asks for no API keys and must not be reached at {host}; whoever runs it must set "
            "GRADIENTD_AUTH=required, or GRADIENTD_INSECURE=1 to let anybody in"
        )
        raise Refused(kinds.UNAUTHORIZED, detail, headers={"www-authenticate": REALM})
    headers = request.headers
    if foreign := _foreign(headers.get("host", ""), headers.get("origin"), _site(request)):
        raise Refused(
            kinds.FOREIGN_REQUEST, f"this server asks for no API keys and serves this machine alone: {foreign}"
        )


@cache
def _is_far(host: str) -> bool:
    """Whether this is an address that others can reach; a socket's path or a test's name is no address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not is_loopback(host)


def _site(request: Request) -> str:
    """What a browser says of the page that sent this (Fetch Metadata).

    Empty for none, and for a link that was followed: the person sees the answer then, and the page does not.
    """
    site = request.headers.get("sec-fetch-site", "")
    followed = site and request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
    return "" if followed else site


@lru_cache(maxsize=256)
def _foreign(host: str, origin: str | None, site: str) -> str:
    """What is foreign about a request with these headers; empty for nothing."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = host
    if host and not is_loopback(name):
        return f"it was addressed as {shortened(name, 100)!r}, not as localhost or 127.0.0.1"
    if origin is not None and origin.partition("://")[2] != host:
        return f"a page of {shortened(origin, 100)!r} sent this"
    # Another port of this machine is the same site, and somebody else's page.
    if site not in ("", "same-origin", "none"):
        return f"a page of another origin sent this (Sec-Fetch-Site: {shortened(site, 100)})"
    return ""


async def _key_of(request: Request, services: Services) -> ApiKey:
    """The key that the request came with, the request counted. Raises Refused and TooManyRequests."""
    lines = request.headers.getlist("authorization")
    kind, _, secret = lines[0].strip().partition(" ") if len(lines) == 1 else ("", "", "")
    if kind.lower() != "bearer":
        detail = "this server wants an API key: send Authorization: Bearer gd_…, once"
        raise Refused(kinds.UNAUTHORIZED, detail, headers={"www-authenticate": REALM})
    key = await services.do(services.key_ring.admit(secret.strip()))
    if key is None:
        raise _unknown_key()
    return key


def _unknown_key() -> Refused:
    detail = "this API key is not known here, or no longer"
    return Refused(kinds.UNAUTHORIZED, detail, headers={"www-authenticate": f'{REALM}, error="invalid_token"'})


RequestContextDep = Annotated[RequestContext, Depends(ContextReader())]
PredictionContextDep = Annotated[RequestContext, Depends(ContextReader(Scope.PREDICT, Scope.READ, Scope.SUBMIT))]
"""Of what only asks a model."""
