"""Follows a job by server-sent events, over as many connections as it takes."""

import time
from collections.abc import Callable, Generator, Iterator

import httpx
from httpx_sse import EventSource, SSEError

from gradientd.client.errors import ServerUnreachable, UnexpectedAnswer
from gradientd.client.responses import understood
from jobs.record import Event
from jobs.wire import LiveProgress

PATIENCE_SECONDS = 30.0
"""How long the server may be away, as while it restarts."""
SILENCE_SECONDS = 45.0
"""A server says something every fifteen."""
PAUSE_SECONDS = (0.2, 5.0)
"""Before the second connection, and at most before any other: twice as long each time."""
DONE = "done"
NO_CONTENT = 204

Told = Event | LiveProgress


class NothingMore(Exception):
    """The server has told all there is."""


def events_in(answer: httpx.Response) -> Generator[Told]:
    """The events of an answer.

    Raises NothingMore where there are none and never will be, UnexpectedAnswer, and what the connection raises.
    """
    if answer.status_code == NO_CONTENT:
        raise NothingMore
    try:
        for sent in EventSource(answer).iter_sse():
            if not sent.data:  # how long to wait before the next connection, say
                continue
            yield understood(answer, sent.data, LiveProgress if sent.event == "progress" else Event)
    except SSEError as error:
        raise UnexpectedAnswer(f"{answer.request.url} did not answer as a gradientd server does: {error}") from error


def streamed(
    follow: Callable[[str], Iterator[Told]],
    *,
    after: str,
    patience_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Generator[Told]:
    """What `follow` tells behind an event, connection after connection, until it is done. See `Client.stream`."""
    heard_at, has_heard, wait_seconds = clock(), False, PAUSE_SECONDS[0]
    while True:
        trouble = ServerUnreachable("the server ends the stream again and again")
        try:
            for told in follow(after):
                heard_at, has_heard, wait_seconds = clock(), True, PAUSE_SECONDS[0]
                after = told.id if isinstance(told, Event) else after
                yield told
                if isinstance(told, Event) and told.type == DONE:
                    return
        except NothingMore:
            return
        except ServerUnreachable as error:
            trouble = error
            if not has_heard:
                raise
        if clock() - heard_at > patience_seconds:
            raise trouble
        pause(wait_seconds)
        wait_seconds = min(2 * wait_seconds, PAUSE_SECONDS[1])
