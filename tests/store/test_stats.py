"""What is counted of all jobs: each change once, whoever repeats what."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import redis

from jobs.errors import StaleFence
from jobs.ids import new_job_id
from jobs.record import EpochMetrics, Job, JobError
from jobs.report import Report
from jobs.spec import Spec
from jobs.states import TERMINAL, Phase, Reason, Status
from store.buckets import Histogram
from store.jobs import Claim, Store
from store.keys import Keys
from store.lanes import Lanes
from store.stats import ENDS, Stats, read_stats

Do = Callable[[Any], Any]
STALLED = JobError(code="stalled", title="Stalled", detail="it hung")


@pytest.fixture
def submit(store: Store, do: Do) -> Callable[..., Job]:
    """Accept a job of the spec's given fields, of 100 training examples."""

    def submit(key: str = "", **fields: Any) -> Job:
        spec = Spec.model_validate(fields)
        return do(store.create(new_job_id(), spec, steps=10, train_examples=100, idempotency_key=key)).job

    return submit


@pytest.fixture
def claim(store: Store, do: Do) -> Callable[..., Claim]:
    return lambda token="": do(store.claim("w", token=token or new_job_id(), lanes=Lanes.served_by(gpus=1)))


@pytest.fixture
def stats(keys: Keys, do: Do) -> Callable[[], Stats]:
    return lambda: do(read_stats(keys))


@pytest.fixture
def set_back(client: redis.Redis, keys: Keys) -> Callable[..., None]:
    """Have what a job's record says have happened so many milliseconds earlier."""

    def set_back(job: Job, *, queued: int = 0, spoke: int = 0) -> None:
        key = keys.job(job.id)
        at = round(job.transitions[-1].at.timestamp() * 1000)
        before, _, after = str(client.hget(key, "transitions")).rpartition(str(at))
        client.hset(key, "transitions", f"{before}{at - queued}{after}")
        if spoke:
            client.hincrby(key, "last_heartbeat_at", -spoke)

    return set_back


@pytest.fixture
def lose(client: redis.Redis, keys: Keys, store: Store, do: Do) -> Callable[[Job], None]:
    """Let a job's lease end, and sweep twice."""

    def lose(job: Job) -> None:
        do(store.upkeep(every_seconds=0))
        client.hset(f"{keys.namespace}:upkeep", "hold_until", "1")
        client.zadd(f"{keys.namespace}:leases", {job.id: 1})
        assert do(store.upkeep(every_seconds=0)).given_back == (job.id,)
        assert do(store.upkeep(every_seconds=0)).given_back == ()

    return lose


def epoch(number: int, seconds: float = 0.1) -> EpochMetrics:
    return EpochMetrics(
        epoch=number,
        step=number * 5,
        loss=1 / number,
        accuracy=0.5,
        val_loss=1.0,
        val_accuracy=0.5,
        learning_rate=0.1,
        seconds=seconds,
        examples_per_second=1.0,
    )


def count(histogram: Histogram) -> int:
    """How many durations it has."""
    return histogram.buckets[-1][1]


def only_bucket(histogram: Histogram) -> float:
    """The bound of the one bucket in which all durations are."""
    (found,) = [bound for (_, before), (bound, so_far) in pairwise([(0.0, 0), *histogram.buckets]) if so_far > before]
    return found


def happened(counted: Stats) -> dict[tuple[str, str], int]:
    """The ends that there were."""
    return {end: number for end, number in counted.finished.items() if number}


def test_a_store_in_which_nothing_was_counted_has_zeros(stats: Callable[[], Stats]) -> None:
    nothing = stats()
    assert nothing.jobs == {status.value: 0 for status in Status}
    assert set(nothing.waiting) >= {"any", "gpu", "gpu:0"}
    assert set(nothing.waiting.values()) == {0}
    assert (nothing.submitted, nothing.lost, nothing.trained_examples) == (0, 0, 0)
    assert set(nothing.finished.values()) == set(nothing.lease_losses.values()) == {0}
    assert set(nothing.running) == set(TERMINAL)
    for histogram in (nothing.queue_wait, nothing.epochs, *nothing.running.values()):
        assert (count(histogram), histogram.seconds) == (0, 0.0)


def test_ends_and_losses_are_known_before_they_happen() -> None:
    """All reasons but that of a job which was handed back, and is not at an end."""
    assert set(ENDS) == TERMINAL
    reasons = [reason for reasons in ENDS.values() for reason in reasons]
    assert sorted(reasons) == sorted(set(Reason) - {Reason.WORKER_DRAINED})


