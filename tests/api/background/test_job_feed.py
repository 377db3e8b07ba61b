"""Who follows a job hears each change once, and one who does not listen holds up nobody."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from api.background import job_feed, mailbox
from api.background.job_feed import JobFeed, News
from jobs.errors import JobNotFound, StoreUnavailable
from jobs.ids import new_job_id
from jobs.report import Report
from store.jobs import Claim, Store
from tests.api.conftest import Do, epoch, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def feed(app: FastAPI) -> JobFeed:
    return app.state.services.job_feed


async def test_many_followers_are_told_by_one_look(
    feed: JobFeed, submit: Any, claim: Callable[[], Claim], store: Store, do: Do
) -> None:
    job_id = (await submit())["id"]
    async with feed.follow(job_id, collects=True) as one, feed.follow(job_id, collects=True) as two:
        await one.look()
        taken = claim()
        do(store.report(job_id, taken.fence, Report(1, epochs=(epoch(1), epoch(2)))))
        events: list[str] = []
        heard: list[News] = []
        while events.count("metric") < 2:
            await one.wait(5)
            heard += one.take()
            events = [event.type for news in heard for event in news.events]
        assert events == ["status", "metric", "metric"]
        assert two.take()[-1] is heard[-1]
        assert one.job is two.job
        assert feed.followers == 2
    assert feed.followers == 0


async def test_what_is_sent_on_is_made_once() -> None:
    made: list[News] = []

    def encode(news: News) -> int:
        made.append(news)
        return len(made)

    news = News(job=None, events=(), has_progressed=False)  # pyright: ignore[reportArgumentType]
    assert [news.encoded(encode), news.encoded(encode)] == [1, 1]
    assert made == [news]


async def test_one_who_takes_nothing_is_let_go(
    feed: JobFeed,
    submit: Any,
    claim: Callable[[], Claim],
    store: Store,
    do: Do,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mailbox, "MOST_PENDING", 3)
    job_id = (await submit())["id"]
    fence = claim().fence
    let_go = asyncio.Event()
    async with feed.follow(job_id, collects=True, on_overrun=let_go.set), feed.follow(job_id, collects=True) as other:
        for number in range(1, 8):
            do(store.report(job_id, fence, Report(number, epochs=(epoch(number),))))
            await other.look()
            other.take()
        assert let_go.is_set()
        assert other.trouble is None


async def test_a_job_that_is_not_there_is_told(feed: JobFeed) -> None:
    async with feed.follow(new_job_id()) as follower:
        await follower.look()
        assert isinstance(follower.trouble, JobNotFound)
        assert follower.job is None


async def test_followers_of_a_deleted_job_are_told(feed: JobFeed, http: Any, submit: Any) -> None:
    job_id = (await submit())["id"]
    async with feed.follow(job_id) as follower:
        await follower.look()
        assert follower.trouble is None
        await http.post(f"/v1/jobs/{job_id}/cancel")
        await http.delete(f"/v1/jobs/{job_id}")
        await until(lambda: isinstance(follower.trouble, JobNotFound), what="the trouble")


async def test_a_bug_ends_the_wait_of_all(
    feed: JobFeed, submit: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = (await submit())["id"]

    async def broken(_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(feed, "_do", broken)
    async with feed.follow(job_id) as follower:
        await asyncio.wait_for(follower.look(), 5)
        assert isinstance(follower.trouble, ZeroDivisionError)
        await asyncio.wait_for(follower.look(), 5)


async def test_what_a_look_that_breaks_off_has_read_is_told_by_the_next(
    feed: JobFeed,
    submit: Any,
    claim: Callable[[], Claim],
    store: Store,
    do: Do,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_feed, "ENTRIES_PER_READ", 2)
    monkeypatch.setattr(job_feed, "AWAY_SECONDS", 0.01)
    job_id = (await submit())["id"]
    async with feed.follow(job_id, collects=True) as follower:
        await follower.look()
        follower.take()
        topic, _ = feed._topics[job_id]
        real, reads = topic._do, []

        async def breaking(operation: Any) -> Any:
            reads.append(operation.__name__)
            if operation.__name__ == "events" and reads.count("events") == 2:
                raise StoreUnavailable("away, in the middle of a history")
            return await real(operation)

        monkeypatch.setattr(topic, "_do", breaking)
        fence = claim().fence
        do(store.report(job_id, fence, Report(1, epochs=tuple(epoch(n) for n in range(1, 6)))))
        events: list[str] = []
        async with asyncio.timeout(20):
            while len(events) < 6:
                await follower.wait(5)
                events += [event.id for news in follower.take() for event in news.events]
        assert reads.count("events") > 2
    page = do(store.history.events(job_id))
    assert events == [event.id for event in page[1:]]
