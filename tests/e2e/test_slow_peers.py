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
CONNECTING_SECONDS = 40
"""How long a peer tries to connect. With few descriptors the kernel's queue is short; a peer that finds it full is put
off by the kernel, for twice as long each time.
"""
WITHIN_SECONDS = 50
"""Deadlines of head, body and reader, from connecting, and some time for a loaded machine."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def holds(server: psutil.Process, port: int) -> bool:
    """Whether the server holds the connection of a peer's port. One that the kernel never handed to it is none."""
    return any(held.raddr and held.raddr.port == port for held in server.net_connections("tcp"))


async def keep_sending(server: psutil.Process, port: int, begin: bytes, part: bytes, *, every_seconds: float) -> bool:
    """Send `begin`, then `part` again and again. Whether the server holds the connection after its deadlines."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), CONNECTING_SECONDS)
    except OSError:  # a timeout is one
        return False
    ended = asyncio.create_task(reader.read())
    until = time.monotonic() + WITHIN_SECONDS
    try:
        writer.write(begin)
        while time.monotonic() < until and not ended.done():
            writer.write(part)
            await asyncio.wait([ended], timeout=min(every_seconds, until - time.monotonic()))
        return not ended.done() and holds(server, writer.get_extra_info("sockname")[1])
    finally:
        ended.cancel()
        with suppress(OSError, asyncio.CancelledError):
            await ended
        writer.close()


async def never_reading(server: psutil.Process, port: int) -> bool:
    """Ask for much and read nothing of it. Whether the server holds the connection after its deadlines."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        try:
            connecting = asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", port))
            await asyncio.wait_for(connecting, CONNECTING_SECONDS)
            peer.send(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 20)
        except OSError:
            return False
        until = time.monotonic() + WITHIN_SECONDS
        watch = select.poll()
        watch.register(peer, 0)  # tells of a reset alone
        while time.monotonic() < until:
            if watch.poll(0):
                return False
            await asyncio.sleep(0.5)
        return holds(server, peer.getsockname()[1])


async def asked(port: int, siege: asyncio.Future[list[bool]]) -> list[float]:
    """Seconds that each of many single questions after the server's health took, those asked again included."""
    took: list[float] = []
    while not siege.done():
        began = time.monotonic()
        while not (answer := await health(port)):
            assert time.monotonic() < began + WITHIN_SECONDS
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


async def besiege(server: psutil.Process, port: int) -> tuple[list[float], int]:
    """What each answer to others took meanwhile, in seconds; connections that are held after their deadlines."""
    huge = HEAD + b"x: " + b"y" * 10_000_000
    slow = HEAD + b"content-length: 100000\r\n\r\n"
    endless = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    kinds = [
        (SILENT // 2, b"", b"", 60),
        (SILENT // 2, HEAD, b"a: b\r\n", 3),
        (SLOW_BODIES, slow, b" ", 1),
        (ENDLESS, endless, chunk, 0.1),
        (GIANTS, huge, b"", 60),
    ]
    peers = [
        keep_sending(server, port, begin, part, every_seconds=every)
        for count, begin, part, every in kinds
        for _ in range(count)
    ]
    siege = asyncio.gather(*peers, *(never_reading(server, port) for _ in range(UNREADING)))
    took = await asked(port, siege)
    return took, sum(await siege)


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
        took, held = asyncio.run(besiege(process, int(url.rpartition(":")[2])))
        grown = process.memory_info().rss - before
        p99 = statistics.quantiles(took, n=100)[98]
        os.write(2, f"{len(took)} answers, p99 {p99 * 1000:.1f} ms, {grown / 2**20:.0f} MiB more\n".encode())
        assert not held, f"{held} connections are still open"
        assert grown < 200 * 2**20
        assert len(took) > 100
        assert p99 <= 0.1
