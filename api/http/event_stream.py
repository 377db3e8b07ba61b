"""Server-sent events (HTML standard, section 9.2), and the answer that sends them for as long as somebody listens."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE = b": still there\n\n"
RETRY = b"retry: 2000\n\n"
"""How long a browser waits before it connects again, in ms."""
SCOPE_ABORT = "gradientd.abort"
"""In a request's scope: ends its connection at once, whatever is still to be written."""


def frame(kind: str, data: str, *, event_id: str = "") -> bytes:
    """One event. `data` is JSON on one line; without an id it is in no replay."""
    named = f"id: {event_id}\n" if event_id else ""
    return f"{named}event: {kind}\ndata: {data}\n\n".encode()


class Listener:
    """Whoever the events are sent to."""

    def __init__(self, scope: Scope) -> None:
        self._abort: Callable[[], None] | None = scope.get(SCOPE_ABORT)
        self.gone = asyncio.Event()
        """Set once there is nobody any more."""

    def let_go(self) -> None:
        """End the connection: it takes events more slowly than they come."""
        self.gone.set()
        if self._abort:
            self._abort()


class EventStream(Response):
    """An answer of events. It ends when they do, or when nobody listens any more."""

    media_type = MEDIA_TYPE

    def __init__(self, events: Callable[[Listener], AsyncGenerator[bytes]]) -> None:
        """`events` yields one or several encoded events at a time, and looks after whether anybody is there."""
        # nginx would otherwise collect what comes.
        super().__init__(headers={"cache-control": "no-cache", "x-accel-buffering": "no", "vary": "Accept"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        listener = Listener(scope)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        watching = asyncio.create_task(_until_gone(receive, listener))
        try:
            async with aclosing(self._events(listener)) as events:
                async for part in events:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                    if listener.gone.is_set():
                        break
        finally:
            watching.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.gone.set()
