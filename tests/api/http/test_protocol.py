"""Connections of peers that are slow, silent or boundless, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn

from api.http.connections import Bounds, Connections
from api.http.event_stream import Listener
from api.http.protocol import BoundedProtocol

pytestmark = pytest.mark.anyio

QUICK = Bounds(head_seconds=0.2, body_grace_seconds=0.2, body_bytes_per_second=1000.0, unread_seconds=0.2)
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
LARGE = 32 << 20
"""More than the kernel's buffers hold between two sockets of one machine."""


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body's length; `/now` before the body is there, `/later` when the test says so.

    `/large` answers so much that no kernel keeps it, `/stream` the same bit by bit and never ends. `/events` lets its
    listener go.
    """
    if scope["path"] == "/events":
        listener = Listener(scope)
        for _ in range(2):
            listener.let_go()
        return
    if scope["path"] in ("/large", "/stream"):
        await answer_much(scope, send)
        return
    if scope["path"] == "/later":
        await scope["state"]["later"].wait()
    size, more = 0, scope["path"] != "/now"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    content = str(size).encode()
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def answer_much(scope: Any, send: Any) -> None:
    more = scope["path"] == "/stream"
    headers = [] if more else [(b"content-length", str(LARGE).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * LARGE, "more_body": more})
    while more and not scope["state"]["later"].is_set():
        await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})


class Site:
    """A server of these bounds, and its port."""

    def __init__(self, bounds: Bounds) -> None:
        self.connections = Connections(bounds)
        self.later = asyncio.Event()
        self._lines: list[Line] = []
        config = uvicorn.Config(
            self._app,
            http=partial(BoundedProtocol, self.connections),  # pyright: ignore[reportArgumentType]
            port=0,
            lifespan="off",
            log_config=None,
            loop="none",
            interface="asgi3",
        )
        self.server = uvicorn.Server(config)
        self.server.install_signal_handlers = lambda: None  # pyright: ignore[reportAttributeAccessIssue]

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["later"] = self.later
        await echo(scope, receive, send)

    @property
    def port(self) -> int:
        return self.server.servers[0].sockets[0].getsockname()[1]

    async def dial(self, *parts: bytes) -> "Line":
        line = Line(*await asyncio.open_connection("127.0.0.1", self.port))
        self._lines.append(line)
        for part in parts:
            line.write(part)
        return line

    async def hang_up(self) -> None:
        """Close all lines from this side."""
        for line in self._lines:
            line.writer.close()
        await asyncio.gather(*(line.writer.wait_closed() for line in self._lines), return_exceptions=True)


class Line:
    """One connection to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def write(self, part: bytes) -> None:
        self.writer.write(part)

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        status = int(head.split()[1])
        length = next(int(line.split(b":")[1]) for line in head.lower().splitlines() if b"content-length" in line)
        return status, await self.reader.readexactly(length)

    async def problem(self) -> str:
        """Code of the problem that is answered before the connection ends."""
        status, body = await self.answer()
        problem = json.loads(body)
        assert problem["status"] == status
        await self.ended()
        return problem["code"]

    async def ended(self) -> bytes:
        """What still comes until the server has ended the connection."""
        try:
            return await asyncio.wait_for(self.reader.read(), 10)
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def running(bounds: Bounds) -> AsyncIterator[Site]:
    site = Site(bounds)
    serving = asyncio.create_task(site.server._serve())
    async with asyncio.timeout(10):
        while not site.server.started:  # noqa: ASYNC110 (uvicorn tells nobody)
            await asyncio.sleep(0.005)
    try:
        yield site
    finally:
        site.later.set()
        await site.hang_up()
        site.server.should_exit = True
        await asyncio.wait_for(serving, 10)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_whole_request_is_answered_and_the_connection_kept() -> None:
    async with running(QUICK) as site:
        line = await site.dial(GET + b"content-length: 3\r\n\r\nabc")
        assert await line.answer() == (200, b"3")
        line.write(GET + b"\r\n")
        assert await line.answer() == (200, b"0")


async def test_two_requests_in_one_go_are_both_answered() -> None:
    async with running(QUICK) as site:
        line = await site.dial((GET + b"\r\n") * 2)
        assert [await line.answer(), await line.answer()] == [(200, b"0")] * 2


async def test_a_silent_connection_is_ended() -> None:
    async with running(QUICK) as site:
        line = await site.dial()
        assert await line.ended() == b""
        assert site.connections.ended == {"request_too_slow": 1}


