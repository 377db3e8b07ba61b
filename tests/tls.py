"""TLS for tests: an authority of one's own, a front for servers without, a listener that keeps what it is sent."""

import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

UNCLOSED = (
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
)
"""Marks of tests with asyncio's clients over TLS, whose loop ends before the peer has closed its side too. Such a test
ends with `gc.collect()`, lest another one is blamed."""


class Authority:
    """A certificate authority that nobody but its test knows: `file` is its certificate."""

    def __init__(self, folder: Path, *, name: str = "authority") -> None:
        self._folder = folder
        self.file, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        self._openssl("req", "-x509", *_NEW_KEY, "-keyout", self._key, "-out", self.file, "-subj", f"/CN={name}")

    def certificate(self, host: str = "localhost", *, days: int = 2) -> Path:
        """A file with a key and a certificate of this authority for a host; it has expired where days are negative."""
        file = self._folder / f"{host}{days}.pem"
        request, extensions = file.with_suffix(".request"), file.with_suffix(".extensions")
        extensions.write_text(f"subjectAltName=DNS:{host}")
        self._openssl("req", *_NEW_KEY, "-keyout", file, "-out", request, "-subj", f"/CN={host}")
        signing = ("-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-days", str(days))
        signed = self._openssl("x509", "-req", "-in", request, "-extfile", extensions, *signing)
        file.write_bytes(file.read_bytes() + signed)
        return file

    def folder_in(self, place: Path) -> Path:
        """A folder of authorities, as OpenSSL looks them up, that has this one."""
        folder = place / "authorities"
        folder.mkdir()
        name = self._openssl("x509", "-hash", "-noout", "-in", self.file).decode().strip()
        shutil.copy(self.file, folder / f"{name}.0")
        return folder

    def unsigned(self, host: str = "localhost") -> Path:
        """A file with a key and a certificate that only its owner has signed."""
        file, certificate = self._folder / f"unsigned-{host}.pem", self._folder / f"unsigned-{host}.certificate"
        names = ("-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
        self._openssl("req", "-x509", *_NEW_KEY, "-keyout", file, "-out", certificate, *names)
        file.write_bytes(file.read_bytes() + certificate.read_bytes())
        return file

    @staticmethod
    def _openssl(*arguments: str | Path) -> bytes:
        if not (openssl := shutil.which("openssl")):
            pytest.skip("no openssl to make a certificate with")
        return subprocess.run([openssl, *arguments], check=True, capture_output=True).stdout


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Server:
    """Takes connections, with TLS where it has a certificate, and serves each in a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket], None], *, certificate: Path | None) -> None:
        self._serve = serve
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        """How many were taken, before any handshake."""
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._take)]

    def __enter__(self) -> "Server":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._socket, *self._ends):
            shut(each)
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                end, _ = self._socket.accept()
                self.connections += 1
                self._ends.append(end)
                self._threads.append(threading.Thread(target=self._meet, args=(end,)))
                self._threads[-1].start()

    def _meet(self, end: socket.socket) -> None:
        with suppress(OSError), end:
            if self._context is None:
                self._serve(end)
                return
            with self._context.wrap_socket(end, server_side=True) as near:
                self._ends.append(near)
                self._serve(near)


@contextmanager
def tls_before(port: int, certificate: Path) -> Iterator[int]:
    """A port that speaks TLS, for a server on `port` that was built without: what arrives is forwarded to it."""

    def forward(near: socket.socket) -> None:
        assert isinstance(near, ssl.SSLSocket)
        with socket.create_connection(("127.0.0.1", port)) as far:
            ends, other = {near.fileno(): near, far.fileno(): far}, {near: far, far: near}
            # Whatever the number of files that the process has open, as `select` is not.
            poll = select.poll()
            for number in ends:
                poll.register(number, select.POLLIN)
            while True:
                ready = [near] if near.pending() else [ends[number] for number, _ in poll.poll()]
                for end in ready:
                    if not (data := end.recv(1 << 16)):
                        return
                    other[end].sendall(data)

    with Server(forward, certificate=certificate) as server:
        yield server.port


class Listener(Server):
    """Keeps what it can read of each connection, answers as a store that still loads its data, and hangs up."""

    def __init__(self, certificate: Path | None) -> None:
        self.heard: list[bytes] = []
        super().__init__(self._hear, certificate=certificate)

    def __enter__(self) -> "Listener":
        super().__enter__()
        return self

    def _hear(self, end: socket.socket) -> None:
        self.heard.append(end.recv(1 << 16))
        end.sendall(b"-LOADING not yet\r\n")


def shut(end: socket.socket) -> None:
    """End all traffic, and whatever waits for some."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