def test_jobs_are_counted_by_status_and_lane(
    submit: Any, claim: Any, store: Store, do: Do, stats: Callable[[], Stats]
) -> None:
    for device in ("cpu", "auto", "gpu", "gpu:3", "cpu"):
        submit(device=device)
    do(store.pause(submit().id))
    claim()
    found = stats()
    assert found.jobs == {**dict.fromkeys(Status, 0), "queued": 4, "running": 1, "paused": 1}
    waiting = {lane: number for lane, number in found.waiting.items() if number}
    assert waiting == {"any": 2, "gpu": 1, "gpu:3": 1}
    assert found.submitted == 6


def test_what_is_submitted_again_is_no_job_more(store: Store, do: Do, submit: Any, stats: Callable[[], Stats]) -> None:
    job_id = new_job_id()
    for _ in range(3):
        submit(key="k")
        do(store.create(job_id, Spec(), steps=10))
    assert stats().submitted == 2


def test_a_whole_life_is_counted_once(
    submit: Any, claim: Any, store: Store, do: Do, stats: Callable[[], Stats], set_back: Callable[..., None]
) -> None:
    job = submit()
    set_back(job, queued=700)
    held = [claim("t") for _ in range(2)][-1]
    for _ in range(2):
        do(store.report(job.id, held.fence, Report(1, phase=Phase.TRAINING, epochs=(epoch(1, 0.3), epoch(2, 0.4)))))
    do(store.report(job.id, held.fence, Report(2, epochs=(epoch(2, 0.4), epoch(3, 2.5)))))
    set_back(job, spoke=4000)
    for _ in range(2):
        do(store.finish(job.id, held.fence, Status.SUCCEEDED, reason=Reason.EARLY_STOPPED))
    with pytest.raises(StaleFence):
        do(store.finish(job.id, held.fence, Status.FAILED, reason=Reason.TRAINING_ERROR))
    found = stats()
    assert happened(found) == {("succeeded", "early_stopped"): 1}
    assert (count(found.queue_wait), only_bucket(found.queue_wait)) == (1, 1.0)
    assert 0.7 <= found.queue_wait.seconds < 1.0
    assert found.trained_examples == 300
    assert found.epochs.seconds == pytest.approx(3.2)
    assert dict(found.epochs.buckets)[0.5] == 2
    assert dict(found.epochs.buckets)[2.5] == dict(found.epochs.buckets)[math.inf] == 3
    running = found.running["succeeded"]
    assert (count(running), only_bucket(running)) == (1, 5.0)
    assert 4.0 <= running.seconds < 5.0
    assert count(found.running["failed"]) == 0


def test_each_wait_in_the_queue_is_counted(
    submit: Any, claim: Any, store: Store, do: Do, stats: Callable[[], Stats], set_back: Callable[..., None]
) -> None:
    job = submit()
    held = claim()
    assert do(store.requeue(job.id, held.fence, reason=Reason.WORKER_DRAINED)) is Status.QUEUED
    set_back(do(store.get(job.id)), queued=100_000)
    held = claim()
    for _ in range(2):
        do(store.pause(job.id))
    do(store.requeue(job.id, held.fence, reason=Reason.USER_REQUESTED))
    set_back(do(store.get(job.id)), queued=5_000_000)  # paused, which is no waiting
    for _ in range(2):
        do(store.resume(job.id))
    claim()
    waited = stats().queue_wait
    assert count(waited) == 3
    assert 100 <= waited.seconds < 130
    assert stats().lease_losses == {"worker_lost": 0, "stalled": 0}
    assert happened(stats()) == {}


def test_a_clock_that_was_set_back_makes_no_wait_negative(
    submit: Any, claim: Any, stats: Callable[[], Stats], set_back: Callable[..., None]
) -> None:
    set_back(submit(), queued=-3_600_000)
    claim()
    assert (only_bucket(stats().queue_wait), stats().queue_wait.seconds) == (0.01, 0.0)


def test_leases_are_lost_by_reason_and_end_a_job_once(
    submit: Any, claim: Any, store: Store, do: Do, stats: Callable[[], Stats], lose: Callable[[Job], None]
) -> None:
    job = submit(max_attempts=3)
    claim()
    lose(job)
    held = claim()
    assert do(store.requeue(job.id, held.fence, reason=Reason.STALLED, error=STALLED)) is Status.QUEUED
    with pytest.raises(StaleFence):
        do(store.requeue(job.id, held.fence, reason=Reason.STALLED, error=STALLED))
    assert happened(stats()) == {}
    claim()
    lose(job)
    assert stats().lease_losses == {"worker_lost": 2, "stalled": 1}
    assert happened(stats()) == {("failed", "worker_lost"): 1}
    assert count(stats().running["failed"]) == 1