@pytest.mark.parametrize("begin", [GET, b"GET /", b"\r\n"])
async def test_a_head_that_does_not_end_is_ended(begin: bytes) -> None:
    async with running(QUICK) as site:
        line = await site.dial(begin)
        assert await line.problem() == "request_too_slow"


async def test_blank_lines_between_requests_keep_nothing_alive() -> None:
    async with running(QUICK) as site:
        line = await site.dial(GET + b"\r\n")
        await line.answer()
        line.write(b"\r\n")
        assert await line.problem() == "request_too_slow"


async def test_a_body_slower_than_the_least_rate_is_ended() -> None:
    async with running(QUICK) as site:
        line = await site.dial(GET + b"content-length: 1000\r\n\r\n", b"x")
        assert await line.problem() == "request_too_slow"
        assert site.connections.ended == {"request_too_slow": 1}


async def test_a_body_that_keeps_moving_may_take_its_time() -> None:
    """Four times the grace, at twice the least rate."""
    async with running(QUICK) as site:
        line = await site.dial(GET + b"content-length: 1600\r\n\r\n")
        for _ in range(16):
            line.write(b"x" * 100)
            await asyncio.sleep(0.05)  # the pace is what is tested
        assert await line.answer() == (200, b"1600")


async def test_an_answer_may_take_as_long_as_it_likes() -> None:
    async with running(QUICK) as site:
        line = await site.dial(GET.replace(b"/ ", b"/later ") + b"\r\n")
        await (await site.dial()).ended()  # a deadline has passed meanwhile
        site.later.set()
        assert await line.answer() == (200, b"0")


async def test_time_in_which_the_application_does_not_read_is_not_the_peers() -> None:
    async with running(QUICK) as site:
        body = b"x" * 500_000
        line = await site.dial(GET.replace(b"/ ", b"/later ") + b"content-length: 500000\r\n\r\n", body)
        await (await site.dial()).ended()
        site.later.set()
        assert await line.answer() == (200, b"500000")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        GET + b"a: " + b"x" * 70_000 + b"\r\n\r\n",
        GET + b"a: " + b"x" * 1_000_000,
        GET + b"".join(b"a%d: x\r\n" % n for n in range(100)) + b"\r\n",
        GET + b"a: x\r\n" * 50_000,
    ],
    ids=["target", "header", "unfinished header", "many headers", "many unfinished headers"],
)
async def test_a_head_that_is_too_large_is_refused(head: bytes) -> None:
    async with running(Bounds()) as site:
        line = await site.dial(head)
        assert await line.problem() == "head_too_large"
        assert site.connections.ended == {"head_too_large": 1}


async def test_as_many_headers_as_are_allowed_are_read() -> None:
    async with running(Bounds()) as site:
        line = await site.dial(GET + b"".join(b"a%d: x\r\n" % n for n in range(99)) + b"\r\n")
        assert await line.answer() == (200, b"0")
        assert site.connections.ended == {}


async def test_a_body_that_goes_on_behind_its_answer_ends_the_connection() -> None:
    async with running(Bounds(leftover_bytes=100_000)) as site:
        line = await site.dial(GET.replace(b"/ ", b"/now ") + b"content-length: 10000000\r\n\r\n")
        assert await line.answer() == (200, b"0")
        line.write(b"x" * 1_000_000)
        await line.ended()
        assert site.connections.ended == {"body_too_long": 1}


async def test_an_answer_before_the_end_of_its_body_is_not_taken_away_by_a_reset() -> None:
    async with running(Bounds()) as site:
        head = GET.replace(b"/ ", b"/now ") + b"connection: close\r\ncontent-length: 500000\r\n\r\n"
        line = await site.dial(head, b"x" * 250_000)
        await asyncio.wait_for(line.reader.readuntil(b"\r\n\r\n"), 10)
        line.write(b"x" * 250_000)
        assert await asyncio.wait_for(line.reader.read(), 10) == b"0"
        assert not site.connections.bodies


async def test_trailers_without_end_are_refused() -> None:
    async with running(Bounds()) as site:
        line = await site.dial(GET + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + b"a: x\r\n" * 50_000)
        assert b"200" not in await line.ended()


async def test_a_new_connection_takes_the_place_of_the_one_that_waited_longest() -> None:
    async with running(Bounds(connections=3)) as site:
        silent = [await site.dial() for _ in range(3)]
        line = await site.dial(GET + b"\r\n")
        assert await line.answer() == (200, b"0")
        assert await silent[0].ended() == b""
        assert site.connections.ended == {"made_room": 1}
        silent[2].write(GET + b"\r\n")
        assert await silent[2].answer() == (200, b"0")


