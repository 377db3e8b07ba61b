"""Reading only what changed, and waiting for it."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI

from api.background import job_feed
from api.http import conditional
from jobs.report import Report
from jobs.states import Phase, Reason, Status
from store.jobs import Claim, Store
from store.keys import Keys
from tests.api.conftest import Do, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def waiting(http: httpx.AsyncClient, client: redis.Redis, keys: Keys) -> Callable[..., Any]:
    """Ask for a job's next change; gives the request under way once it waits."""

    async def waiting(job_id: str, **headers: str) -> asyncio.Task[httpx.Response]:
        channel = keys.changes(job_id)
        task = asyncio.create_task(http.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=30", **headers}))
        await until(lambda: client.pubsub_numsub(channel)[0][1] == 1, what="the subscription")
        return task

    return waiting


async def test_unchanged_is_304_and_changed_is_200(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim]
) -> None:
    path = f"/v1/jobs/{(await submit())['id']}"
    first = await http.get(path)
    tag = first.headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = await http.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert (await http.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    claim()
    answer = await http.get(path, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()["status"]) == (200, "running")


async def test_a_moved_place_in_the_queue_is_no_304(http: httpx.AsyncClient, submit: Any) -> None:
    first, second = await submit(), await submit()
    path = f"/v1/jobs/{second['id']}"
    tag = (await http.get(path)).headers["etag"]
    await http.post(f"/v1/jobs/{first['id']}/cancel")
    answer = await http.get(path, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert (answer.json()["queue_position"], answer.json()["revision"]) == (0, second["revision"])


async def test_a_heartbeat_is_no_304(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], client: redis.Redis, keys: Keys
) -> None:
    path = f"/v1/jobs/{(await submit())['id']}"
    held = claim()
    before = await http.get(path)
    client.hset(keys.job(held.job.id), "last_heartbeat_at", 1)
    after = await http.get(path, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert (before.json()["responding"], after.json()["responding"]) == (True, False)
    assert before.json()["revision"] == after.json()["revision"]


async def test_the_answer_to_a_submission_has_the_same_tag(http: httpx.AsyncClient) -> None:
    created = await http.post("/v1/jobs")
    read = await http.get(created.headers["location"], headers={"If-None-Match": created.headers["etag"]})
    assert read.status_code == 304


async def test_a_waiting_reader_is_woken_by_each_change(
    submit: Any, waiting: Any, claim: Callable[[], Claim], store: Store, do: Do
) -> None:
    job = await submit()
    task = await waiting(job["id"])
    held = claim()
    answer = await asyncio.wait_for(task, 5)
    assert (answer.json()["status"], answer.headers["preference-applied"]) == ("running", "wait=30")

    task = await waiting(job["id"], **{"If-None-Match": answer.headers["etag"]})
    do(store.report(job["id"], held.fence, Report(1, phase=Phase.TRAINING)))
    answer = await asyncio.wait_for(task, 5)
    assert (answer.status_code, answer.json()["phase"]) == (200, "training")

    task = await waiting(job["id"])
    do(store.finish(job["id"], held.fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    assert (await asyncio.wait_for(task, 5)).json()["status"] == "succeeded"


async def test_a_change_before_the_wait_is_answered_at_once(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim]
) -> None:
    path = f"/v1/jobs/{(await submit())['id']}"
    tag = (await http.get(path)).headers["etag"]
    claim()
    async with asyncio.timeout(5):
        answer = await http.get(path, headers={"If-None-Match": tag, "Prefer": "wait=60"})
    assert answer.json()["status"] == "running"


async def test_a_final_job_is_not_waited_for(http: httpx.AsyncClient, submit: Any) -> None:
    path = f"/v1/jobs/{(await submit())['id']}"
    await http.post(f"{path}/cancel")
    async with asyncio.timeout(5):
        answer = await http.get(path, headers={"Prefer": "wait=60"})
        again = await http.get(path, headers={"Prefer": "wait=60", "If-None-Match": answer.headers["etag"]})
    assert (answer.status_code, again.status_code) == (200, 304)


async def test_a_wait_ends_with_its_time(http: httpx.AsyncClient, submit: Any) -> None:
    path = f"/v1/jobs/{(await submit())['id']}"
    tag = (await http.get(path)).headers["etag"]
    answer = await http.get(path, headers={"Prefer": "respond-async, wait=1", "If-None-Match": tag})
    assert (answer.status_code, answer.headers["preference-applied"]) == (304, "wait=1")


async def test_a_moved_place_in_the_queue_ends_a_wait(
    http: httpx.AsyncClient, submit: Any, waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_feed, "REREAD_QUEUED_SECONDS", 0.02)
    first, second = await submit(), await submit()
    task = await waiting(second["id"])
    await http.post(f"/v1/jobs/{first['id']}/cancel")
    assert (await asyncio.wait_for(task, 5)).json()["queue_position"] == 0


async def test_many_readers_share_one_subscriber(
    http: httpx.AsyncClient, submit: Any, client: redis.Redis, keys: Keys, claim: Callable[[], Claim]
) -> None:
    job = await submit()
    other = await submit(device="gpu", wait_for_device=True)  # a queue of its own
    path = f"/v1/jobs/{job['id']}"
    tags = [(await http.get(f"/v1/jobs/{it['id']}")).headers["etag"] for it in (job, other)]
    tasks = [
        asyncio.create_task(http.get(path, headers={"Prefer": "wait=30", "If-None-Match": tags[0]})) for _ in range(100)
    ]
    known = {"Prefer": "wait=30", "If-None-Match": tags[1]}
    tasks.append(asyncio.create_task(http.get(f"/v1/jobs/{other['id']}", headers=known)))
    channels = [keys.changes(job["id"]), keys.changes(other["id"])]
    await until(lambda: [n for _, n in client.pubsub_numsub(*channels)] == [1, 1], what="both subscriptions")
    claim()
    await http.post(f"/v1/jobs/{other['id']}/cancel")
    answers = await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert [answer.json()["status"] for answer in answers] == ["running"] * 100 + ["cancelled"]
    await until(lambda: [n for _, n in client.pubsub_numsub(*channels)] == [0, 0], what="no subscription left")


async def test_a_broken_subscription_is_made_anew(
    submit: Any, waiting: Any, client: redis.Redis, claim: Callable[[], Claim], keys: Keys
) -> None:
    job = await submit()
    task = await waiting(job["id"])
    for row in client.client_list(_type="pubsub"):
        client.client_kill_filter(_id=row["id"])
    await until(lambda: client.pubsub_numsub(keys.changes(job["id"]))[0][1] == 1, what="the new subscription")
    claim()
    assert (await asyncio.wait_for(task, 5)).json()["status"] == "running"


async def test_waiting_readers_are_let_go_when_the_process_ends(app: FastAPI, submit: Any, waiting: Any) -> None:
    task = await waiting((await submit())["id"])
    app.state.services.change_feed.close()
    assert (await asyncio.wait_for(task, 5)).status_code == 200


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 0),
        ("wait=5", 5),
        ("WAIT = 5 , return=minimal", 5),
        ('respond-async; x=1, wait="7"', 7),
        ("wait=9999", 60),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("await=5", 0),
        ("wait=" + "9" * 5000, 0),
    ],
)
async def test_preferences(prefer: str, seconds: int) -> None:
    assert conditional.wait_seconds(prefer) == seconds
