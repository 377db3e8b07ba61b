"""A store that is not what we left there: its clock was set, it lost records, or a newer version wrote into it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from jobs.errors import JobNotFound, UnreadableRecord
from jobs.ids import new_job_id
from jobs.record import Job
from jobs.spec import Spec
from jobs.states import Reason, Status
from store.jobs import Claim, Filters, Store
from store.keys import Keys
from store.lanes import Lanes

Do = Callable[[Any], Any]
HOUR_MS = 3_600_000


@pytest.fixture
def submit(store: Store, do: Do) -> Callable[..., Job]:
    """Accept a job of the spec's given fields."""

    def submit(owner: str = "ann", **fields: Any) -> Job:
        return do(store.create(new_job_id(), Spec.model_validate(fields), steps=10, owner=owner)).job

    return submit


@pytest.fixture
def claim(store: Store, do: Do) -> Callable[[], Claim | None]:
    return lambda: do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))


@pytest.fixture
def set_back(client: redis.Redis, keys: Keys) -> Callable[[str], None]:
    """Set the store's clock back by an hour: for its records that is the same as if all they say lay an hour ahead."""

    def set_back(job_id: str) -> None:
        for name in ("leases", "workers"):
            key = f"{keys.namespace}:{name}"
            for member in map(str, client.zrange(key, 0, -1)):
                client.zincrby(key, HOUR_MS, member)
        records = ((keys.job(job_id), "last_heartbeat_at"), (f"{keys.namespace}:upkeep", "last_sweep_at"))
        for key, name in (*records, (f"{keys.namespace}:upkeep", "hold_until")):
            client.hset(key, name, str(int(client.hget(key, name) or 0) + HOUR_MS))

    return set_back


def test_a_clock_set_back_stops_neither_sweeps_nor_the_reaper(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys, set_back: Callable[[str], None]
) -> None:
    job = submit()
    claim()
    do(store.upkeep(every_seconds=60))
    set_back(job.id)
    # The sweep takes place although one seems to come; whoever lives gets one whole lease, and no more.
    before = int(client.time()[0] * 1000)
    assert do(store.upkeep(every_seconds=60)).given_back == ()
    lease_ends = client.zscore(f"{keys.namespace}:leases", job.id) or 0
    assert before < lease_ends <= int(client.time()[0] * 1000) + 1000 + 1000 * store.lease_seconds
    hold = int(client.hget(f"{keys.namespace}:upkeep", "hold_until") or 0)
    assert hold <= lease_ends + 1000
    client.hset(f"{keys.namespace}:upkeep", "hold_until", "1")
    client.zadd(f"{keys.namespace}:leases", {job.id: 1})
    assert do(store.upkeep(every_seconds=0)).given_back == (job.id,)


