"""The audit log: one line for each change of status, and none for what changed nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from jobs.ids import new_job_id
from jobs.spec import Spec
from jobs.states import Reason, Status
from store.jobs import Store
from store.keys import Keys
from store.lanes import Lanes

Do = Callable[[Any], Any]
Logged = list[Any]


@pytest.fixture
def logged() -> Iterator[Logged]:
    with capture_logs() as lines:
        yield lines


def changes(logged: Logged) -> list[tuple[str, str, str]]:
    found = [line for line in logged if line["event"] == "job_status"]
    assert {line["job_owner"] for line in found} <= {"alice"}
    return [(line["before"], line["after"], line["reason"]) for line in found]


def test_a_jobs_life_is_a_line_a_change(store: Store, do: Do, logged: Logged) -> None:
    job = do(store.create(new_job_id(), Spec(), steps=1, owner="alice")).job
    do(store.pause(job.id))
    do(store.pause(job.id))
    do(store.resume(job.id))
    for token in ("t1", "t1"):
        claim = do(store.claim("w", token=token, lanes=(Lanes.ANY,)))
    do(store.requeue(job.id, claim.fence, reason=Reason.WORKER_DRAINED))
    claim = do(store.claim("w", token="t2", lanes=(Lanes.ANY,)))
    do(store.cancel(job.id))
    do(store.cancel(job.id))
    for _ in range(2):
        do(store.finish(job.id, claim.fence, Status.CANCELLED, reason=Reason.USER_REQUESTED))
    do(store.cancel(job.id))
    do(store.get(job.id))
    assert changes(logged) == [
        ("", "queued", ""),
        ("queued", "paused", "user_requested"),
        ("paused", "queued", "user_requested"),
        ("queued", "running", ""),
        ("running", "queued", "worker_drained"),
        ("queued", "running", ""),
        ("running", "cancelling", "user_requested"),
        ("cancelling", "cancelled", "user_requested"),
    ]


def test_what_the_reaper_gives_back_is_a_change(
    store: Store, do: Do, client: redis.Redis, keys: Keys, logged: Logged
) -> None:
    job = do(store.create(new_job_id(), Spec(), steps=1, owner="alice")).job
    do(store.claim("w", token="t", lanes=(Lanes.ANY,)))
    do(store.upkeep(every_seconds=0))
    client.zadd(f"{keys.namespace}:leases", {job.id: 1})
    client.hdel(f"{keys.namespace}:upkeep", "hold_until")
    do(store.upkeep(every_seconds=0))
    assert changes(logged)[-1] == ("running", "queued", "worker_lost")


def test_a_repeated_submission_is_no_change(store: Store, do: Do, logged: Logged) -> None:
    for _ in range(2):
        do(store.create(new_job_id(), Spec(), steps=1, owner="alice", idempotency_key="k", digest="d"))
    assert changes(logged) == [("", "queued", "")]
