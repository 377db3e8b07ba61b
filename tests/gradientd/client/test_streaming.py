"""A job is followed over as many connections as it takes: each event once, and no end but `done`."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gradientd.client import Client, Refused, ServerUnreachable, UnexpectedAnswer
from gradientd.client.streaming import NothingMore, Told, streamed
from jobs.record import Event, Progress
from jobs.states import Status
from jobs.wire import LiveProgress
from tests.gradientd.samples import CREATED_AT, JOB_ID


def event(number: int, kind: str = "metric") -> Event:
    return Event(id=f"1-{number}", type=kind, at=CREATED_AT, data={})


def live(percent: float) -> LiveProgress:
    return LiveProgress(status=Status.RUNNING, progress=Progress(epochs=3, steps=9, percent=percent))


class Connections:
    """What each connection tells, or how it breaks; and the clock that passes meanwhile."""

    def __init__(self, *connections: list[Any]) -> None:
        self.left = list(connections)
        self.asked: list[str] = []
        self.now = 0.0
        self.waits: list[float] = []

    def follow(self, after: str) -> Iterator[Told]:
        self.asked.append(after)
        for told in self.left.pop(0):
            if isinstance(told, Exception):
                raise told
            yield told

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def all(self, *, after: str = "", patience_seconds: float = 30) -> list[Told]:
        return list(
            streamed(
                self.follow,
                after=after,
                patience_seconds=patience_seconds,
                clock=lambda: self.now,
                pause=self.pause,
            )
        )


AWAY = ServerUnreachable("away")


def test_what_breaks_off_goes_on_behind_the_last_event() -> None:
    met = Connections([event(1), live(3), AWAY], [], [AWAY], [event(2), event(3)], [event(4, "done")])
    assert met.all() == [event(1), live(3), event(2), event(3), event(4, "done")]
    assert met.asked == ["", "1-1", "1-1", "1-1", "1-3"]
    # Longer and longer, and from the beginning once something was heard.
    assert met.waits == [0.2, 0.4, 0.8, 0.2]


def test_a_server_that_knows_nothing_more_ends_it() -> None:
    assert Connections([NothingMore()]).all(after="1-9") == []


def test_patience_ends() -> None:
    met = Connections([event(1), AWAY], *[[AWAY]] * 50)
    with pytest.raises(ServerUnreachable):
        met.all(patience_seconds=20)
    assert 20 < met.now < 30
    silent = Connections([event(1)], *[[]] * 50)
    with pytest.raises(ServerUnreachable, match="again and again"):
        silent.all(patience_seconds=20)


def test_a_server_that_was_never_there_is_told_at_once() -> None:
    with pytest.raises(ServerUnreachable):
        Connections([AWAY]).all()


def test_events_are_read_as_they_are_sent() -> None:
    sent: list[httpx.Request] = []
    done = event(2, "done")
    frames = [
        "retry: 2000\n\n",
        f"id: 1-1\nevent: metric\ndata: {event(1).model_dump_json()}\n\n: still there\n\n",
        f"event: progress\ndata: {live(5).model_dump_json()}\n\n",
        f"id: 1-2\nevent: done\ndata: {done.model_dump_json()}\n\n",
    ]

    def server(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, content="".join(frames).encode(), headers={"content-type": "text/event-stream"})

    with Client("http://train.test", transport=httpx.MockTransport(server)) as client:
        assert list(client.stream(JOB_ID, after="1-0")) == [event(1), live(5), done]
    (request,) = sent
    assert (request.headers["accept"], request.headers["last-event-id"]) == ("text/event-stream", "1-0")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(404, json={"status": 404, "code": "job_not_found", "detail": "no"}), Refused),
        (httpx.Response(200, text="<html>", headers={"content-type": "text/html"}), UnexpectedAnswer),
        (
            httpx.Response(200, text="event: metric\ndata: {}\n\n", headers={"content-type": "text/event-stream"}),
            UnexpectedAnswer,
        ),
    ],
)
def test_other_answers_are_errors(answer: httpx.Response, error: type[Exception]) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    with Client("http://train.test", transport=transport) as client, pytest.raises(error):
        list(client.stream(JOB_ID))
