"""When a job should be done or start: by the store's clock, and only where that is known."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from jobs.ids import new_job_id
from jobs.record import Device, Job, JobError, LogLine, Progress, Worker
from jobs.report import Report
from jobs.spec import Spec
from jobs.states import Reason, Status
from store.jobs import Claim, Filters, Store
from store.keys import Keys
from store.lanes import Lanes

Do = Callable[[Any], Any]
AT = datetime(2026, 5, 1, tzinfo=UTC)
NEAR = timedelta(seconds=1)
"""How exact an instant is that takes calls to be told."""


@pytest.fixture
def submit(store: Store, do: Do) -> Callable[..., Job]:
    return lambda **fields: do(store.create(new_job_id(), Spec.model_validate(fields), steps=10)).job


@pytest.fixture
def claim(store: Store, do: Do) -> Callable[..., Claim]:
    return lambda worker="w1", lanes=(Lanes.ANY,): do(store.claim(worker, token=new_job_id(), lanes=lanes))


@pytest.fixture
def present(store: Store, do: Do) -> Callable[..., None]:
    """Announce workers, with so many GPUs each."""

    def present(*names: str, gpus: int = 0) -> None:
        cards = tuple(Device(name=f"/device:GPU:{n}", kind="gpu", model="H100") for n in range(gpus))
        for name in names:
            worker = Worker(
                name=name,
                host="h",
                pid=1,
                devices=(Device(name="/device:CPU:0", kind="cpu", model="EPYC"), *cards),
                threads=1,
                tensorflow="2",
                status="idle",
                started_at=AT,
                last_heartbeat_at=AT,
            )
            do(store.present(worker, lifetime_seconds=60))

    return present


@pytest.fixture
def remaining(store: Store, do: Do) -> Callable[..., None]:
    """Let a held job's worker say how long it still takes."""

    def remaining(held: Claim, seconds: float, number: int = 1) -> None:
        do(store.report(held.job.id, held.fence, Report(number, remaining_seconds=seconds)))

    return remaining


@pytest.fixture
def usual(client: redis.Redis, keys: Keys) -> Callable[[float], object]:
    """Have jobs run for so long, as a rule."""
    return lambda seconds: client.hset(f"{keys.namespace}:stats", "usual_run_ms:any", str(round(seconds * 1000)))


@pytest.fixture
def starts_in(store: Store, do: Do, client: redis.Redis) -> Callable[[Job], float | None]:
    """In how many seconds a job should start."""

    def starts_in(job: Job) -> float | None:
        seconds, microseconds = client.time()
        at = do(store.get(job.id)).estimated_start_at
        return at and at.timestamp() - seconds - microseconds / 1e6

    return starts_in


def near(seconds: float) -> Any:
    return pytest.approx(seconds, abs=1.0)


# --- the finish -----------------------------------------------------------------------------------


def test_what_remains_becomes_an_instant_of_the_stores_clock(
    submit: Any, claim: Any, remaining: Any, store: Store, do: Do, client: redis.Redis
) -> None:
    job = submit()
    held = claim()
    assert do(store.get(job.id)).progress.estimated_finish_at is None
    remaining(held, 90)
    at = do(store.get(job.id)).progress.estimated_finish_at
    assert abs(at - datetime.fromtimestamp(client.time()[0] + 90, UTC)) < 2 * NEAR
    do(store.report(job.id, held.fence, Report(2, progress=Progress(epochs=1, steps=10, step=5))))
    assert do(store.get(job.id)).progress.estimated_finish_at == at


