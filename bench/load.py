"""Asks one HTTP route as fast as it answers, over some connections; run as a script in a process of its own.

`python -m bench.load HOST PORT SECONDS CONNECTIONS METHOD PATH [BODY]` prints the answers per second. A protocol of
its own, since a client library would be slower than the server.
"""

import asyncio
import sys
import time
from typing import cast

import uvloop

WARM_UP_SECONDS = 0.5


class Caller(asyncio.Protocol):
    """One connection: the next request goes out when the last answer is in."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = b""
        self.answers = 0
        self.errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        self._buffer = b""
        self.answers += 1
        self.errors += not head.startswith(b"HTTP/1.1 20")
        self._transport.write(self._request)


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


def main() -> None:
    host, port, seconds, connections, method, path, *body = sys.argv[1:]
    content = body[0].encode() if body else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: application/json\r\n"
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    request = head.encode() + b"\r\n" + content
    print(uvloop.run(measure(host, int(port), float(seconds), int(connections), request)))


if __name__ == "__main__":
    main()