def test_a_hold_that_a_set_back_clock_left_behind_does_not_hold(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    job = submit()
    claim()
    do(store.upkeep(every_seconds=0))
    client.zadd(f"{keys.namespace}:leases", {job.id: 1})
    client.hset(f"{keys.namespace}:upkeep", "hold_until", str(client.time()[0] * 1000 + HOUR_MS))
    assert do(store.upkeep(every_seconds=0)).given_back == (job.id,)


def test_a_worker_of_a_future_hour_is_not_live_for_an_hour(
    store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    now_ms = client.time()[0] * 1000
    client.zadd(f"{keys.namespace}:workers", {"w": now_ms + HOUR_MS})
    do(store.upkeep(every_seconds=0))
    lives_until = client.zscore(f"{keys.namespace}:workers", "w") or 0
    assert now_ms < lives_until <= now_ms + 2000 + 1000 * store.lease_seconds


@pytest.mark.parametrize("shift_ms", [HOUR_MS, -HOUR_MS])
def test_running_time_is_what_passed_between_beats_however_the_clock_is_set(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys, shift_ms: int
) -> None:
    job, held = submit(), claim()
    spoke = int(client.hget(keys.job(job.id), "last_heartbeat_at") or 0)
    client.hset(keys.job(job.id), "last_heartbeat_at", spoke - 4000)
    do(store.beat(job.id, held.fence))
    client.hset(keys.job(job.id), "last_heartbeat_at", spoke - shift_ms)
    do(store.requeue(job.id, held.fence, reason=Reason.WORKER_DRAINED))
    most = 5.0 + (store.lease_seconds if shift_ms > 0 else 0)
    assert 4.0 <= claim().ran_seconds <= most


def test_a_job_without_its_record_holds_up_nobody_behind_it(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    lost, partly, behind = submit(), submit(), submit()
    client.delete(keys.job(lost.id))
    client.hdel(keys.job(partly.id), "order")
    assert claim().job.id == behind.id
    assert claim() is None
    for job in (lost, partly):
        for operation in (store.get(job.id), store.cancel(job.id), store.pause(job.id), store.delete(job.id)):
            with pytest.raises(JobNotFound):
                do(operation)


def test_a_lost_job_leaves_every_list_and_is_told_of(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    queued, paused, held = submit(priority=-1), submit(priority=-1), submit()
    claim()
    do(store.pause(paused.id))
    for job in (queued, paused, held):
        client.delete(keys.job(job.id))
    assert do(store.list(Filters(), owner="ann")).jobs == ()
    with capture_logs() as logs:
        do(store.upkeep(every_seconds=0))
    told = {entry["job_id"] for entry in logs if entry["event"] == "job_record_lost"}
    assert told == {queued.id, paused.id, held.id}
    left = [key for key in client.scan_iter(f"{keys.namespace}:*") if client.type(key) == "zset"]
    assert left == []
    assert set(do(store.trash())) == told
    # Their owner may have as many as before.
    do(store.create(new_job_id(), Spec(), steps=1, owner="ann", max_queued=1))


def test_a_final_job_whose_record_went_is_forgotten_when_it_is_due(
    submit: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    job = submit()
    do(store.cancel(job.id))
    client.delete(keys.job(job.id))
    with capture_logs() as logs:
        do(store.upkeep(every_seconds=0))
    assert do(store.trash()) == ()
    assert not [entry for entry in logs if entry["event"] == "job_record_lost"]
    client.zadd(f"{keys.namespace}:expiring", {f"{job.id}|ann": 1})
    do(store.upkeep(every_seconds=0))
    assert do(store.trash()) == (job.id,)


def test_upkeep_looks_at_every_job_in_turn(submit: Any, store: Store, do: Do, client: redis.Redis, keys: Keys) -> None:
    last = [submit() for _ in range(201)][-1]
    client.delete(keys.job(last.id))
    do(store.upkeep(every_seconds=0))
    assert do(store.trash()) == ()
    do(store.upkeep(every_seconds=0))
    assert do(store.trash()) == (last.id,)


def test_a_claim_sent_again_for_a_job_that_was_lost_since_takes_the_next(
    submit: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    lost, behind = submit(), submit()
    assert do(store.claim("w", token="t", lanes=(Lanes.ANY,))).job.id == lost.id
    client.delete(keys.job(lost.id))
    assert do(store.claim("w", token="t", lanes=(Lanes.ANY,))).job.id == behind.id


def test_fields_of_a_newer_version_are_kept_and_left_out(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    job = submit(model={"type": "mlp", "hidden": [32]}, metadata={"images_per_second": "mine"})
    key = keys.job(job.id)
    for name in ("spec", "progress"):
        client.hset(key, name, json.dumps({**json.loads(client.hget(key, name) or ""), "newer": {"x": 1}}))
    spec = json.loads(client.hget(key, "spec") or "")
    spec["model"]["newer"] = 1
    client.hset(key, mapping={"spec": json.dumps(spec), "newer": "1"})
    line = json.loads(client.hget(key, "transitions") or "")
    client.hset(key, "transitions", json.dumps({**line, "newer": 1, "reason": "newer"}) + "\n")
    read = do(store.get(job.id))
    assert (read.spec, read.progress, read.metadata) == (job.spec, job.progress, {"images_per_second": "mine"})
    assert [one.id for one in do(store.list(Filters())).jobs] == [job.id]
    held = claim()
    assert held.job.spec == job.spec
    client.hset(key, "phase", "newer")
    assert do(store.get(job.id)).phase is None
    do(store.finish(job.id, held.fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    assert json.loads(client.hget(key, "spec") or "") == spec
    assert (client.hget(key, "newer"), client.hget(key, "format")) == ("1", "1")


@pytest.mark.parametrize(
    ("field", "value"), [("format", "2"), ("spec", "{"), ("spec", '{"epochs": "many"}'), ("progress", "[]")]
)
def test_a_record_that_cannot_be_read_is_shown_as_such_and_fails_at_its_claim(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys, field: str, value: str
) -> None:
    odd, fine = submit(), submit()
    client.hset(keys.job(odd.id), field, value)
    with pytest.raises(UnreadableRecord, match=odd.id):
        do(store.get(odd.id))
    page = do(store.list(Filters(), owner="ann"))
    assert ([job.id for job in page.jobs], page.unreadable) == ([fine.id], (odd.id,))
    assert claim().job.id == fine.id
    record = client.hgetall(keys.job(odd.id))
    assert (record["status"], record["reason"], record["attempt"]) == ("failed", "unreadable_record", "1")
    assert json.loads(record["error"])["code"] == "unreadable_record"
    assert claim() is None


def test_what_repeats_without_end_keeps_its_beginning_and_its_end(
    submit: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    job = submit()
    for _ in range(150):
        do(store.pause(job.id))
        do(store.resume(job.id))
    job = do(store.get(job.id))
    assert (len(job.transitions), job.transitions_omitted) == (100, 201)
    assert [one.status for one in job.transitions[:3]] == [Status.QUEUED, Status.PAUSED, Status.QUEUED]
    assert job.transitions[-1].status is Status.QUEUED
    assert len(client.dump(keys.job(job.id)) or b"") < 40_000
    events = do(store.history.events(job.id, limit=1000))
    assert [event.data for event in events] == [one.model_dump(mode="json") for one in job.transitions]
    ids = [tuple(map(int, event.id.split("-"))) for event in events]
    assert ids == sorted(set(ids))
