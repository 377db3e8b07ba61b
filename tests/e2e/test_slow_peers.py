"""Thousands of silent, slow, boundless and unreading connections at once: others are answered, and all of those end."""

import asyncio
import os
import resource
import select
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest
import redis

from jobs.settings import Settings
from tests.api.test_main import serving

SILENT, SLOW_BODIES, ENDLESS, GIANTS, UNREADING = 2000, 200, 50, 20, 50
HEAD = b"POST /v1/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
WITHIN_SECONDS = 50
"""Deadlines of head, body and reader, and some time for a loaded machine."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def keep_sending(port: int, begin: bytes, part: bytes, *, every_seconds: float, until: float) -> float | None:
    """Send `begin`, then `part` again and again. When the server ended the connection, None if it did not."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return time.monotonic()
    ended = asyncio.create_task(reader.read())
    try:
        writer.write(begin)
        while time.monotonic() < until and not ended.done():
            writer.write(part)
            await asyncio.wait([ended], timeout=every_seconds)
        return time.monotonic() if ended.done() else None
    finally:
        ended.cancel()
        with suppress(OSError, asyncio.CancelledError):
            await ended
        writer.close()


async def never_reading(port: int, *, until: float) -> float | None:
    """Ask for much and read nothing of it. When the server ended the connection, None if it did not."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", port))
            peer.send(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 20)
        except OSError:
            return time.monotonic()
        watch = select.poll()
        watch.register(peer, 0)  # tells of a reset alone
        while time.monotonic() < until:
            if watch.poll(0):
                return time.monotonic()
            await asyncio.sleep(0.5)
        return None


async def asked(port: int, *, until: float) -> list[float]:
    """Seconds that each of many single questions after the server's health took, those asked again included."""
    took: list[float] = []
    while time.monotonic() < until:
        began = time.monotonic()
        while not (answer := await health(port)):
            assert time.monotonic() < until
        assert answer.startswith(b"HTTP/1.1 200"), answer
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.02)
    return took


async def health(port: int) -> bytes:
    """The answer; empty where the server ended the connection without one, as with too few descriptors it may."""
    writer = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        if writer:
            writer.close()


async def besiege(port: int) -> tuple[list[float], list[float | None]]:
    until = time.monotonic() + WITHIN_SECONDS
    huge = HEAD + b"x: " + b"y" * 10_000_000
    peers = [keep_sending(port, b"", b"", every_seconds=60, until=until) for _ in range(SILENT // 2)]
    peers += [keep_sending(port, HEAD, b"a: b\r\n", every_seconds=3, until=until) for _ in range(SILENT // 2)]
    slow = HEAD + b"content-length: 100000\r\n\r\n"
    peers += [keep_sending(port, slow, b" ", every_seconds=1, until=until) for _ in range(SLOW_BODIES)]
    endless = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    peers += [keep_sending(port, endless, chunk, every_seconds=0.1, until=until) for _ in range(ENDLESS)]
    peers += [keep_sending(port, huge, b"", every_seconds=60, until=until) for _ in range(GIANTS)]
    peers += [never_reading(port, until=until) for _ in range(UNREADING)]
    asking = asyncio.create_task(asked(port, until=until))
    ends = await asyncio.gather(*peers)
    return await asking, ends


@contextmanager
def many_descriptors() -> Iterator[None]:
    """As many descriptors for this process as it may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("descriptors", [None, 256])
def test_others_are_answered_meanwhile(settings: Settings, client: redis.Redis, descriptors: int | None) -> None:
    with many_descriptors(), serving(settings, descriptors=descriptors) as (server, url):
        assert server.stderr
        # Its log has to be taken from it, or it waits for that.
        threading.Thread(target=server.stderr.read, daemon=True).start()
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        took, ends = asyncio.run(besiege(int(url.rpartition(":")[2])))
        grown = process.memory_info().rss - before
        p99 = statistics.quantiles(took, n=100)[98]
        os.write(2, f"{len(took)} answers, p99 {p99 * 1000:.1f} ms, {grown / 2**20:.0f} MiB more\n".encode())
        assert None not in ends, f"{ends.count(None)} connections are still open"
        assert grown < 200 * 2**20
        assert len(took) > 100
        assert p99 <= 0.1
