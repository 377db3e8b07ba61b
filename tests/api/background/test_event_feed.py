"""The feed of a process is read for those who follow, and for nobody else."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from api.background.event_feed import EventFeed
from store.keys import EVERYBODY

pytestmark = pytest.mark.anyio


def ignored() -> None:
    pass


@pytest.fixture
def feed(app: FastAPI) -> EventFeed:
    return app.state.services.event_feed


async def test_whoever_comes_while_the_last_one_leaves_has_a_reading_of_their_own(feed: EventFeed, submit: Any) -> None:
    leaving = feed.follow(EVERYBODY, on_overrun=ignored)
    await leaving.__aenter__()
    gone = asyncio.create_task(leaving.__aexit__(None, None, None))
    await asyncio.sleep(0)  # its reading ends, and has not ended yet
    async with feed.follow(EVERYBODY, on_overrun=ignored) as follower:
        await gone
        assert follower.is_served
        job_id = (await submit())["id"]
        async with asyncio.timeout(10):
            while not any(told.order and job_id.encode() in told.frame for told in follower.take()):
                await follower.wait(5)
        assert feed.followers == 1
    assert feed.followers == 0


async def test_all_followers_of_a_process_share_one_reading(feed: EventFeed, submit: Any) -> None:
    async with (
        feed.follow(EVERYBODY, on_overrun=ignored) as one,
        feed.follow(EVERYBODY, on_overrun=ignored) as two,
    ):
        await submit()
        await one.wait(5)
        await two.wait(5)
        assert one.take()[0] is two.take()[0]
