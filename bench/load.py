"""Asks one HTTP route as fast as it answers, over some connections; run as a script in a process of its own.

`python -m bench.load HOST PORT SECONDS CONNECTIONS METHOD PATH [BODY]` prints the answers per second; with `--rate N`
before them it asks so many times a second and prints the 99th percentile of the time to an answer, in seconds, from the
moment when each request was due. With the variable BENCH_API_KEY it sends that key. A protocol of its own, since a
client library would be slower than the server.
"""

import asyncio
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import cast

import uvloop

WARM_UP_SECONDS = 0.5


class Caller(asyncio.Protocol):
    """One connection: the next request goes out when the last answer is in."""

    def __init__(self, request: bytes, *, answered: Callable[["Caller"], None] | None = None) -> None:
        """`answered` is told of each answer, and asks again; without it the caller itself does."""
        self._request = request
        self._buffer = b""
        self._answered = answered
        self.due_at = 0.0
        self.answers = 0
        self.errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none
        if self._answered is None:
            self.ask()

    def ask(self) -> None:
        """Send the request."""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        self._buffer = b""
        self.answers += 1
        self.errors += not head.startswith(b"HTTP/1.1 20")
        if self._answered:
            self._answered(self)
        else:
            self.ask()


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.index(b"content-length:") + len(b"content-length:")
    return int(lowered[at:].split(b"\r\n", 1)[0])


async def measure(host: str, port: int, seconds: float, connections: int, request: bytes) -> float:
    """Answers per second. Raises RuntimeError if some were refusals or connections broke."""
    loop = asyncio.get_running_loop()
    callers: list[Caller] = []
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: Caller(request), host, port)
        callers.append(caller)
    await asyncio.sleep(WARM_UP_SECONDS)
    before, began = sum(caller.answers for caller in callers), time.perf_counter()
    await asyncio.sleep(seconds)
    answers, took = sum(caller.answers for caller in callers) - before, time.perf_counter() - began
    if not answers or any(caller.errors for caller in callers):
        raise RuntimeError(f"{answers} answers, {sum(caller.errors for caller in callers)} of them refusals")
    return answers / took


async def paced(host: str, port: int, seconds: float, connections: int, request: bytes, *, rate: float) -> float:
    """The 99th percentile of the time to an answer, in seconds. Raises RuntimeError if some were refusals."""
    loop = asyncio.get_running_loop()
    idle: deque[Caller] = deque()
    waiting: deque[float] = deque()
    took: list[float] = []

    def ask(caller: Caller, due_at: float) -> None:
        caller.due_at = due_at
        caller.ask()

    def answered(caller: Caller) -> None:
        took.append(time.perf_counter() - caller.due_at)
        if waiting:
            ask(caller, waiting.popleft())
        else:
            idle.append(caller)

    callers: list[Caller] = []
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: Caller(request, answered=answered), host, port)
        callers.append(caller)
    idle.extend(callers)
    began = time.perf_counter()
    for number in range(int(rate * (seconds + WARM_UP_SECONDS))):
        due_at = began + number / rate
        if (early := due_at - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        if idle:
            ask(idle.popleft(), due_at)
        else:
            waiting.append(due_at)
    async with asyncio.timeout(30):
        while len(idle) < connections:  # noqa: ASYNC110 (looked at once, at the end)
            await asyncio.sleep(0.01)
    if any(caller.errors for caller in callers):
        raise RuntimeError("some answers were refusals")
    measured = sorted(took[int(rate * WARM_UP_SECONDS) :])
    return measured[math.ceil(0.99 * len(measured)) - 1]


def main() -> None:
    rate = 0.0
    if sys.argv[1] == "--rate":
        rate = float(sys.argv[2])
        del sys.argv[1:3]
    host, port, seconds, connections, method, path, *body = sys.argv[1:]
    content = body[0].encode() if body else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: application/json\r\n"
    if key := os.environ.get("BENCH_API_KEY"):
        head += f"Authorization: Bearer {key}\r\n"
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    request = head.encode() + b"\r\n" + content
    where = host, int(port), float(seconds), int(connections), request
    print(uvloop.run(paced(*where, rate=rate) if rate else measure(*where)))


if __name__ == "__main__":
    main()
