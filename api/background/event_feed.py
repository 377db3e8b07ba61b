"""The events of all jobs as they happen, for all who follow those of an owner through this process: the store's feed is
read once for all of them, and only while somebody follows.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from api.background.change_feed import ChangeFeed, Watch
from api.background.mailbox import Mailbox
from api.http.event_stream import frame
from api.job_cache import JobCache
from jobs.errors import JobNotFound, StoreUnavailable, UnreadableRecord
from jobs.record import Job
from jobs.states import TERMINAL
from jobs.wire import JobEvent, JobProgress
from store.calls import Do
from store.feed import Feed
from store.keys import EVERYBODY

REREAD_SECONDS = 5.0
"""How often the feed is read although nobody told of a change: a message may be lost."""
PROGRESS_SECONDS = 1.0
"""How often a job's progress is told at most: many may run."""
AWAY_SECONDS = 0.5
"""Wait before a store that was away is asked again."""

log = structlog.get_logger(__name__)

Order = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Told:
    """A piece of news as it is sent on, made once for all who may hear it."""

    frame: bytes
    owner: str = EVERYBODY
    """Whose job it is about."""
    order: Order | None = None
    """Of an event: its place in the feed."""
    is_break: bool = False
    """Events are missing before the next one."""


def told_event(event: JobEvent, owner: str) -> Told:
    """An event as it is sent on."""
    return Told(frame(event.type, event.model_dump_json(), event_id=event.id), owner, order_of(event.id))


def order_of(entry: str) -> Order:
    """An entry's place in the feed."""
    first, _, second = entry.partition("-")
    return int(first), int(second)


class FeedFollower(Mailbox[Told]):
    """One who follows the jobs of an owner."""

    def __init__(self, reading: "_Reading", owner: str, *, on_overrun: Callable[[], None]) -> None:
        super().__init__(on_overrun=on_overrun)
        self._reading = reading
        self._owner = owner

    @property
    def is_served(self) -> bool:
        """Whether anything more will be heard."""
        return not self._reading.task.done()

    def sees(self, owner: str) -> bool:
        """Whether what happens to jobs of this owner is for this follower."""
        return EVERYBODY in (self._owner, owner) or owner == self._owner


class _Reading:
    """The feed, read for as long as these followers listen."""

    def __init__(self, change_feed: ChangeFeed, *, feed: Feed, job_cache: JobCache, do: Do) -> None:
        self.followers: set[FeedFollower] = set()
        self.listening = asyncio.Event()
        """Set once whatever happens is heard, or nothing will be."""
        self._change_feed = change_feed
        self._feed = feed
        self._job_cache = job_cache
        self._do = do
        self._cursor: str | None = None
        self._progressed: dict[str, str] = {}
        """Jobs whose progress is to be told, with their owners."""
        self._told: dict[str, tuple[float, JobProgress | None]] = {}
        """When, by the loop's clock, which progress of a job was told last."""
        self.task = asyncio.create_task(self._run(), name="event-feed")
        self.task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self.listening.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("event_feed_died", exc_info=error)
        for follower in self.followers:
            follower.wake()

    async def _run(self) -> None:
        while True:
            try:
                async with self._change_feed.watch(EVERYBODY) as watch:
                    if self._cursor is None:
                        self._cursor = await self._do(self._feed.position())
                    self.listening.set()
                    while True:
                        await self._read()
                        await self._look(watch)
                        await watch.wait(REREAD_SECONDS if not self._progressed else PROGRESS_SECONDS / 4)
            except StoreUnavailable:
                await asyncio.sleep(AWAY_SECONDS)

    async def _read(self) -> None:
        """Tell what the feed has that was not told."""
        assert self._cursor is not None
        while True:
            part = await self._do(self._feed.part(self._cursor))
            self._cursor = part.cursor
            if part.is_broken:
                self._cursor = await self._do(self._feed.position()) if not part.entries else part.cursor
                self._tell(Told(b"", is_break=True))
            for entry in part.entries:
                self._tell(told_event(entry.event, entry.owner))
            if not part.has_more:
                return

    async def _look(self, watch: Watch) -> None:
        """Tell how far the jobs are that have changed."""
        heard, watch.heard = watch.heard, set()
        for job_id, _, owner in (message.partition(" ") for message in heard):
            if any(follower.sees(owner) for follower in self.followers):
                self._progressed[job_id] = owner
        now = asyncio.get_running_loop().time()
        due = {
            job_id: owner
            for job_id, owner in self._progressed.items()
            if now - self._told.get(job_id, (-PROGRESS_SECONDS, None))[0] >= PROGRESS_SECONDS
        }
        for job_id in due:
            del self._progressed[job_id]
        for job_id, owner, job in zip(due, due.values(), await asyncio.gather(*map(self._job, due)), strict=True):
            self._tell_progress(job_id, owner, job, at=now)

    async def _job(self, job_id: str) -> Job | None:
        try:
            return await self._job_cache.job(job_id, EVERYBODY)
        except (JobNotFound, UnreadableRecord):
            return None

    def _tell_progress(self, job_id: str, owner: str, job: Job | None, *, at: float) -> None:
        if job is None or job.status in TERMINAL:
            self._told.pop(job_id, None)
            return
        live = JobProgress(
            job_id=job.id,
            status=job.status,
            phase=job.phase,
            queue_position=job.queue_position,
            progress=job.progress,
        )
        if self._told.get(job_id, (at, None))[1] != live:
            self._told[job_id] = (at, live)
            self._tell(Told(frame("progress", live.model_dump_json()), owner))

    def _tell(self, told: Told) -> None:
        for follower in self.followers:
            if follower.sees(told.owner):
                follower.put(told)


class EventFeed:
    """The feed of one process."""

    def __init__(self, change_feed: ChangeFeed, *, feed: Feed, job_cache: JobCache, do: Do) -> None:
        self._change_feed = change_feed
        self._read = partial(_Reading, change_feed, feed=feed, job_cache=job_cache, do=do)
        self._reading: _Reading | None = None
        self.followers = 0
        """How many there are."""

    @property
    def closing(self) -> bool:
        """Whether streams should end now: the process is about to end."""
        return self._change_feed.closing

    @asynccontextmanager
    async def follow(self, owner: str, *, on_overrun: Callable[[], None]) -> AsyncGenerator[FeedFollower]:
        """Follow the jobs of an owner. Whatever happens once this is entered is heard; one who does not take it in time
        is told by `on_overrun`, and should be let go.
        """
        if self._reading is None or self._reading.task.done():
            self._reading = self._read()
        reading = self._reading
        follower = FeedFollower(reading, owner, on_overrun=on_overrun)
        reading.followers.add(follower)
        self.followers += 1
        try:
            await reading.listening.wait()
            yield follower
        finally:
            self.followers -= 1
            reading.followers.discard(follower)
            if not reading.followers:
                # Whoever comes from now on has a reading of their own.
                if self._reading is reading:
                    self._reading = None
                reading.task.cancel()
                await asyncio.wait([reading.task])
