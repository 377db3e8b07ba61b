"""Connections that bring so much and no more: what a receiver may send that nobody waits for costs time to parse."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

MOST_BYTES = 32_768
"""Of all that a receiver sends on a connection: informational answers, head and body."""
MOST_AT_ONCE = 4096
"""Of one look, between which others have their turn."""


class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection whose other end may send `MOST_BYTES`."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = MOST_BYTES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 (httpcore's own)
        """What has come. Raises httpcore.ReadError when that is too much."""
        if self._left <= 0:
            raise httpcore.ReadError(f"the answer is longer than {MOST_BYTES:,} bytes")
        found = await self._stream.read(min(max_bytes, MOST_AT_ONCE), timeout)
        self._left -= len(found)
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """The same, encrypted: what is sent within counts."""
        return BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows of itself."""
        return self._stream.get_extra_info(info)


class BoundedBackend(httpcore.AsyncNetworkBackend):
    """Makes such connections."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect."""
        stream = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return BoundedStream(stream)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._backend.sleep(seconds)
