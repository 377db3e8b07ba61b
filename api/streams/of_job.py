"""A job's events as they are sent to one who follows it: those that are missing first, then each as it happens."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from api.background.job_feed import Follower, News
from api.http.context import RequestContext
from api.http.event_stream import RETRY, Listener, frame
from api.streams.pace import heard, kept_alive
from jobs.errors import JobNotFound, StoreUnavailable
from jobs.record import Event, Job
from jobs.states import TERMINAL
from jobs.wire import LiveProgress
from store.history import ENTRIES_PER_READ

DONE = "done"

Sent = tuple[tuple[int, int], bytes]
"""An event's id, in an order, and the event as it is sent."""


async def events_of(
    context: RequestContext, job_id: str, listener: Listener, *, after: str, first: Sequence[Event]
) -> AsyncGenerator[bytes]:
    """All that happened to a job behind the event `after`, of which `first` is known, and all that happens, until the
    job's end or that of anybody concerned. Without `done` at the end nothing is said about the job.
    """
    feed = context.services.job_feed
    async with feed.follow(job_id, collects=True, on_overrun=listener.let_go) as follower:
        yield RETRY
        # From here on all is heard; what happened before, and behind `first`, is read afterwards. The other way round
        # an event between the two would be missed.
        await follower.look()
        if follower.trouble:
            return
        cursor, known = after, list(first)
        while True:
            if known:
                yield b"".join(sent for _, sent in map(_sent, known))
                cursor = known[-1].id
                if known[-1].type == DONE:
                    return
            try:
                known = await _more(context, job_id, after=cursor)
            except (StoreUnavailable, JobNotFound):
                return
            if not known:
                break
        if follower.job:
            yield _progress(follower.job)
        live = kept_alive(_live(context, follower, listener, sent=order_of(cursor)))
        async with aclosing(live):
            async for part in live:
                yield part


async def _more(context: RequestContext, job_id: str, *, after: str) -> list[Event]:
    history = context.services.store.history
    owner = context.caller.visible_owner
    return list(await context.do(history.events(job_id, owner=owner, after=after, limit=ENTRIES_PER_READ)))


async def _live(
    context: RequestContext, follower: Follower, listener: Listener, *, sent: tuple[int, int]
) -> AsyncGenerator[bytes]:
    """What happens from now on, but for what was sent; empty where there is nothing to say."""
    async with aclosing(heard(context, follower, listener, context.services.job_feed)) as pieces:
        async for news in pieces:
            events = [(order, part) for each in news for order, part in each.encoded(_encoded) if order > sent]
            sent = events[-1][0] if events else sent
            parts = [part for _, part in events]
            if any(each.has_progressed for each in news) and news[-1].job.status not in TERMINAL:
                parts.append(news[-1].encoded(_encoded_progress))
            yield b"".join(parts)
            if any(each.events and each.events[-1].type == DONE for each in news):
                return
            if follower.trouble and not isinstance(follower.trouble, StoreUnavailable):
                return


def order_of(event_id: str) -> tuple[int, int]:
    """An event's place in its job's history; before all for ''."""
    fence, _, number = event_id.partition("-")
    return (int(fence), int(number)) if event_id else (-1, -1)


def _sent(event: Event) -> Sent:
    return order_of(event.id), frame(event.type, event.model_dump_json(), event_id=event.id)


def _encoded(news: News) -> list[Sent]:
    return [_sent(event) for event in news.events]


def _encoded_progress(news: News) -> bytes:
    return _progress(news.job)


def _progress(job: Job) -> bytes:
    live = LiveProgress(status=job.status, phase=job.phase, queue_position=job.queue_position, progress=job.progress)
    return frame("progress", live.model_dump_json())
