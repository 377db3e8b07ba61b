"""A webhook's receiver: a real server that remembers what it was told, and misbehaves as it is asked to."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Connection = socket.socket
Behaviour = Callable[[Connection], None]
"""How to answer a request that was read."""


def answer(status: int, *headers: str, body: bytes = b"") -> Behaviour:
    """Answer properly."""
    head = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers]
    return lambda connection: connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def drop(connection: Connection) -> None:
    """Close without an answer."""


def babble(connection: Connection) -> None:
    """Answer in no HTTP."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


def trickle(first: bytes, piece: bytes) -> Behaviour:
    """Send a beginning, then a piece every now and then, until the peer is gone."""

    def send(connection: Connection) -> None:
        try:
            connection.sendall(first)
            while True:
                connection.sendall(piece)
                time.sleep(0.05)
        except OSError:
            return

    return send


def hang(connection: Connection) -> None:
    """Say nothing until the peer is gone."""
    connection.settimeout(60)
    try:
        connection.recv(1)
    except OSError:
        return


OK = answer(204)


@dataclass(frozen=True)
class Told:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    def verified(self, secret: str = SECRET) -> dict[str, Any]:
        """The message, by the library that receivers use. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Listens on a port of this machine between `start` and `stop`, which may be repeated."""

    behaviour: Behaviour = OK
    """What is done with each request, unless `script` has something."""
    script: list[Behaviour] = field(default_factory=list)
    """What is done with the next ones, one after the other."""
    told: list[Told] = field(default_factory=list)
    port: int = 0
    tls: ssl.SSLContext | None = None
    _listener: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was told so far, verified."""
        return [told.verified() for told in self.told]

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=100)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        if self._listener:
            # Closing alone would not wake the thread that accepts.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                peer = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
                with peer:
                    self.told.append(_read(peer))
                    (self.script.pop(0) if self.script else self.behaviour)(peer)
            except OSError:
                return


def _read(connection: socket.socket) -> Told:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    request, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(connection)
    return Told(request.split()[1], headers, body, time.monotonic())


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionResetError
    return data
