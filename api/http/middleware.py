"""What surrounds every request: its id, its line in the log, its count, security headers, and the answer to a fault of
ours.
"""

import logging
import random
import re
import time

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import kinds
from api.http.problems import SCOPE_IS_HEAD, SCOPE_ONLY_READS, SCOPE_REQUEST_ID, answer
from api.telemetry.traffic import Traffic

SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""Request ids that are taken over from the caller; others are replaced."""

_ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_UNLESS_SET = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)

_CHANGING = frozenset({"POST", "PUT", "DELETE"})

log = structlog.get_logger(__name__)
_logger = logging.getLogger(__name__)


class RequestMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        self._traffic.in_flight += 1
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except ClientDisconnect:
            exchange.status = exchange.status or 499
        except Exception:
            # The one place where a fault of ours becomes an answer; the caller learns its number only.
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if exchange.status:
                raise
            problem = answer(
                exchange.scope, kinds.INTERNAL_ERROR, "the server met a fault of its own; its log has the details"
            )
            await problem(exchange.scope, receive, exchange.send)
        finally:
            self._traffic.in_flight -= 1
            exchange.count(self._traffic)
            exchange.note()


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._began_at = time.perf_counter()
        self._method: str = scope["method"]
        self.request_id = _request_id(scope)
        self.status = 0
        self._answered_after = 0.0
        # HEAD is GET without the content, for every path.
        self._is_head = self._method == "HEAD"
        self.scope = {**scope, "method": "GET"} if self._is_head else scope
        self.scope[SCOPE_REQUEST_ID] = self.request_id
        self.scope[SCOPE_IS_HEAD] = self._is_head

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._answered_after = time.perf_counter() - self._began_at
            headers: list[tuple[bytes, bytes]] = message["headers"]
            present = {name for name, _ in headers}
            headers.append((b"x-request-id", self.request_id.encode()))
            headers += _ALWAYS
            headers += [header for header in _UNLESS_SET if header[0] not in present]
        elif self._is_head:
            message = {**message, "body": b""}
        await self._send(message)

    def count(self, traffic: Traffic) -> None:
        """Count the request, and the time until its answer began: how fast the rest is read is its peer's affair."""
        seconds = self._answered_after or time.perf_counter() - self._began_at
        traffic.note(self.scope.get("route"), method=self._method, status=self.status, seconds=seconds)

    def note(self) -> None:
        """Log the request: what changes something or was refused always, mere reading when debugging."""
        level = logging.DEBUG
        if self.status >= 500:
            level = logging.WARNING
        elif self.status >= 400 or (self._method in _CHANGING and SCOPE_ONLY_READS not in self.scope):
            level = logging.INFO
        if _logger.isEnabledFor(level):
            log.log(
                level,
                "request",
                method=self._method,
                path=self.scope["path"],
                status=self.status,
                milliseconds=round((time.perf_counter() - self._began_at) * 1000, 1),
            )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id")
    return given if given and SANE_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
