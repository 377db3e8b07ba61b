"""The store against a real server: who may change a job, and what becomes of it."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis

from jobs.errors import InvalidCursor, JobNotFound, NotNow, StaleFence, TooManyJobs
from jobs.ids import new_job_id
from jobs.record import EpochMetrics, Job, Metrics, Progress
from jobs.report import Report
from jobs.settings import Settings
from jobs.spec import Spec
from jobs.states import Phase, Reason, Status
from store.calls import connect, run
from store.jobs import Claim, Filters, Store
from store.keys import Keys
from store.lanes import Lanes

Do = Callable[[Any], Any]
ANY = (Lanes.ANY,)


@pytest.fixture
def submit(store: Store, do: Do) -> Callable[..., Job]:
    """Accept a job of the spec's given fields."""

    def submit(owner: str = "", key: str = "", digest: str = "", **fields: Any) -> Job:
        spec = Spec.model_validate(fields)
        created = do(store.create(new_job_id(), spec, steps=10, owner=owner, idempotency_key=key, digest=digest))
        return created.job

    return submit


@pytest.fixture
def claim(store: Store, do: Do) -> Callable[..., Claim | None]:
    def claim(worker: str = "w", lanes: tuple[str, ...] = ANY, token: str = "") -> Claim | None:
        return do(store.claim(worker, token=token or new_job_id(), lanes=lanes))

    return claim


@pytest.fixture
def upkeep_state(client: redis.Redis, keys: Keys) -> Callable[..., None]:
    """Set what the sweeps remember."""

    def upkeep_state(**fields: int) -> None:
        for name, value in fields.items():
            client.hset(f"{keys.namespace}:upkeep", name, str(value))

    return upkeep_state


@pytest.fixture
def silence(
    client: redis.Redis, keys: Keys, store: Store, do: Do, upkeep_state: Callable[..., None]
) -> Callable[[Job], None]:
    """Let a job's lease have ended long ago, in a store that was swept all along."""

    def silence(job: Job) -> None:
        do(store.upkeep(every_seconds=0))
        upkeep_state(hold_until=1)
        client.zadd(f"{keys.namespace}:leases", {job.id: 1})

    return silence


def epoch(number: int, *, accuracy: float = 0.5, val_loss: float = 1.0) -> EpochMetrics:
    return EpochMetrics(
        epoch=number,
        step=number * 5,
        loss=1 / number,
        accuracy=accuracy,
        val_loss=val_loss,
        val_accuracy=accuracy,
        learning_rate=0.1,
        seconds=0.1,
        examples_per_second=1.0,
    )


def test_created_job_reads_back_as_it_was_answered(submit: Any, store: Store, do: Do) -> None:
    answered = submit(metadata={"team": "a"}, epochs=3)
    assert do(store.get(answered.id)) == answered
    assert answered.status is Status.QUEUED
    assert answered.queue_position == 0
    assert answered.progress == Progress(epochs=3, steps=10)


def test_unknown_job_is_not_found(store: Store, do: Do) -> None:
    for operation in (store.get("job_0"), store.cancel("job_0")):
        with pytest.raises(JobNotFound):
            do(operation)


def test_jobs_of_other_owners_are_not_found(submit: Any, store: Store, do: Do) -> None:
    job = submit(owner="ann")
    assert do(store.get(job.id, owner="ann")).id == job.id
    with pytest.raises(JobNotFound):
        do(store.get(job.id, owner="bob"))
    with pytest.raises(JobNotFound):
        do(store.cancel(job.id, owner="bob"))
    assert do(store.list(Filters(), owner="bob")).jobs == ()


def test_claims_come_by_priority_then_by_arrival(submit: Any, claim: Any) -> None:
    first, second = submit(), submit()
    urgent, lazy = submit(priority=5), submit(priority=-5)
    assert [claim().job.id for _ in range(4)] == [urgent.id, first.id, second.id, lazy.id]
    assert claim() is None