def test_a_lost_worker_of_a_cancelled_job_is_a_loss_and_a_cancellation(
    submit: Any, claim: Any, store: Store, do: Do, stats: Callable[[], Stats], lose: Callable[[Job], None]
) -> None:
    job = submit()
    claim()
    do(store.cancel(job.id))
    lose(job)
    assert stats().lease_losses["worker_lost"] == 1
    assert happened(stats()) == {("cancelled", "user_requested"): 1}


def test_a_job_that_no_worker_had_has_no_running_time(
    submit: Any, store: Store, do: Do, stats: Callable[[], Stats]
) -> None:
    for _ in range(2):
        job = submit()
        for _ in range(2):
            do(store.cancel(job.id))
    assert happened(stats()) == {("cancelled", "user_requested"): 2}
    assert count(stats().running["cancelled"]) == count(stats().queue_wait) == 0


def test_what_was_counted_outlasts_the_jobs(
    submit: Any, claim: Any, store: Store, do: Do, stats: Callable[[], Stats]
) -> None:
    job, fence = submit(), claim().fence
    do(store.report(job.id, fence, Report(1, epochs=(epoch(1),))))
    do(store.finish(job.id, fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    before = stats()
    do(store.delete(job.id))
    after = stats()
    assert set(after.jobs.values()) == {0}
    assert (after.submitted, after.finished, after.epochs) == (before.submitted, before.finished, before.epochs)


def test_a_record_that_the_store_lost_is_counted_once(
    submit: Any, claim: Any, store: Store, do: Do, stats: Callable[[], Stats], client: redis.Redis, keys: Keys
) -> None:
    client.delete(keys.job(submit().id))
    for _ in range(2):
        assert claim() is None
        do(store.upkeep(every_seconds=0))
    assert stats().lost == 1


def test_jobs_of_older_versions_are_counted_as_far_as_they_tell(
    submit: Any, claim: Any, store: Store, do: Do, stats: Callable[[], Stats], client: redis.Redis, keys: Keys
) -> None:
    job, fence = submit(), claim().fence
    client.delete(f"{keys.namespace}:stats")
    client.hdel(keys.job(job.id), "train_examples", "ran_ms")
    do(store.report(job.id, fence, Report(1, epochs=(epoch(1),))))
    do(store.finish(job.id, fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    found = stats()
    assert (found.submitted, found.trained_examples, count(found.epochs)) == (0, 0, 1)
    assert happened(found) == {("succeeded", "completed"): 1}


@pytest.mark.parametrize("damage", ["another type", "no numbers", "at the end of numbers"])
def test_no_job_fails_for_what_cannot_be_counted(
    submit: Any,
    claim: Any,
    store: Store,
    do: Do,
    stats: Callable[[], Stats],
    client: redis.Redis,
    keys: Keys,
    damage: str,
) -> None:
    name = f"{keys.namespace}:stats"
    if damage == "another type":
        client.set(name, "x")
    else:
        value = "many" if damage == "no numbers" else str(2**63 - 1)
        names = ("submitted", "trained_examples", "queue_wait:0.01", "queue_wait:microseconds", "epoch:0.1", "epoch:x")
        client.hset(name, mapping=dict.fromkeys(names, value))
    job, fence = submit(), claim().fence
    do(store.report(job.id, fence, Report(1, epochs=(epoch(1), epoch(2, 1e300)))))
    do(store.finish(job.id, fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    assert do(store.get(job.id)).status is Status.SUCCEEDED
    assert stats().jobs["succeeded"] == 1


def test_ten_thousand_jobs_are_read_as_fast_as_ten(
    store: Store, do: Do, stats: Callable[[], Stats], client: redis.Redis, keys: Keys
) -> None:
    """In the server: what is counted is read by its key, and sets know how long they are."""
    for status in Status:
        client.zadd(f"{keys.namespace}:index:*:{status}", {f"job_{n}": n for n in range(10_000)})
    client.execute_command("CONFIG", "RESETSTAT")
    assert stats().jobs == dict.fromkeys(Status, 10_000)
    ran: Any = client.info("commandstats")
    assert sum(row["usec"] for name, row in ran.items() if name.startswith("cmdstat_eval")) < 5000