async def test_those_being_answered_keep_their_places() -> None:
    async with running(Bounds(connections=2)) as site:
        busy = [await site.dial(GET.replace(b"/ ", b"/later ") + b"\r\n") for _ in range(2)]
        async with asyncio.timeout(10):
            while site.connections.heads:  # noqa: ASYNC110 (until the server has read both)
                await asyncio.sleep(0.005)
        line = await site.dial(GET + b"\r\n")
        assert await line.problem() == "too_many_connections"
        assert site.connections.ended == {"too_many_connections": 1}
        site.later.set()
        assert [await one.answer() for one in busy] == [(200, b"0")] * 2


async def test_nothing_is_left_behind() -> None:
    async with running(QUICK) as site:
        for part in (b"", GET, GET + b"\r\n", GET + b"content-length: 9\r\n\r\n"):
            line = await site.dial(part)
            line.writer.close()
        async with asyncio.timeout(10):
            while site.connections.count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        for waiting in (site.connections.idle, site.connections.heads, site.connections.bodies, site.connections.made):
            assert not waiting


async def gone(site: Site) -> None:
    """Return once the server has no connection left."""
    async with asyncio.timeout(10):
        while site.connections.count:  # noqa: ASYNC110 (until the server has noticed)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("path", [b"/large", b"/stream"])
@pytest.mark.parametrize("more", [b"", b"connection: close\r\n"])
async def test_an_answer_that_is_not_read_ends_the_connection(path: bytes, more: bytes) -> None:
    async with running(QUICK) as site:
        await site.dial(GET.replace(b"/ ", path + b" ") + more + b"\r\n")
        await gone(site)
        assert site.connections.ended == {"answer_unread": 1}


async def test_a_listener_who_is_let_go_loses_the_connection() -> None:
    async with running(Bounds()) as site:
        line = await site.dial(GET.replace(b"/ ", b"/events ") + b"\r\n")
        assert await line.ended() == b""
        assert site.connections.ended == {"events_unread": 1}


async def test_requests_whose_answers_are_not_read_end_the_connection() -> None:
    async with running(QUICK) as site:
        await site.dial((GET.replace(b"/ ", b"/large ") + b"\r\n") * 20)
        await gone(site)


async def test_an_answer_may_be_read_slowly() -> None:
    """In five times the time that may pass with nothing read."""
    async with running(QUICK) as site:
        line = await site.dial(GET.replace(b"/ ", b"/large ") + b"\r\n")
        await line.reader.readuntil(b"\r\n\r\n")
        for _ in range(20):
            assert len(await line.reader.readexactly(LARGE // 20)) == LARGE // 20
            await asyncio.sleep(0.05)  # the pace is what is tested
        assert len(await line.reader.readexactly(LARGE % 20)) == LARGE % 20


async def test_a_reader_who_has_read_all_may_wait_for_more() -> None:
    async with running(QUICK) as site:
        line = await site.dial(GET.replace(b"/ ", b"/later ") + b"\r\n")
        await (await site.dial()).ended()  # a deadline has passed meanwhile
        site.later.set()
        assert await line.answer() == (200, b"0")


HOST = b"host: localhost\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: user@a\r\n\r\n",
        b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"content-length: x\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["none", "two", "two that differ", "space", "path", "user", "two in 1.0", "lengths", "length", "text", "TLS"],
)
async def test_what_is_no_request_is_answered_by_a_problem(head: bytes) -> None:
    async with running(Bounds()) as site:
        line = await site.dial(head)
        assert await line.problem() == "bad_request"
        assert site.connections.ended == {"bad_request": 1}


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nhost:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHOST: [::1]:8000\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\nhost: a_b.example:80\r\n\r\n",
    ],
)
async def test_a_request_names_its_host_or_is_too_old_to(head: bytes) -> None:
    async with running(Bounds()) as site:
        line = await site.dial(head)
        assert await line.answer() == (200, b"0")


async def test_what_follows_a_request_that_was_refused_is_no_request() -> None:
    async with running(Bounds()) as site:
        line = await site.dial(b"GET / HTTP/1.1\r\n\r\n" + GET + b"\r\n" + b"nonsense\r\n\r\n")
        assert await line.problem() == "bad_request"
