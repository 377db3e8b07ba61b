"""The events of all of a caller's jobs as they are sent: those that are missing first, then each as it happens."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

from api.background.event_feed import FeedFollower, Order, Told, order_of, told_event
from api.http.context import RequestContext
from api.http.event_stream import RETRY, Listener, frame
from api.streams.pace import heard, kept_alive
from jobs.errors import StoreUnavailable
from jobs.wire import JobEvent

READY = "ready"
"""From here on nothing is missed: whoever wants to know how the jobs stand asks for the list now."""
RESET = "reset"
"""The same, and before it events are missing that are no longer kept."""


async def events_of_all(context: RequestContext, listener: Listener, *, after: str) -> AsyncGenerator[bytes]:
    """What happened behind an entry of the feed, or with '' nothing of that; and all that happens, until the end of
    anybody concerned.
    """
    feed = context.services.event_feed
    async with feed.follow(context.caller.visible_owner, on_overrun=listener.let_go) as follower:
        yield RETRY
        try:
            position = await context.do(context.services.store.feed.position())
            if not after:
                yield _mark(READY, position)
            else:
                async with aclosing(_missed(context, after)) as missed:
                    async for reached, part in missed:
                        position = reached
                        yield part
        except StoreUnavailable:
            return
        live = kept_alive(_live(context, follower, listener, sent=order_of(position)))
        async with aclosing(live):
            async for part in live:
                yield part


async def _missed(context: RequestContext, after: str) -> AsyncGenerator[tuple[str, bytes]]:
    """What happened since, in pieces: the feed's entry that each ends with, and what is to be sent."""
    feed, owner = context.services.store.feed, context.caller.visible_owner
    while True:
        part = await context.do(feed.part(after, owner=owner))
        if part.is_broken:
            after = await context.do(feed.position())
            yield after, _mark(RESET, after)
            return
        after = part.cursor
        yield after, b"".join(told_event(event, whose).frame for event, whose in part.entries)
        if not part.has_more:
            return


async def _live(
    context: RequestContext, follower: FeedFollower, listener: Listener, *, sent: Order
) -> AsyncGenerator[bytes]:
    async with aclosing(heard(context, follower, listener, context.services.event_feed)) as pieces:
        async for news in pieces:
            if any(told.is_break for told in news):
                return  # whoever connects again is told what that means
            yield b"".join(told.frame for told in news if _is_new(told, sent))
            sent = max([sent, *(told.order for told in news if told.order)])
            if not follower.is_served:
                return


def _mark(kind: str, position: str) -> bytes:
    """What is told of no job."""
    mark = JobEvent(id=position, job_id="", job_event_id="", type=kind, at=datetime.now(UTC), data={})
    return frame(kind, mark.model_dump_json(), event_id=position)


def _is_new(told: Told, sent: Order) -> bool:
    return told.order is None or told.order > sent
