"""uvicorn's connection, made to bound what a peer may take: time for a request's head, a least rate for its body, bytes
and number of headers, and connections.

What bounds a request ends where its answer begins: streams and long polls are answers, and may last.
"""

import asyncio
import http
import json
import resource
import time
from dataclasses import dataclass
from typing import Any, cast

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.http import kinds
from api.http.kinds import Kind
from api.http.problems import MEDIA_TYPE

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 0.5
"""How often deadlines are looked at: one timer for the whole process, none for each connection."""
LINGER_SECONDS = 1.0
"""How long a refused peer may go on sending: with bytes unread, closing would take its answer from it."""
LOG_SECONDS = 10.0
"""Shortest time between two lines about connections that were ended: an attack must not fill the log as well."""

RESERVED_DESCRIPTORS = 96
"""For the store's and the broker's connections, files, and what the interpreter holds."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a connection may take."""

    head_seconds: float = 10.0
    """From the first byte, or from connecting, to the end of a request's head."""
    head_bytes: int = 64 * 1024
    header_count: int = 100
    body_grace_seconds: float = 10.0
    """How long a body may be slower than its least rate."""
    body_bytes_per_second: float = 1024.0
    leftover_bytes: int = 1 << 20
    """What is still taken of a body whose request has been answered, before the connection is ended."""
    connections: int = 4096
    backlog: int = 1024
    """Connections that the kernel holds until they are accepted; it hands them over all at once."""

    @classmethod
    def of_descriptors(cls) -> "Bounds":
        """As many connections as there are descriptors for, once this process has as many as it may have."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        default = cls()
        if hard == resource.RLIM_INFINITY:
            return default
        # Accepted connections are in use before older ones are closed for them: a whole backlog has to fit beside.
        free = max(8, hard - RESERVED_DESCRIPTORS)
        backlog = min(default.backlog, free // 3)
        return cls(connections=min(default.connections, free - backlog), backlog=backlog)


class Connections:
    """The connections of a process whose requests are still arriving, oldest first, and what they may take."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.count = 0
        """All connections, also those being answered."""
        self.heads: dict[BoundedProtocol, float] = {}
        """Those that wait for a head, by the time from which they do."""
        self.bodies: dict[BoundedProtocol, None] = {}
        """Those that wait for a body."""
        self.idle: dict[BoundedProtocol, None] = {}
        """Those that were answered and are kept for another request; uvicorn's own time ends them."""
        self._timer: asyncio.TimerHandle | None = None
        self._ended = 0
        self._logged_at = 0.0

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count one more, and end the one that has kept us waiting longest if that is too many."""
        self.count += 1
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        if self.count > self.bounds.connections:
            for waiting in (self.idle, self.heads, self.bodies):
                if oldest := next(iter(waiting), None):
                    oldest.abort()
                    self.note_ended()
                    return

    def close(self) -> None:
        """Count one less."""
        self.count -= 1

    def forget(self, connection: "BoundedProtocol") -> None:
        """Nothing more is waited for from this one."""
        for waiting in (self.idle, self.heads, self.bodies):
            waiting.pop(connection, None)

    @property
    def is_full(self) -> bool:
        """Whether there are too many, and all of the others are being answered."""
        return self.count > self.bounds.connections and not (self.idle or self.heads or self.bodies)

    def note_ended(self) -> None:
        """A connection was ended for what its peer did; said in the log from time to time."""
        self._ended += 1
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            log.warning("connections_ended", count=self._ended, open=self.count)
            self._logged_at, self._ended = now, 0

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        due = now - self.bounds.head_seconds
        late = [connection for connection, since in self.heads.items() if since < due]
        late += [connection for connection in self.bodies if connection.body_is_late(now)]
        for connection in late:
            connection.end_late()
            self.note_ended()
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self.count else None


class BoundedProtocol(HttpToolsProtocol):
    """One connection. uvicorn makes it by a `functools.partial` that knows the process's connections."""

    def __init__(self, connections: Connections, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._all = connections
        self._bounds = connections.bounds
        self._request = 0
        self._parsed_bytes = 0
        self._is_too_large = False
        self._body_since = 0.0
        self._body_bytes = 0
        self._looked_at = 0.0
        self._leftover_bytes = 0
        self._is_refused = False
        # Here and not in `connection_made`: uvloop accepts all that wait before it calls that for the first.
        connections.open(self.loop)

    # --- asyncio's side ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The connection is there: its first head is waited for."""
        super().connection_made(transport)
        if self._all.is_full:
            self._refuse(kinds.TOO_MANY_CONNECTIONS)
        else:
            self._all.heads[self] = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._all.forget(self)
        self._all.close()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those that the parser has to keep are counted."""
        if self._is_refused or self.transport.is_closing():
            self._leftover_bytes += len(data)
            if self._leftover_bytes > self._bounds.leftover_bytes:
                self.transport.abort()
            return
        self._all.idle.pop(self, None)
        if self not in self._all.bodies:
            # Also blank lines between two requests: they end uvicorn's own time for keeping alive.
            self._all.heads.setdefault(self, self.loop.time())
        request, body_bytes = self._request, self._body_bytes
        super().data_received(data)
        if self._is_refused or self.transport.is_closing():
            return
        if request == self._request and (self in self._all.heads or self in self._all.bodies):
            # All of this belongs to one request. What the parser keeps of it is at most what is no body.
            self._parsed_bytes += len(data) - (self._body_bytes - body_bytes)
        # Chunks have a line each: with the smallest ones that is five bytes for one of the body.
        if self._is_too_large or self._parsed_bytes > self._bounds.head_bytes + 8 * self._body_bytes:
            self._refuse(kinds.HEAD_TOO_LARGE)
        elif self._leftover_bytes > self._bounds.leftover_bytes:
            self.transport.abort()

    # --- the parser's side ------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._request += 1
        self._parsed_bytes = self._body_bytes = self._leftover_bytes = 0
        self._is_too_large = False
        self._all.heads.setdefault(self, self.loop.time())

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        if not self._is_over(len(self.url) + len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer behind the body."""
        if not self._is_over(0, len(self.headers) + 1):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        if self._is_refused:
            return
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if self._is_over(size):
            self._refuse(kinds.HEAD_TOO_LARGE)
            return
        self._all.heads.pop(self, None)
        self._all.bodies[self] = None
        self._body_since = self._looked_at = self.loop.time()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._is_too_large or self._is_refused:
            return
        self._body_bytes += len(body)
        if self.cycle.response_complete:
            self._leftover_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there: from now on time is ours."""
        self._all.bodies.pop(self, None)
        if not (self._is_too_large or self._is_refused):
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The request is answered."""
        super().on_response_complete()
        if not self.pipeline and self not in self._all.heads and self not in self._all.bodies:
            self._all.idle[self] = None

    # --- deadlines --------------------------------------------------------------------------------

    def body_is_late(self, now: float) -> bool:
        """Whether the body comes more slowly than it must. Time in which we do not read does not count."""
        if self.flow.read_paused:
            self._body_since += now - self._looked_at
        self._looked_at = now
        granted = self._bounds.body_grace_seconds + self._body_bytes / self._bounds.body_bytes_per_second
        return now - self._body_since > granted

    def end_late(self) -> None:
        """End a connection whose request did not arrive in time."""
        if self in self._all.heads and not self._parsed_bytes and not self._request:
            self.abort()  # it has asked for nothing: nothing is to be answered
        else:
            self._refuse(kinds.REQUEST_TOO_SLOW)

    def abort(self) -> None:
        """End the connection at once, whatever is still to be written."""
        self._all.forget(self)
        self.transport.abort()

    # --- the rest ---------------------------------------------------------------------------------

    def _is_over(self, size: int, count: int = 0) -> bool:
        """Whether the head has become too large, now or before. The rest of it is then thrown away."""
        self._is_too_large |= size > self._bounds.head_bytes or count > self._bounds.header_count
        return self._is_too_large

    def _refuse(self, kind: Kind) -> None:
        """Answer a problem, where that is not taken for the answer to another request, and end the connection."""
        is_body = self in self._all.bodies
        self._all.forget(self)
        self._is_too_large = self._is_refused = True
        if self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete or (is_body and not cycle.response_started):
            self.transport.write(_answer(kind))
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def _answer(kind: Kind) -> bytes:
    """A whole HTTP answer: these requests never reach the application."""
    problem = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": kind.meaning, "code": kind.code}
    body = json.dumps({**problem, "instance": "", "request_id": ""}).encode()
    head = (
        f"HTTP/1.1 {kind.status} {http.HTTPStatus(kind.status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
