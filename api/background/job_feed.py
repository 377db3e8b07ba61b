"""Jobs as they change, for all who follow them through this process: the store is read once for each change of a job,
however many follow it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import structlog

from api.background.change_feed import ChangeFeed, Watch
from api.background.mailbox import Mailbox
from jobs.errors import JobNotFound, StoreUnavailable, UnreadableRecord
from jobs.record import Event, Job
from jobs.states import Status
from store.calls import Do
from store.history import ENTRIES_PER_READ, History
from store.jobs import Store

T = TypeVar("T")

REREAD_SECONDS = 5.0
"""How often a job is looked at although nobody told of a change: a message may be lost."""
REREAD_QUEUED_SECONDS = 1.0
"""The same while it waits: its place in the queue moves without telling."""
AWAY_SECONDS = 0.5
"""Wait before a store that was away is asked again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class News:
    """What one look at a job has found."""

    job: Job
    events: tuple[Event, ...]
    """Those since the look before, oldest first."""
    has_progressed: bool
    """Whether its progress or its phase is another one."""

    def encoded(self, by: "Callable[[News], T]") -> T:
        """What all followers send on, made once for all of them."""
        if by not in self._made:
            self._made[by] = by(self)
        return self._made[by]

    @cached_property
    def _made(self) -> dict[Any, Any]:
        return {}


class Follower(Mailbox[News]):
    """One who follows a job."""

    def __init__(self, topic: "_Topic", *, collects: bool, on_overrun: Callable[[], None]) -> None:
        super().__init__(on_overrun=on_overrun)
        self._topic = topic
        self._collects = collects

    @property
    def job(self) -> Job | None:
        """The job as it was seen last; None before the first look."""
        return self._topic.job

    @property
    def trouble(self) -> BaseException | None:
        """Why the last look saw nothing: the store is away, or has no such job any more."""
        return self._topic.trouble

    def hear(self, news: News) -> None:
        """Take note of a look."""
        if self._collects:
            self.put(news)
        else:
            self.wake()

    async def look(self) -> None:
        """Return once the job was looked at in a look that began after this call, or could not be."""
        await self._topic.look()


class _Topic:
    """A job that is followed."""

    def __init__(self, job_id: str, *, change_feed: ChangeFeed, store: Store, do: Do) -> None:
        self.followers: set[Follower] = set()
        self.job: Job | None = None
        self.trouble: BaseException | None = None
        self._job_id = job_id
        self._change_feed = change_feed
        self._store = store
        self._history: History = store.history
        self._do = do
        self._cursor: str | None = None
        self._begun = 0
        self._is_over = False
        self._awaited: list[tuple[int, asyncio.Future[None]]] = []
        """Who waits for a look, and of which number at least."""
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Look at the job at each change, until cancelled."""
        while True:
            try:
                async with self._change_feed.watch(self._job_id) as watch:
                    await self._look_on(watch)
            except (StoreUnavailable, JobNotFound, UnreadableRecord) as error:
                self._tell(error)
                await asyncio.sleep(AWAY_SECONDS)

    async def look(self) -> None:
        """See `Follower.look`."""
        if self._is_over:
            return
        done = asyncio.get_running_loop().create_future()
        self._awaited.append((self._begun + 1, done))
        self._wanted.set()
        await done

    async def _look_on(self, watch: Watch) -> None:
        if self._cursor is None:
            self._cursor = await self._do(self._history.last_event(self._job_id))
        while True:
            self._wanted.clear()
            self._begun += 1
            await self._look()
            is_queued = self.job is not None and self.job.status is Status.QUEUED
            await self._next(watch, REREAD_QUEUED_SECONDS if is_queued else REREAD_SECONDS)

    async def _next(self, watch: Watch, seconds: float) -> None:
        """Return at the next change, or when a look is wanted, or after so long."""
        waits = [asyncio.ensure_future(watch.wait(seconds)), asyncio.ensure_future(self._wanted.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _look(self) -> None:
        job = await self._do(self._store.get(self._job_id))
        events: list[Event] = []
        assert self._cursor is not None
        cursor = self._cursor
        while True:
            page = await self._do(self._history.events(self._job_id, after=cursor, limit=ENTRIES_PER_READ))
            events += page
            cursor = page[-1].id if page else cursor
            if len(page) < ENTRIES_PER_READ:
                break
        # Not before: of a look that the store breaks off nobody has heard anything.
        self._cursor = cursor
        before, self.job = self.job, job
        has_progressed = before is None or (before.progress, before.phase) != (job.progress, job.phase)
        self._tell(None, News(job, tuple(events), has_progressed))

    def on_end(self, task: asyncio.Task[None]) -> None:
        """Nobody looks any more."""
        self._is_over = True
        if not task.cancelled() and (error := task.exception()):
            log.error("job_feed_died", job_id=self._job_id, exc_info=error)
            self._begun += 1
            self._tell(error)

    def _tell(self, trouble: BaseException | None, news: News | None = None) -> None:
        self.trouble = trouble
        for follower in self.followers:
            if news:
                follower.hear(news)
            else:
                follower.wake()
        waiting, self._awaited = self._awaited, []
        for number, done in waiting:
            if number > self._begun:
                self._awaited.append((number, done))
            elif not done.done():
                done.set_result(None)


class JobFeed:
    """The topics of one process."""

    def __init__(self, change_feed: ChangeFeed, *, store: Store, do: Do) -> None:
        self._change_feed = change_feed
        self._store = store
        self._do = do
        self._topics: dict[str, tuple[_Topic, asyncio.Task[None]]] = {}
        self.followers = 0
        """How many there are, of all jobs."""

    @property
    def closing(self) -> bool:
        """Whether whoever waits should answer now: the process is about to end."""
        return self._change_feed.closing

    @asynccontextmanager
    async def follow(
        self, job_id: str, *, collects: bool = False, on_overrun: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Follower]:
        """Follow a job that is there. What happens from now on is heard, with `collects` in each single look; one who
        does not take that in time is told by `on_overrun`, and should be let go.
        """
        if job_id not in self._topics or self._topics[job_id][1].done():
            topic = _Topic(job_id, change_feed=self._change_feed, store=self._store, do=self._do)
            task = asyncio.create_task(topic.run(), name=f"follow-{job_id}")
            task.add_done_callback(topic.on_end)
            self._topics[job_id] = (topic, task)
        topic, task = self._topics[job_id]
        follower = Follower(topic, collects=collects, on_overrun=on_overrun)
        topic.followers.add(follower)
        self.followers += 1
        try:
            yield follower
        finally:
            self.followers -= 1
            topic.followers.discard(follower)
            if not topic.followers:
                if self._topics.get(job_id) == (topic, task):
                    del self._topics[job_id]
                task.cancel()
                await asyncio.wait([task])