def test_queue_position_counts_those_before(submit: Any, store: Store, do: Do) -> None:
    first, _, urgent = submit(), submit(), submit(priority=1)
    assert do(store.get(urgent.id)).queue_position == 0
    assert do(store.get(first.id)).queue_position == 1


def test_claim_holds_the_job_with_a_new_fence(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job = submit()
    held = claim("w7")
    assert held.job.id == job.id
    assert (held.fence, held.job.status, held.job.worker, held.job.attempt) == (1, Status.RUNNING, "w7", 1)
    assert held.job.phase is Phase.STARTING
    assert held.job.responding
    assert do(store.beat(job.id, 1)) is Status.RUNNING


def test_claim_sent_again_takes_the_same_job(submit: Any, claim: Any) -> None:
    for _ in range(2):
        submit()
    again = [claim(token="t1") for _ in range(3)]
    assert len({held.job.id for held in again}) == 1
    assert {held.fence for held in again} == {1}


def test_eight_threads_claim_each_of_200_jobs_once(submit: Any, settings: Settings, store: Store) -> None:
    wanted = {submit().id for _ in range(200)}
    taken: list[str] = []
    gate = threading.Barrier(8)

    def drain(name: str) -> None:
        with connect(settings) as own:
            gate.wait()
            while held := run(own, store.claim(name, token=new_job_id(), lanes=ANY)):
                taken.append(held.job.id)

    threads = [threading.Thread(target=drain, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 200
    assert set(taken) == wanted


def test_gpu_jobs_are_claimed_only_where_the_gpu_is(submit: Any, claim: Any) -> None:
    submit(device="gpu:1")
    submit(device="gpu")
    assert claim(lanes=Lanes.served_by(gpus=0)) is None
    assert claim(lanes=Lanes.served_by(gpus=1)).job.spec.device == "gpu"
    assert claim(lanes=Lanes.served_by(gpus=1)) is None
    assert claim(lanes=Lanes.served_by(gpus=2)).job.spec.device == "gpu:1"


def test_stale_fence_is_refused_everywhere(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job = submit()
    stale = claim().fence
    do(store.requeue(job.id, stale, reason=Reason.WORKER_DRAINED))
    fresh = claim("w2").fence
    assert fresh == stale + 1
    before = do(store.get(job.id))
    for operation in (
        store.beat(job.id, stale),
        store.report(job.id, stale, Report(9, epochs=(epoch(1),))),
        store.finish(job.id, stale, Status.SUCCEEDED, reason=Reason.COMPLETED),
        store.requeue(job.id, stale, reason=Reason.WORKER_DRAINED),
    ):
        with pytest.raises(StaleFence):
            do(operation)
    assert do(store.get(job.id)) == before


def test_report_sent_again_changes_nothing(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job, fence = submit(), claim().fence
    report = Report(1, phase=Phase.TRAINING, epochs=(epoch(1),))
    do(store.report(job.id, fence, report))
    once = do(store.history.events(job.id))
    revision = do(store.get(job.id)).revision
    do(store.report(job.id, fence, report))
    assert do(store.history.events(job.id)) == once
    assert do(store.get(job.id)).revision == revision


def test_epochs_walked_over_again_are_not_reported_twice(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job, fence = submit(), claim().fence
    do(store.report(job.id, fence, Report(1, epochs=(epoch(1), epoch(2, accuracy=0.9)))))
    do(store.requeue(job.id, fence, reason=Reason.WORKER_DRAINED))
    fence = claim().fence
    do(store.report(job.id, fence, Report(1, epochs=(epoch(2, accuracy=0.9), epoch(3, accuracy=0.7)))))
    events = do(store.history.events(job.id))
    assert [event.data["epoch"] for event in events if event.type == "metric"] == [1, 2, 3]
    ids = [tuple(map(int, event.id.split("-"))) for event in events]
    assert ids == sorted(set(ids))
    metrics = do(store.get(job.id)).metrics
    assert (metrics.latest.epoch, metrics.best.epoch) == (3, 2)


def test_the_best_epoch_is_that_of_what_early_stopping_watches(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job, fence = submit(), claim().fence
    epochs = (epoch(1, accuracy=0.9, val_loss=0.4), epoch(2, accuracy=0.8, val_loss=0.2))
    do(store.report(job.id, fence, Report(1, epochs=epochs, monitor="val_loss")))
    assert do(store.get(job.id)).metrics.best.epoch == 2


def test_finish_is_final_and_repeatable(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job, fence = submit(), claim().fence

    def finish(status: Status) -> None:
        do(store.finish(job.id, fence, status, reason=Reason.COMPLETED, metrics=Metrics(test_accuracy=0.9)))

    finish(Status.SUCCEEDED)
    finish(Status.SUCCEEDED)
    with pytest.raises(StaleFence):
        finish(Status.FAILED)
    done = do(store.get(job.id))
    assert (done.status, done.status_reason) == (Status.SUCCEEDED, Reason.COMPLETED)
    assert done.metrics.test_accuracy == 0.9
    assert done.finished_at
    assert done.phase is None
    assert [t.status for t in done.transitions] == [Status.QUEUED, Status.RUNNING, Status.SUCCEEDED]


def test_cancelling_a_queued_job_is_immediate_and_repeatable(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job = submit()
    cancelled = do(store.cancel(job.id))
    assert (cancelled.status, cancelled.status_reason) == (Status.CANCELLED, Reason.USER_REQUESTED)
    assert do(store.cancel(job.id)) == cancelled
    assert claim() is None


def test_cancelling_a_running_job_reaches_its_worker(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job, fence = submit(), claim().fence
    assert do(store.cancel(job.id)).status is Status.CANCELLING
    assert do(store.beat(job.id, fence)) is Status.CANCELLING
    do(store.finish(job.id, fence, Status.CANCELLED, reason=Reason.USER_REQUESTED))
    assert do(store.get(job.id)).status is Status.CANCELLED


def test_pausing_a_queued_job_holds_it_back_until_it_is_resumed(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job = submit()
    assert do(store.pause(job.id)).status is Status.PAUSED
    assert do(store.pause(job.id)).status is Status.PAUSED
    assert claim() is None
    resumed = do(store.resume(job.id))
    assert (resumed.job.status, resumed.rings) == (Status.QUEUED, 1)
    assert do(store.resume(job.id)).job.status is Status.QUEUED
    assert claim().job.id == job.id


def test_a_running_job_is_paused_once_its_worker_lets_go(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job, fence = submit(), claim().fence
    assert do(store.pause(job.id)).status is Status.PAUSING
    assert do(store.beat(job.id, fence)) is Status.PAUSING
    with pytest.raises(NotNow):
        do(store.resume(job.id))
    assert do(store.requeue(job.id, fence, reason=Reason.USER_REQUESTED)) is Status.PAUSED
    assert do(store.cancel(job.id)).status is Status.CANCELLED
    for operation in (store.pause(job.id), store.resume(job.id)):
        with pytest.raises(NotNow):
            do(operation)


def test_requeue_keeps_the_place_in_the_queue_and_fulfils_a_cancel(
    submit: Any, claim: Any, store: Store, do: Do
) -> None:
    first, second = submit(), submit()
    held = claim()
    assert do(store.requeue(first.id, held.fence, reason=Reason.WORKER_DRAINED)) is Status.QUEUED
    held = claim()
    assert held.job.id == first.id
    do(store.cancel(first.id))
    assert do(store.requeue(first.id, held.fence, reason=Reason.WORKER_DRAINED)) is Status.CANCELLED
    assert claim().job.id == second.id


def test_a_silent_worker_loses_its_job_until_attempts_run_out(
    submit: Any, claim: Any, store: Store, do: Do, silence: Callable[[Job], None]
) -> None:
    job = submit(max_attempts=2)

    def lose() -> None:
        claim()
        silence(job)
        assert do(store.upkeep(every_seconds=0)).given_back == (job.id,)

    lose()
    again = do(store.get(job.id))
    assert (again.status, again.status_reason, again.attempt) == (Status.QUEUED, Reason.WORKER_LOST, 1)
    lose()
    lost = do(store.get(job.id))
    assert (lost.status, lost.status_reason) == (Status.FAILED, Reason.WORKER_LOST)
    assert lost.error.code == "worker_lost"


def test_time_in_which_nobody_spoke_for_a_job_is_no_running_time(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys, silence: Callable[[Job], None]
) -> None:
    job = submit()
    claim()
    month_ago = int(time.time() * 1000) - 40 * 24 * 3600 * 1000
    client.hset(keys.job(job.id), mapping={"claimed_at": month_ago, "last_heartbeat_at": month_ago + 5000})
    client.hdel(keys.job(job.id), "lease_ms")  # as a worker of an older version claims
    silence(job)
    assert do(store.upkeep(every_seconds=0)).given_back == (job.id,)
    assert claim().ran_seconds == 5.0


def test_after_a_gap_between_sweeps_workers_get_a_lease_to_come_back(
    submit: Any, claim: Any, store: Store, do: Do, silence: Callable[[Job], None], upkeep_state: Callable[..., None]
) -> None:
    job = submit()
    claim()
    silence(job)
    upkeep_state(last_sweep_at=1)
    assert do(store.upkeep(every_seconds=0)).given_back == ()
    upkeep_state(hold_until=1)
    assert do(store.upkeep(every_seconds=0)).given_back == (job.id,)


def test_a_missing_bell_is_due_after_three_sweeps(submit: Any, store: Store, do: Do) -> None:
    submit()
    sweeps = [do(store.upkeep(every_seconds=0)).rings for _ in range(3)]
    assert sweeps == [{}, {}, {"bells": 1}]


def test_a_second_sweep_too_soon_does_nothing(submit: Any, store: Store, do: Do) -> None:
    submit()
    assert [do(store.upkeep(every_seconds=60, patience=1)).rings for _ in range(3)] == [{"bells": 1}, {}, {}]


def test_pages_follow_the_cursor_without_gap_or_repeat(submit: Any, store: Store, do: Do) -> None:
    ids = [submit().id for _ in range(7)]
    for newest_first in (True, False):
        seen: list[str] = []
        more = True
        while more:
            page = do(store.list(Filters(), after=seen[-1] if seen else "", limit=3, newest_first=newest_first))
            seen += [job.id for job in page.jobs]
            more = page.has_more
        assert seen == (ids[::-1] if newest_first else ids)


def test_list_filters(submit: Any, claim: Any, store: Store, do: Do) -> None:
    old = submit(metadata={"k": "a"})
    new = submit(metadata={"k": "b", "l": "x"})
    claim()

    def found(**filters: Any) -> list[str]:
        return [job.id for job in do(store.list(Filters(**filters))).jobs]

    assert found(statuses=frozenset({Status.RUNNING})) == [old.id]
    assert found(statuses=frozenset({Status.RUNNING, Status.QUEUED})) == [new.id, old.id]
    assert found(metadata={"k": "b"}) == [new.id]
    assert found(metadata={"k": "b", "l": "y"}) == []
    assert found(created_after=old.created_at - timedelta(seconds=1)) == [new.id, old.id]
    assert found(created_before=old.created_at) == []
    with pytest.raises(InvalidCursor):
        do(store.list(Filters(), after="job_nope"))


def test_a_sparse_filter_looks_beyond_one_scan(
    submit: Any, store: Store, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.jobs.ROWS_PER_SCAN", 2)
    rare = submit(metadata={"k": "rare"})
    for _ in range(5):
        submit()
    page = do(store.list(Filters(metadata={"k": "rare"}), limit=1))
    assert [job.id for job in page.jobs] == [rare.id]
    assert not page.has_more


def test_idempotency_key_answers_the_same_and_refuses_another_body(
    submit: Any, store: Store, do: Do, claim: Any
) -> None:
    first = submit(key="k", digest="d1")
    claim()
    assert submit(key="k", digest="d1") == first
    conflict = do(store.create(new_job_id(), Spec(), steps=10, idempotency_key="k", digest="d2"))
    assert conflict.conflict
    assert len(do(store.list(Filters())).jobs) == 1


def test_digests_made_by_two_rules_are_taken_for_the_same_request(submit: Any, store: Store, do: Do) -> None:
    first = submit(key="k", digest="hash of an older version")
    assert submit(key="k", digest="body:d1") == first
    submit(key="l", digest="body:d1")
    assert do(store.create(new_job_id(), Spec(), steps=10, idempotency_key="l", digest="body:d2")).conflict


def test_a_first_answer_is_kept_whole_and_outlives_its_job(submit: Any, store: Store, do: Do) -> None:
    first = submit(key="k", digest="body:d", epochs=3, metadata={"a": "ä\u0000/"})
    do(store.cancel(first.id))
    do(store.delete(first.id))
    for spec in (Spec(), Spec(epochs=4)):  # what the same request resolves to by now
        again = do(store.create(new_job_id(), spec, steps=99, idempotency_key="k", digest="body:d"))
        assert (again.job, again.rings, again.conflict) == (first, 0, False)
    known = do(store.answered("k", owner="", digest="body:d"))
    assert known == again
    assert do(store.answered("k", owner="", digest="body:e")).conflict
    assert do(store.answered("k", owner="other", digest="body:d")) is None


def test_deleted_jobs_leave_the_lists(submit: Any, store: Store, do: Do, keys: Keys, client: redis.Redis) -> None:
    job = submit(owner="ann")
    do(store.cancel(job.id))
    client.delete(keys.job(job.id), keys.events(job.id))
    client.zadd(f"{keys.namespace}:expiring", {f"{job.id}|ann": 1})
    do(store.upkeep(every_seconds=0))
    assert do(store.list(Filters(), owner="ann")).jobs == ()
    assert client.zcard(f"{keys.namespace}:index:ann") == 0
    assert client.zcard(f"{keys.namespace}:index:*:cancelled") == 0


def test_the_caps_of_an_owner_are_counted_in_the_same_call(store: Store, do: Do) -> None:
    def create(owner: str = "a", **caps: Any) -> str:
        return do(store.create(new_job_id(), Spec(), steps=1, owner=owner, **caps)).job.id

    first, second = create(max_jobs=2, max_queued=2), create(max_jobs=2, max_queued=2)
    with pytest.raises(TooManyJobs, match="2 queued jobs; the key's limit is 2"):
        create(max_queued=2)
    create("b", max_jobs=1)
    claim = do(store.claim("w", token="t", lanes=(Lanes.ANY,)))
    assert claim.job.id == first
    do(store.pause(second))
    with pytest.raises(TooManyJobs, match="2 unfinished jobs; the key's limit is 2"):
        create(max_jobs=2, max_queued=2)
    do(store.cancel(second))
    create(max_jobs=2, max_queued=2)
    assert do(store.get(first)).status is Status.RUNNING


def test_a_repeated_submission_is_no_job_more(store: Store, do: Do) -> None:
    again = {"steps": 1, "owner": "a", "idempotency_key": "k", "digest": "d", "max_jobs": 1}
    first = do(store.create(new_job_id(), Spec(), **again))
    assert do(store.create(new_job_id(), Spec(), **again)).job.id == first.job.id


def test_jobs_of_an_owner_are_told_apart(store: Store, do: Do) -> None:
    ids = [do(store.create(new_job_id(), Spec(), steps=1, owner=owner)).job.id for owner in "ab"]
    assert do(store.owned("a", ids)) == {ids[0]}
    assert do(store.owned("a", [])) == frozenset()
