# Made of gradientd/client/_async/streaming.py by `make client`: change it there.
"""Follows jobs by server-sent events, over as many connections as it takes."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Generic, TypeVar

import httpx
from httpx_sse import EventSource, SSEError

from gradientd.client._sync.connection import Connection
from gradientd.client._sync.runtime import Pause, sleep
from gradientd.client.errors import Refused, ServerUnreachable, UnexpectedAnswer
from gradientd.client.responses import NO_CONTENT, understood
from gradientd.client.retries import ONCE, Retries, may_pass
from jobs.record import Event
from jobs.wire import LiveProgress

PATIENCE_SECONDS = 30.0
"""How long the server may be away, as while it restarts."""
SILENCE_SECONDS = 45.0
"""A server says something every fifteen."""
SETTLED_SECONDS = 10.0
"""A connection that held so long was one, even if nothing was told on it."""
PAUSE_SECONDS = (0.2, 5.0)
"""Before the second connection, and at most before any other: twice as long each time."""
DONE = "done"

E = TypeVar("E", bound=Event)
L = TypeVar("L", bound=LiveProgress)
Told = tuple[str, E | L | None]
"""Where the stream goes on behind this, and what is told, if anything."""


class NothingMore(Exception):
    """The server has told all there is."""


class Stream(Generic[E, L]):
    """What a path of the API tells: events of the one type, and progress of the other."""

    def __init__(self, client: Connection, path: str, event: type[E], progress: type[L]) -> None:
        self._client = client
        self._path = path
        self._event = event
        self._progress = progress

    def connected(self, after: str) -> Generator[Told[E, L]]:
        """What is told behind an event, on one connection; first nothing, once it is there."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        with self._client._stream(  # pyright: ignore[reportPrivateUsage]
            self._path, headers=headers, read_seconds=SILENCE_SECONDS
        ) as answer:
            yield "", None
            with closing(self._told(answer)) as told:
                for each in told:
                    yield each

    def _told(self, answer: httpx.Response) -> Generator[Told[E, L]]:
        """What an answer tells.

        Raises NothingMore where there is nothing and never will be, UnexpectedAnswer, and what the connection raises.
        """
        if answer.status_code == NO_CONTENT:
            raise NothingMore
        try:
            for sent in EventSource(answer).iter_sse():
                if not sent.data:  # how long to wait before the next connection, say
                    yield sent.id, None
                    continue
                kind = self._progress if sent.event == "progress" else self._event
                yield sent.id, understood(answer, sent.data, kind)
        except SSEError as error:
            raise UnexpectedAnswer(
                f"{answer.request.url} did not answer as a gradientd server does: {error}"
            ) from error


def streamed(
    connected: Callable[[str], Generator[Told[E, L]]],
    *,
    after: str,
    patience_seconds: float,
    ends: bool = True,
    retries: Retries = ONCE,
    clock: Callable[[], float] = time.monotonic,
    pause: Pause = sleep,
) -> Generator[tuple[str, E | L]]:
    """What is told behind an event, connection after connection, each beside where it goes on; until the event `done`,
    where that `ends` it.

    Raises:
        Refused: there is no such job, or it may not be seen any more.
        ServerUnreachable: the server was never there, for all `retries`, or is away for longer than
            `patience_seconds`.
    """
    heard_at, has_answered, wait_seconds, attempt = clock(), False, PAUSE_SECONDS[0], 0
    while True:
        trouble: ServerUnreachable | Refused = ServerUnreachable("the server ends the stream again and again")
        began_at, is_connected, has_told = clock(), False, False
        try:
            with closing(connected(after)) as connection:
                for cursor, told in connection:
                    has_answered = is_connected = True
                    after = cursor or after
                    if told is None:
                        continue
                    has_told = True
                    yield after, told
                    if ends and isinstance(told, Event) and told.type == DONE:
                        return
        except NothingMore:
            return
        except (ServerUnreachable, Refused) as error:
            trouble = error
            if has_answered and not may_pass(error):
                raise
            if not has_answered:
                seconds = retries.pause_seconds(attempt, error)
                if seconds is None:
                    raise
                pause(seconds)
                attempt += 1
                continue
        if has_told or (is_connected and clock() - began_at >= SETTLED_SECONDS):
            heard_at, wait_seconds = clock(), PAUSE_SECONDS[0]
        if clock() - heard_at > patience_seconds:
            raise trouble
        pause(max(wait_seconds, trouble.retry_after_seconds or 0))
        wait_seconds = min(2 * wait_seconds, PAUSE_SECONDS[1])
