"""A job is followed over as many connections as it takes: each event once, and no end but `done`."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import httpx
import pytest

from gradientd.client import Client, JobEvent, Refused, ServerUnreachable, UnexpectedAnswer
from gradientd.client._async import streaming as asynchronous
from gradientd.client._sync import streaming as synchronous
from jobs.record import Event, Progress
from jobs.states import Status
from jobs.wire import LiveProgress, Problem
from tests.gradientd.client.conftest import ClientOf
from tests.gradientd.samples import CREATED_AT, JOB_ID


def event(number: int, kind: str = "metric") -> Event:
    return Event(id=f"1-{number}", type=kind, at=CREATED_AT, data={})


def live(percent: float) -> LiveProgress:
    return LiveProgress(status=Status.RUNNING, progress=Progress(epochs=3, steps=9, percent=percent))


class NothingMore(Exception):
    """Stands for that of each client."""


class Connections:
    """What each connection tells, for how many seconds it is silent, or how it breaks; and the clock that passes."""

    def __init__(self, *connections: list[Any]) -> None:
        self.left = list(connections)
        self.asked: list[str] = []
        self.now = 0.0
        self.waits: list[float] = []

    def told(self, after: str, module: Any) -> Generator[tuple[str, Any]]:
        self.asked.append(after)
        for told in self.left.pop(0):
            if isinstance(told, NothingMore):
                raise module.NothingMore
            if isinstance(told, Exception):
                raise told
            if isinstance(told, float):
                yield "", None
                self.now += told
            else:
                yield (told.id if isinstance(told, Event) else ""), told

    def sync(self, after: str) -> Generator[tuple[str, Any]]:
        yield from self.told(after, synchronous)

    async def asynchronous(self, after: str) -> AsyncGenerator[tuple[str, Any]]:
        for told in self.told(after, asynchronous):
            yield told

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def apause(self, seconds: float) -> None:
        self.pause(seconds)


Streamed = Callable[..., list[Any]]


@pytest.fixture(params=["sync", "async"])
def streamed(request: pytest.FixtureRequest) -> Streamed:
    """All that is told over the connections, by the one client's way or the other's."""

    def of(met: Connections, *, after: str = "", patience_seconds: float = 30, ends: bool = True) -> list[Any]:
        options: dict[str, Any] = {
            "after": after,
            "patience_seconds": patience_seconds,
            "ends": ends,
            "clock": lambda: met.now,
        }
        if request.param == "sync":
            return [told for _, told in synchronous.streamed(met.sync, pause=met.pause, **options)]

        async def all_of_it() -> list[Any]:
            told = asynchronous.streamed(met.asynchronous, pause=met.apause, **options)
            return [each async for _, each in told]

        return asyncio.run(all_of_it())

    return of


AWAY = ServerUnreachable("away")


def test_what_breaks_off_goes_on_behind_the_last_event(streamed: Streamed) -> None:
    met = Connections([event(1), live(3), AWAY], [], [AWAY], [event(2), event(3)], [event(4, "done")])
    assert streamed(met) == [event(1), live(3), event(2), event(3), event(4, "done")]
    assert met.asked == ["", "1-1", "1-1", "1-1", "1-3"]
    # Longer and longer, and from the beginning once something was heard.
    assert met.waits == [0.2, 0.4, 0.8, 0.2]


def test_a_server_that_knows_nothing_more_ends_it(streamed: Streamed) -> None:
    assert streamed(Connections([NothingMore()]), after="1-9") == []


def test_patience_ends(streamed: Streamed) -> None:
    met = Connections([event(1), AWAY], *[[AWAY]] * 50)
    with pytest.raises(ServerUnreachable):
        streamed(met, patience_seconds=20)
    assert 20 < met.now < 30
    silent = Connections([event(1)], *[[]] * 50)
    with pytest.raises(ServerUnreachable, match="again and again"):
        streamed(silent, patience_seconds=20)


def test_a_job_that_is_silent_for_long_is_not_a_server_that_is_away(streamed: Streamed) -> None:
    met = Connections([event(1), 600.0, AWAY], [AWAY], [event(2, "done")])
    assert streamed(met, patience_seconds=20) == [event(1), event(2, "done")]
    queued = Connections([600.0], [AWAY], [event(1, "done")])
    assert streamed(queued, patience_seconds=20) == [event(1, "done")]


def test_a_server_that_was_never_there_is_told_at_once(streamed: Streamed) -> None:
    with pytest.raises(ServerUnreachable):
        streamed(Connections([AWAY]))


def test_a_server_that_has_too_much_to_do_is_asked_when_it_says(streamed: Streamed) -> None:
    many = Problem.model_validate(
        {"status": 429, "type": "", "title": "", "detail": "", "instance": "", "code": "", "request_id": ""}
    )
    met = Connections([event(1)], [Refused(many, retry_after_seconds=7)], [event(2, "done")])
    assert streamed(met) == [event(1), event(2, "done")]
    assert met.waits == [0.2, 7]


def test_the_end_of_one_job_is_not_that_of_all(streamed: Streamed) -> None:
    met = Connections([event(1, "done"), event(2)], [NothingMore()])
    assert streamed(met, ends=False) == [event(1, "done"), event(2)]


# --- over HTTP ----------------------------------------------------------------------------------------

FRAMES = (
    "retry: 2000\n\n",
    f"id: 1-1\nevent: metric\ndata: {event(1).model_dump_json()}\n\n: still there\n\n",
    f"event: progress\ndata: {live(5).model_dump_json()}\n\n",
    f"id: 1-2\nevent: done\ndata: {event(2, 'done').model_dump_json()}\n\n",
)
STREAM = {"content-type": "text/event-stream"}


def test_events_are_read_as_they_are_sent(client_of: ClientOf) -> None:
    sent: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, content="".join(FRAMES).encode(), headers=STREAM)

    with client_of(server) as client:
        told = list(client.events(JOB_ID, after="1-0", progress=True))
        assert told == [event(1), live(5), event(2, "done")]
        assert list(client.events(JOB_ID)) == [event(1), event(2, "done")]
    assert (sent[0].headers["accept"], sent[0].headers["last-event-id"]) == ("text/event-stream", "1-0")
    assert "last-event-id" not in sent[1].headers


def test_what_breaks_off_is_asked_for_again(client_of: ClientOf) -> None:
    asked: list[str | None] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id"))
        part = FRAMES[:3] if len(asked) == 1 else FRAMES[3:]
        return httpx.Response(200, content="".join(part).encode(), headers=STREAM)

    with client_of(server) as client:
        assert list(client.events(JOB_ID)) == [event(1), event(2, "done")]
    assert asked == [None, "1-1"]


def test_all_jobs_events_go_on_behind_the_last_one(client_of: ClientOf) -> None:
    asked: list[tuple[str, str | None]] = []

    def sent(n: int, kind: str, **about: Any) -> str:
        told = event(1, kind).model_dump(mode="json") | {"id": f"77-{n}", "job_event_id": "1-1", **about}
        return f"id: 77-{n}\nevent: {kind}\ndata: {json.dumps(told)}\n\n"

    def server(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, request.headers.get("last-event-id")))
        if len(asked) > 3:
            return httpx.Response(204)
        live_one = live(5).model_dump(mode="json") | {"job_id": JOB_ID}
        frames = [f"event: progress\ndata: {json.dumps(live_one)}\n\n"]
        frames += [sent(1, "ready", job_id="", job_event_id="")] if len(asked) == 1 else []
        frames += [sent(2, "done", job_id=JOB_ID, colour="blue")] if len(asked) == 2 else []
        frames += [sent(9, "reset", job_id="", job_event_id="")] if len(asked) == 3 else []
        return httpx.Response(200, content="".join(frames).encode(), headers=STREAM)

    with client_of(server) as client:
        told = list(client.all_events())
    assert all(isinstance(each, JobEvent) for each in told)
    assert [(each.id, each.job_id, each.type) for each in told] == [("77-2", JOB_ID, "done"), ("77-9", "", "reset")]
    assert asked == [("/v1/events", None), ("/v1/events", "77-1"), ("/v1/events", "77-2"), ("/v1/events", "77-9")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((404, {"json": {"status": 404, "code": "job_not_found", "detail": "no"}}), Refused),
        ((200, {"text": "<html>", "headers": {"content-type": "text/html"}}), UnexpectedAnswer),
        ((200, {"text": "event: metric\ndata: {}\n\n", "headers": STREAM}), UnexpectedAnswer),
    ],
)
def test_other_answers_are_errors(
    client_of: ClientOf, answer: tuple[int, dict[str, Any]], error: type[Exception]
) -> None:
    with (
        client_of(lambda _: httpx.Response(answer[0], **answer[1])) as client,
        pytest.raises(error),
    ):
        list(client.events(JOB_ID))


def test_who_stops_listening_leaves_no_connection(make: type[Client]) -> None:
    closed: list[bool] = []

    class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Generator[bytes]:
            for frame in FRAMES[:2]:
                yield frame.encode()

        async def __aiter__(self) -> AsyncGenerator[bytes]:
            for frame in FRAMES[:2]:
                yield frame.encode()

        def close(self) -> None:
            closed.append(True)

        async def aclose(self) -> None:
            closed.append(True)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Body(), headers=STREAM))
    with make("http://train.test", transport=transport) as client:
        told = client.events(JOB_ID)
        assert next(told) == event(1)
        assert not closed
        told.close()
        assert closed == [True]
