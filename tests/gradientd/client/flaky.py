"""A server on loopback that fails as networks and servers do, so many times, before it answers."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

DROPPED = "dropped"
"""The connection ends, and no answer came."""
HALF = "half"
"""It ends amid the answer's body."""

MUCH = b"half" * (1 << 19)
"""More than a client takes at a time."""

Answer = tuple[int, bytes, dict[str, str]]


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Flaky:
    """What it does next, one after another, the last for ever; and what it has seen."""

    url: str
    plan: list[str | Answer]
    seen: list[Seen] = field(default_factory=list)

    def next(self) -> str | Answer:
        """What becomes of the next request."""
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    """An answer in JSON."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, json.dumps(body).encode() if body is not None else b"", told


@contextmanager
def flaky(*plan: str | Answer) -> Iterator[Flaky]:
    """Such a server, for as long as it is needed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            known.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            told = known.next()
            if told == DROPPED:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if isinstance(told, str):
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * len(MUCH)) + MUCH)
                return
            status, content, headers = told
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known = Flaky(f"http://127.0.0.1:{server.server_port}", list(plan))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield known
        finally:
            server.shutdown()
            thread.join()
