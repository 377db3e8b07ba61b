"""What is kept of a job is never older than the store."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI

from api.job_cache import JobCache
from jobs.errors import JobNotFound
from jobs.report import Report
from jobs.states import Reason, Status
from store.jobs import Claim, Store
from store.keys import EVERYBODY, Keys
from tests.api.conftest import Do, epoch

pytestmark = pytest.mark.anyio


@pytest.fixture
def cache(app: FastAPI) -> JobCache:
    return app.state.services.job_cache


async def test_an_unchanged_job_is_the_same_object(cache: JobCache, submit: Any) -> None:
    job_id = (await submit())["id"]
    seen = await cache.read(job_id, owner=EVERYBODY)
    assert await cache.read(job_id, owner=EVERYBODY) is seen
    assert seen.job.id == job_id


async def test_every_change_is_seen(
    cache: JobCache, submit: Any, claim: Callable[[], Claim], store: Store, do: Do
) -> None:
    job_id = (await submit())["id"]

    async def now() -> Any:
        shown = (await cache.read(job_id, owner=EVERYBODY)).job
        assert shown == do(store.get(job_id))
        return shown

    assert (await now()).status is Status.QUEUED
    fence = claim().fence
    assert (await now()).status is Status.RUNNING
    do(store.report(job_id, fence, Report(1, epochs=(epoch(1),))))
    before = await now()
    assert before.metrics.latest.epoch == 1
    do(store.beat(job_id, fence))
    after = await now()
    assert after.last_heartbeat_at >= before.last_heartbeat_at
    assert after.revision == before.revision
    do(store.finish(job_id, fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    assert (await now()).status is Status.SUCCEEDED
    do(store.delete(job_id))
    with pytest.raises(JobNotFound):
        await cache.read(job_id, owner=EVERYBODY)


async def test_a_place_in_the_queue_moves_without_a_revision(
    cache: JobCache, submit: Any, claim: Callable[[], Claim]
) -> None:
    await submit()
    job_id = (await submit())["id"]
    before = (await cache.read(job_id, owner=EVERYBODY)).job
    claim()
    after = (await cache.read(job_id, owner=EVERYBODY)).job
    assert (before.queue_position, after.queue_position) == (1, 0)
    assert before.revision == after.revision


async def test_a_worker_that_falls_silent_is_seen_without_a_write(
    cache: JobCache, submit: Any, claim: Callable[[], Claim], client: redis.Redis, keys: Keys
) -> None:
    job_id = (await submit())["id"]
    claim()
    client.hset(keys.job(job_id), "last_heartbeat_at", 1_000)
    long_ago = (await cache.read(job_id, owner=EVERYBODY)).job
    assert long_ago.responding is False
    assert (await cache.read(job_id, owner=EVERYBODY)).job is long_ago


async def test_what_one_owner_has_seen_no_other_one_sees(cache: JobCache, submit: Any) -> None:
    job_id = (await submit())["id"]
    await cache.read(job_id, owner=EVERYBODY)
    with pytest.raises(JobNotFound):
        await cache.read(job_id, owner="somebody-else")


async def test_a_record_that_was_lost_is_no_job(
    cache: JobCache, submit: Any, client: redis.Redis, keys: Keys, http: httpx.AsyncClient
) -> None:
    job_id = (await submit())["id"]
    assert (await http.get(f"/v1/jobs/{job_id}")).status_code == 200
    client.delete(keys.job(job_id))
    assert (await http.get(f"/v1/jobs/{job_id}")).status_code == 404
