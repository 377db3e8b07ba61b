"""Calls that travel together answer each caller as if it had called alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.exceptions import ResponseError

from jobs.errors import StoreUnavailable
from jobs.settings import Settings
from jobs.spec import Spec
from store.batches import MOST_CALLS, Batches
from store.calls import Call, Operation, aconnect
from store.jobs import Store
from tests.conftest import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def asynchronous(settings: Settings, anyio_backend: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with aconnect(settings) as client:
        yield client


@pytest.fixture
def batches(asynchronous: redis.asyncio.Redis) -> Batches:
    return Batches(asynchronous)


def command(*words: str) -> Operation[Any]:
    return (yield Call(words))


async def test_each_caller_gets_its_own_reply(batches: Batches, client: redis.Redis) -> None:
    many = 10 * MOST_CALLS
    await asyncio.gather(*(batches.do(command("PING")) for _ in range(many)))  # connects
    before = client.info("stats")["total_reads_processed"]
    told = await asyncio.gather(*(batches.do(command("ECHO", str(n))) for n in range(many)))
    assert told == [str(n) for n in range(many)]
    # Ten packets, and what this test itself asks.
    assert client.info("stats")["total_reads_processed"] - before < many / 2


async def test_more_calls_than_fit_a_packet_are_all_answered(batches: Batches) -> None:
    many = 3 * MOST_CALLS + 1
    assert await asyncio.gather(*(batches.do(command("ECHO", str(n))) for n in range(many))) == list(
        map(str, range(many))
    )


async def test_one_that_fails_leaves_the_others_alone(batches: Batches) -> None:
    first, wrong, last = await asyncio.gather(
        batches.do(command("ECHO", "1")),
        batches.do(command("NO-SUCH-COMMAND")),
        batches.do(command("ECHO", "2")),
        return_exceptions=True,
    )
    assert (first, last) == ("1", "2")
    assert isinstance(wrong, ResponseError)


async def test_scripts_that_the_server_forgot_are_sent_whole(
    batches: Batches, store: Store, client: redis.Redis
) -> None:
    client.script_flush()
    ids = [f"job_{n:026}" for n in range(5)]
    made = await asyncio.gather(*(batches.do(store.create(job_id, Spec(), steps=1)) for job_id in ids))
    assert [created.job.id for created in made] == ids


async def test_one_who_waits_no_longer_leaves_the_others_alone(batches: Batches) -> None:
    given_up = asyncio.create_task(batches.do(command("ECHO", "1")))
    other = asyncio.create_task(batches.do(command("ECHO", "2")))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await other == "2"
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await batches.do(command("ECHO", "3")) == "3"


async def test_all_are_told_of_a_store_that_is_away() -> None:
    settings = Settings.model_validate({"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    async with aconnect(settings) as client:
        batches = Batches(client)
        errors = await asyncio.gather(*(batches.do(command("PING")) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in errors] == [StoreUnavailable] * 3
    assert len({id(error) for error in errors}) == 3


async def test_a_broken_connection_is_made_anew(batches: Batches, client: redis.Redis) -> None:
    number = await batches.do(command("CLIENT", "ID"))
    assert client.client_kill_filter(_id=str(number)) == 1
    assert await asyncio.gather(batches.do(command("ECHO", "1")), batches.do(command("ECHO", "2"))) == ["1", "2"]
    assert await batches.do(command("CLIENT", "ID")) != number


async def test_what_is_under_way_ends_with_it(asynchronous: redis.asyncio.Redis) -> None:
    async with Batches(asynchronous) as batches:
        waiting = asyncio.create_task(batches.do(command("BLPOP", "nothing-comes", "0")))
        await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await waiting
