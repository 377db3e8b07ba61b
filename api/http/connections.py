"""The connections of one API process: what each may take, how many there may be, and the deadlines of all of them."""

import asyncio
import resource
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 0.5
"""How often deadlines are looked at: one timer for the whole process, none for each connection."""
LOG_SECONDS = 10.0
"""Shortest time between two lines about connections that were ended: an attack must not fill the log as well."""

RESERVED_DESCRIPTORS = 96
"""For the store's and the broker's connections, files, and what the interpreter holds."""


class Cause(StrEnum):
    """What the peer of a connection did that was ended for it. Those with a problem of their own have its code."""

    REQUEST_TOO_SLOW = "request_too_slow"
    ANSWER_UNREAD = "answer_unread"
    """It took nothing of its answer."""
    EVENTS_UNREAD = "events_unread"
    """It took events more slowly than they came."""
    MADE_ROOM = "made_room"
    """It kept the server waiting longest when there were too many."""
    BODY_TOO_LONG = "body_too_long"
    """It went on sending after its answer."""
    HEAD_TOO_LARGE = "head_too_large"
    BAD_REQUEST = "bad_request"
    TOO_MANY_CONNECTIONS = "too_many_connections"


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
    unread_seconds: float = 30.0
    """How long a peer may take nothing of an answer that waits for it."""
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


class Connection(Protocol):
    """One of them."""

    def body_is_late(self, now: float) -> bool:
        """Whether the body of its request comes more slowly than it must."""
        ...

    def answer_is_unread(self, now: float) -> bool:
        """Whether its peer has taken nothing of its answer for too long."""
        ...

    def end_late(self) -> None:
        """End it because its request did not arrive in time."""
        ...

    def end_unread(self) -> None:
        """End it because its answer is not read."""
        ...

    def abort(self) -> None:
        """End it at once, whatever is still to be written."""
        ...


class Connections:
    """All of them, those apart whose requests are still arriving, oldest first."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.count = 0
        """All connections, also those that are accepted and not yet made."""
        self.made: dict[Connection, None] = {}
        """Those that can be read from and written to."""
        self.heads: dict[Connection, float] = {}
        """Those that wait for a head, by the time from which they do."""
        self.bodies: dict[Connection, None] = {}
        """Those that wait for a body."""
        self.idle: dict[Connection, None] = {}
        """Those that were answered and are kept for another request; uvicorn's own time ends them."""
        self.ended: Counter[Cause] = Counter()
        """How many were ended for what their peers did."""
        self._timer: asyncio.TimerHandle | None = None
        self._ended_since = 0
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
                    self.note_ended(Cause.MADE_ROOM)
                    return

    def close(self, connection: Connection) -> None:
        """Count one less."""
        self.forget(connection)
        self.made.pop(connection, None)
        self.count -= 1

    def forget(self, connection: Connection) -> None:
        """Nothing more is waited for from this one."""
        for waiting in (self.idle, self.heads, self.bodies):
            waiting.pop(connection, None)

    @property
    def is_full(self) -> bool:
        """Whether there are too many, and all of the others are being answered."""
        return self.count > self.bounds.connections and not (self.idle or self.heads or self.bodies)

    def note_ended(self, cause: Cause) -> None:
        """A connection was ended for what its peer did; said in the log from time to time."""
        self.ended[cause] += 1
        self._ended_since += 1
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            log.warning("connections_ended", count=self._ended_since, open=self.count)
            self._logged_at, self._ended_since = now, 0

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self.count else None
        now = loop.time()
        due = now - self.bounds.head_seconds
        late = [connection for connection, since in self.heads.items() if since < due]
        late += [connection for connection in self.bodies if connection.body_is_late(now)]
        # Answers that were given in full too: such a connection would otherwise wait for ever to be closed.
        unread = [connection for connection in self.made if connection.answer_is_unread(now)]
        for connection in late:
            connection.end_late()
            self.note_ended(Cause.REQUEST_TOO_SLOW)
        for connection in unread:
            connection.end_unread()
            self.note_ended(Cause.ANSWER_UNREAD)
