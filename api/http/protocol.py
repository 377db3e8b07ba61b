"""uvicorn's connection, made to bound what a peer may take: time for a request's head, a least rate for its body, bytes
and number of headers, time in which nothing of an answer is read, and connections. Beside that it refuses what HTTP/1.1
forbids and uvicorn lets pass.

What bounds a request ends where its answer begins: streams and long polls are answers, and may last.
"""

import asyncio
import http
import json
import re
import socket
import struct
from typing import Any, cast

from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.http import kinds
from api.http.connections import Cause, Connections
from api.http.event_stream import SCOPE_ABORT
from api.http.kinds import Kind
from api.http.problems import MEDIA_TYPE

LINGER_SECONDS = 1.0
"""How long a refused peer may go on sending: with bytes unread, closing would take its answer from it."""

_HOST = re.compile(rb"[A-Za-z0-9\[\]:._~!$&'()*+,;=%-]*")


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
        self._unread_bytes = 0
        self._unread_since = 0.0
        self._is_refused = False
        self._is_counted = False
        # Here and not in `connection_made`: uvloop accepts all that wait before it calls that for the first.
        connections.open(self.loop)

    # --- asyncio's side ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The connection is there: its first head is waited for."""
        super().connection_made(transport)
        self._all.made[self] = None
        if self._all.is_full:
            self._refuse(kinds.TOO_MANY_CONNECTIONS)
        else:
            self._all.heads[self] = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._all.close(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those that the parser has to keep are counted."""
        if self._is_refused or self.transport.is_closing():
            self._leftover_bytes += len(data)
            if self._leftover_bytes > self._bounds.leftover_bytes:
                self._end_endless()
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
            self._end_endless()

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
        hosts = [value for name, value in self.headers if name == b"host"]
        is_named = len(hosts) == 1 and _HOST.fullmatch(hosts[0])
        version = cast("HttpRequestParser", self.parser).get_http_version()
        if not is_named and (hosts or version == "1.1"):
            self._refuse(kinds.BAD_REQUEST, "a request of HTTP/1.1 has one Host header, the name of a host")
            return
        self._all.heads.pop(self, None)
        self._all.bodies[self] = None
        self._body_since = self._looked_at = self.loop.time()
        cast("dict[str, Any]", self.scope)[SCOPE_ABORT] = self.end_listener
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", _Lingering(self))

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
        if self._is_refused:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if not self.pipeline and self not in self._all.heads and self not in self._all.bodies:
            self._all.idle[self] = None

    def send_400_response(self, msg: str) -> None:
        """The parser met what is no HTTP, or a request that could be read in two ways."""
        self._refuse(kinds.BAD_REQUEST, "this is no request of HTTP/1.1")

    # --- deadlines --------------------------------------------------------------------------------

    def body_is_late(self, now: float) -> bool:
        """Whether the body comes more slowly than it must. Time in which we do not read does not count."""
        if self.flow.read_paused:
            self._body_since += now - self._looked_at
        self._looked_at = now
        granted = self._bounds.body_grace_seconds + self._body_bytes / self._bounds.body_bytes_per_second
        return now - self._body_since > granted

    def answer_is_unread(self, now: float) -> bool:
        """Whether the peer has taken nothing of its answer for too long. Bytes that still fit into the kernel's buffers
        count as taken.
        """
        unread = self.transport.get_write_buffer_size()
        # More of them can only mean that more was answered, fewer that some were taken.
        if not self._unread_bytes or unread < self._unread_bytes:
            self._unread_since = now
        self._unread_bytes = unread
        return unread > 0 and now - self._unread_since > self._bounds.unread_seconds

    def end_late(self) -> None:
        """End a connection whose request did not arrive in time."""
        if self in self._all.heads and not self._parsed_bytes and not self._request:
            self.abort()  # it has asked for nothing: nothing is to be answered
        else:
            self._refuse(kinds.REQUEST_TOO_SLOW)

    def end_unread(self) -> None:
        """End a connection whose answer is not read: by a reset, or the kernel would go on offering what it holds."""
        peer = self.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def end_listener(self) -> None:
        """End a connection that takes events more slowly than they come."""
        if not self.transport.is_closing():  # it is told of each event that is too many
            self._all.note_ended(Cause.EVENTS_UNREAD)
        self.abort()

    def end_answered(self) -> None:
        """End a connection after its last answer; while its body still arrives, once that can have been read."""
        if self not in self._all.bodies:
            self.transport.close()
            return
        self._is_too_large = self._is_refused = True
        self._linger()

    def abort(self) -> None:
        """End the connection at once, whatever is still to be written."""
        self._all.forget(self)
        self.transport.abort()

    # --- the rest ---------------------------------------------------------------------------------

    def _is_over(self, size: int, count: int = 0) -> bool:
        """Whether the head has become too large, now or before. The rest of it is then thrown away."""
        self._is_too_large |= size > self._bounds.head_bytes or count > self._bounds.header_count
        return self._is_too_large

    def _end_endless(self) -> None:
        """End a connection whose peer goes on sending what nobody wants."""
        if not self._is_counted:
            self._all.ended[Cause.BODY_TOO_LONG] += 1
        self.transport.abort()

    def _refuse(self, kind: Kind, detail: str = "") -> None:
        """Answer a problem, where that is not taken for the answer to another request, and end the connection."""
        if self._is_refused:
            return
        is_body = self in self._all.bodies
        self._is_too_large = self._is_refused = True
        if self.transport.is_closing():
            self._all.forget(self)
            return
        self._is_counted = True
        if kind is not kinds.REQUEST_TOO_SLOW:  # the sweep that ends those counts them
            self._all.ended[Cause(kind.code)] += 1
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete or (is_body and not cycle.response_started):
            self.transport.write(_answer(kind, detail))
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self._linger()

    def _linger(self) -> None:
        """Say that nothing more will come, and go on taking what does for a while."""
        self._all.forget(self)
        self.flow.resume_reading()
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)


class _Lingering:
    """The transport that uvicorn answers by, closed as the connection is ended."""

    def __init__(self, connection: BoundedProtocol) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.transport, name)

    def close(self) -> None:
        """Close it once the answer can have been read."""
        self._connection.end_answered()


def _answer(kind: Kind, detail: str) -> bytes:
    """A whole HTTP answer: these requests never reach the application."""
    problem = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": detail or kind.meaning}
    body = json.dumps({**problem, "code": kind.code, "instance": "", "request_id": ""}).encode()
    head = (
        f"HTTP/1.1 {kind.status} {http.HTTPStatus(kind.status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