def test_a_job_that_does_not_run_has_no_finish(submit: Any, claim: Any, remaining: Any, store: Store, do: Do) -> None:
    job = submit()
    held = claim()
    remaining(held, 90)
    assert do(store.pause(job.id)).progress.estimated_finish_at is None
    assert do(store.requeue(job.id, held.fence, reason=Reason.USER_REQUESTED)) is Status.PAUSED
    do(store.resume(job.id))
    held = claim()
    assert do(store.get(job.id)).progress.estimated_finish_at is None  # nothing of the attempt before
    remaining(held, 60)
    do(store.finish(job.id, held.fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    assert do(store.get(job.id)).progress.estimated_finish_at is None


def test_what_a_worker_of_an_older_version_told_is_read(
    submit: Any, claim: Any, client: redis.Redis, keys: Keys, store: Store, do: Do
) -> None:
    job = submit()
    claim()
    told = Progress(epochs=1, steps=10, step=5, estimated_finish_at=AT)
    client.hset(keys.job(job.id), "progress", told.model_dump_json())
    assert do(store.get(job.id)).progress == told
    do(store.cancel(job.id))
    assert do(store.get(job.id)).progress == told.model_copy(update={"estimated_finish_at": None})


def test_an_endless_rest_is_told_as_a_date_all_the_same(
    submit: Any, claim: Any, remaining: Any, store: Store, do: Do
) -> None:
    job = submit()
    remaining(claim(), 1e30)
    assert do(store.get(job.id)).progress.estimated_finish_at.year > 2100


# --- the start ------------------------------------------------------------------------------------


def test_without_a_worker_no_start_is_promised(submit: Any, starts_in: Any, usual: Any) -> None:
    usual(10)
    job = submit()
    assert job.estimated_start_at is None
    assert starts_in(job) is None


def test_an_idle_worker_takes_the_first_at_once(submit: Any, present: Any, starts_in: Any) -> None:
    present("w1")
    first, second = submit(), submit()
    assert first.estimated_start_at
    assert starts_in(first) == near(0)
    assert starts_in(second) is None  # nobody knows how long the first one runs


def test_the_first_starts_when_the_soonest_worker_is_free(
    submit: Any, claim: Any, present: Any, remaining: Any, starts_in: Any
) -> None:
    present("w1", "w2")
    for _ in range(2):
        submit()
    remaining(claim("w1"), 300)
    remaining(claim("w2"), 40)
    job = submit()
    assert starts_in(job) == near(40)


def test_those_ahead_take_as_long_as_jobs_took_lately(
    submit: Any, claim: Any, present: Any, remaining: Any, starts_in: Any, usual: Any
) -> None:
    present("w1", "w2")
    usual(100)
    for _ in range(2):
        submit()
    remaining(claim("w1"), 30)
    remaining(claim("w2"), 10)
    queued = [submit() for _ in range(5)]
    assert [starts_in(job) for job in queued] == [pytest.approx(s, abs=3) for s in (10, 30, 110, 130, 210)]


def test_a_worker_that_is_busy_for_long_is_not_waited_for(
    submit: Any, claim: Any, present: Any, remaining: Any, starts_in: Any, usual: Any
) -> None:
    present("w1", "w2")
    usual(100)
    for _ in range(2):
        submit()
    remaining(claim("w1"), 10)
    remaining(claim("w2"), 250)
    queued = [submit() for _ in range(5)]
    assert [starts_in(job) for job in queued] == [pytest.approx(s, abs=5) for s in (10, 110, 210, 250, 310)]


def test_a_start_that_has_no_date_is_not_told(
    submit: Any, claim: Any, present: Any, remaining: Any, starts_in: Any
) -> None:
    present("w1")
    submit()
    remaining(claim(), 1e30)
    # A hundred years less a moment, and as much again for each behind.
    assert [starts_in(job) is None for job in [submit() for _ in range(3)]] == [False, True, True]


def test_jobs_that_run_tell_how_long_one_takes_where_none_has_ended_yet(
    submit: Any, claim: Any, present: Any, remaining: Any, starts_in: Any
) -> None:
    present("w1")
    submit()
    remaining(claim(), 50)
    queued = [submit() for _ in range(3)]
    assert [starts_in(job) for job in queued] == [pytest.approx(s, abs=3) for s in (50, 100, 150)]


def test_a_job_that_is_being_stopped_makes_room_soon(
    submit: Any, claim: Any, present: Any, remaining: Any, store: Store, do: Do, starts_in: Any
) -> None:
    present("w1")
    running = submit()
    remaining(claim(), 500)
    do(store.cancel(running.id))
    assert starts_in(submit()) == near(0)


def test_a_worker_whose_job_says_nothing_yet_is_expected_to_take_as_long_as_others_did(
    submit: Any, claim: Any, present: Any, starts_in: Any, usual: Any
) -> None:
    present("w1")
    submit()
    claim()
    job = submit()
    assert starts_in(job) is None
    usual(80)
    assert starts_in(job) == near(80)


def test_a_job_for_a_gpu_waits_for_a_worker_that_has_it(submit: Any, present: Any, starts_in: Any) -> None:
    present("w1")
    any_gpu, second_gpu = submit(device="gpu", wait_for_device=True), submit(device="gpu:1", wait_for_device=True)
    assert (starts_in(any_gpu), starts_in(second_gpu)) == (None, None)
    present("w2", gpus=1)
    assert (starts_in(any_gpu), starts_in(second_gpu)) == (near(0), None)
    present("w3", gpus=2)
    assert starts_in(second_gpu) == near(0)


def test_how_long_jobs_run_is_learned_from_those_that_end(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    for seconds in (80, 0):
        submit()
        held = claim()
        client.hset(keys.job(held.job.id), "ran_ms", str(seconds * 1000))
        do(store.finish(held.job.id, held.fence, Status.FAILED, reason=Reason.TRAINING_ERROR))
    known = int(client.hget(f"{keys.namespace}:stats", "usual_run_ms:any") or 0)
    assert known == pytest.approx(70_000, abs=1000)


def test_a_start_is_told_anew_when_it_has_moved(
    submit: Any, claim: Any, present: Any, remaining: Any, store: Store, do: Do
) -> None:
    present("w1")
    submit()
    held = claim()
    remaining(held, 100, 1)
    job = submit()
    known = do(store.get(job.id))
    assert known.estimated_start_at.microsecond == 0  # else each look would tell another one
    assert do(store.get(job.id, known=known)) is known
    remaining(held, 200, 2)
    moved = do(store.get(job.id, known=known))
    assert moved.estimated_start_at - known.estimated_start_at > timedelta(seconds=90)
    assert moved == known.model_copy(update={"estimated_start_at": moved.estimated_start_at})
    do(store.finish(held.job.id, held.fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    assert do(store.get(job.id, known=moved)).estimated_start_at < known.estimated_start_at


def test_only_a_queued_job_has_a_start(submit: Any, claim: Any, present: Any, store: Store, do: Do) -> None:
    present("w1")
    job = submit()
    assert do(store.list(Filters())).jobs[0].estimated_start_at
    assert claim().job.estimated_start_at is None
    assert do(store.get(job.id)).estimated_start_at is None


def test_damaged_counts_cost_the_estimate_only(
    submit: Any, claim: Any, present: Any, client: redis.Redis, keys: Keys, starts_in: Any
) -> None:
    present("w1")
    client.set(f"{keys.namespace}:stats", "no hash")
    submit()
    claim()
    assert starts_in(submit()) is None


# --- logs -----------------------------------------------------------------------------------------


def test_a_log_line_is_an_event_once(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job = submit()
    held = claim()
    report = Report(1, logs=(LogLine.of("info", "one"), LogLine.of("error", "two")))
    for _ in range(2):
        do(store.report(job.id, held.fence, report))
    events = [event for event in do(store.history.events(job.id)) if event.type == "log"]
    assert [event.data for event in events] == [
        {"level": "info", "message": "one"},
        {"level": "error", "message": "two"},
    ]


def test_of_very_many_log_lines_the_first_and_the_last_are_kept(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job = submit()
    held = claim()
    for number in range(1, 6):
        lines = tuple(LogLine.of("info", f"{number}-{n}") for n in range(90))
        do(store.report(job.id, held.fence, Report(number, logs=lines)))
    told = [e.data["message"] for e in do(store.history.events(job.id, limit=1000)) if e.type == "log"]
    assert told == [f"1-{n}" for n in range(10)] + [f"5-{n}" for n in range(90)]


def test_a_lost_worker_is_told_before_what_it_leads_to(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    job = submit(max_attempts=2)
    for _ in range(2):
        claim("w7")
        do(store.upkeep(every_seconds=0))
        client.hset(f"{keys.namespace}:upkeep", "hold_until", "1")
        client.zadd(f"{keys.namespace}:leases", {job.id: 1})
        assert do(store.upkeep(every_seconds=0)).given_back == (job.id,)
    events = [(e.type, e.data) for e in do(store.history.events(job.id)) if e.type in ("log", "status")]
    kinds = [kind if kind == "log" else data["status"] for kind, data in events]
    assert kinds == ["queued", "running", "log", "queued", "running", "log", "failed"]
    first, last = (data for kind, data in events if kind == "log")
    assert first["level"] == last["level"] == "warning"
    assert (
        "worker w7 fell silent in attempt 1; it is queued again and begins anew (1 lost, 2 end it)" in first["message"]
    )
    assert "attempt 2; it may not lose another (2 lost, 2 end it)" in last["message"]


def test_why_a_job_failed_is_its_last_line(submit: Any, claim: Any, store: Store, do: Do) -> None:
    job = submit()
    held = claim()
    error = JobError(code="out_of_memory", title="Out of memory", detail="lower batch_size")
    for _ in range(2):
        do(store.finish(job.id, held.fence, Status.FAILED, reason=Reason.OUT_OF_MEMORY, error=error))
    log, status, done = do(store.history.events(job.id))[-3:]
    assert (log.type, log.data) == ("log", {"level": "error", "message": "Out of memory: lower batch_size"})
    assert (status.data["status"], done.type) == ("failed", "done")


def test_what_a_library_said_of_the_machine_is_not_told() -> None:
    error = JobError(code="training_error", title="Training failed", detail="OSError: /srv/secret/place")
    assert error.log_line.message.startswith("Training failed: OSError; whoever runs the server")
    assert "/srv" not in error.log_line.message


def test_a_workers_long_name_is_cut_between_letters(
    submit: Any, claim: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    job = submit()
    for shift in range(3):
        claim("w" * shift + "ü€" * 300)
        do(store.upkeep(every_seconds=0))
        client.hset(f"{keys.namespace}:upkeep", "hold_until", "1")
        client.zadd(f"{keys.namespace}:leases", {job.id: 1})
        do(store.upkeep(every_seconds=0))
        lines = [e.data["message"] for e in do(store.history.events(job.id)) if e.type == "log"]
        assert lines[-1].startswith("its worker w" if shift else "its worker ü")
        assert 490 < len(lines[-1].encode()) <= 500


def test_a_line_is_one_line_of_bounded_length_that_commands_no_terminal() -> None:
    line = LogLine.of("error", "a\n  b \x1b[31m" + "x" * 1000)
    assert line.message.startswith("a b \\x1b[31mxxx")
    assert len(line.message) == 500
    assert json.loads(line.model_dump_json())["message"].endswith("…")
