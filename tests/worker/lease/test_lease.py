"""A lease: what is reported arrives once, a reason to stop arrives soon, a lost claim ends it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from jobs.errors import StaleFence
from jobs.ids import new_job_id
from jobs.record import Checkpoint, EpochMetrics, Progress, Runtime
from jobs.report import Report
from jobs.spec import Spec
from jobs.states import Phase, Reason, Status
from store.jobs import Store
from store.keys import Keys
from store.lanes import Lanes
from tests.conftest import wait_until
from worker.lease.control import ControlListener
from worker.lease.lease import Lease, StopReason
from worker.lease.renewer import LeaseRenewer

Do = Callable[[Any], Any]


@pytest.fixture
def control(client: redis.Redis, keys: Keys) -> Iterator[ControlListener]:
    """What the worker `w` hears, once it listens."""
    control = ControlListener("w", client=client, keys=keys)
    control.start()
    channel = keys.control("w")
    wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 1, what="the worker to listen")
    yield control
    control.stop()


@pytest.fixture
def lease_one(client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer) -> Callable[..., Any]:
    """Accept a job, claim it and keep its lease."""

    @contextmanager
    def lease_one(
        *, beat_seconds: float = 60.0, draining: threading.Event | None = None, **fields: Any
    ) -> Iterator[Lease]:
        do(store.create(new_job_id(), Spec.model_validate(fields), steps=10))
        claim = do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))
        with Lease(
            claim,
            client=client,
            store=store,
            renewer=renewer,
            beat_seconds=beat_seconds,
            draining=draining or threading.Event(),
        ) as lease:
            yield lease

    return lease_one


def epoch(number: int) -> EpochMetrics:
    return EpochMetrics(
        epoch=number,
        step=number,
        loss=1.0,
        accuracy=0.5,
        val_loss=1.0,
        val_accuracy=0.5,
        learning_rate=0.1,
        seconds=1.0,
        examples_per_second=1.0,
    )


def test_reports_arrive_once_and_in_order(lease_one: Any, store: Store, do: Do) -> None:
    with lease_one() as lease:
        lease.phase(Phase.TRAINING)
        for number in range(1, 40):
            lease.progress(Progress(epochs=40, epoch=number, step=number, steps=40))
            lease.epoch(epoch(number))
        lease.flush()
        job = do(store.get(lease.job.id))
        epochs = [event.data["epoch"] for event in do(store.history.events(lease.job.id)) if event.type == "metric"]
    assert epochs == list(range(1, 40))
    assert (job.phase, job.progress.step) == (Phase.TRAINING, 39)


def test_log_lines_arrive_in_order_and_what_remains_with_them(lease_one: Any, store: Store, do: Do) -> None:
    with lease_one() as lease:
        for number in range(20):
            lease.log("info", f"line {number}")
            lease.remaining(1000 - number)
        lease.flush()
        at = do(store.get(lease.job.id)).progress.estimated_finish_at
        told = [event.data["message"] for event in do(store.history.events(lease.job.id)) if event.type == "log"]
    assert told == [f"line {number}" for number in range(20)]
    assert 970 < (at - datetime.now(UTC)).total_seconds() <= 981


def test_a_flush_does_not_wait_out_the_pause_between_progress_reports(
    lease_one: Any, store: Store, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.lease.lease.PROGRESS_SECONDS", 3600)
    with lease_one() as lease:
        for step in range(1, 4):
            lease.progress(Progress(epochs=1, step=step, steps=10))
        lease.flush()
        assert do(store.get(lease.job.id)).progress.step == 3


def test_a_cancel_arrives_without_waiting_for_a_beat(
    lease_one: Any, store: Store, do: Do, control: ControlListener
) -> None:
    with lease_one(beat_seconds=3600) as lease, control.about(lease.job.id, lease.on_status):
        assert lease.check_stop() is None
        do(store.cancel(lease.job.id))
        wait_until(lambda: lease.stop_reason is StopReason.CANCEL, what="the cancel to arrive")
        assert lease.check_stop() is StopReason.CANCEL


def test_a_cancel_that_was_not_heard_comes_with_the_next_beat(lease_one: Any, store: Store, do: Do) -> None:
    with lease_one(beat_seconds=0.01) as lease:
        do(store.cancel(lease.job.id))
        wait_until(lambda: lease.stop_reason is StopReason.CANCEL, what="the cancel to arrive")


def test_a_claim_that_ended_is_noticed(lease_one: Any, store: Store, do: Do) -> None:
    with lease_one(beat_seconds=0.01) as lease:
        do(store.requeue(lease.job.id, lease.fence, reason=Reason.WORKER_LOST))
        wait_until(lambda: lease.stop_reason is StopReason.LOST, what="the loss to be noticed")
        lease.epoch(epoch(1))
        with pytest.raises(StaleFence):
            lease.flush()
    assert do(store.get(lease.job.id)).status is Status.QUEUED


def test_draining_and_deadline_stop_the_loop(lease_one: Any) -> None:
    draining = threading.Event()
    with lease_one(draining=draining) as lease:
        assert lease.stop_reason is None
        draining.set()
        assert lease.stop_reason is StopReason.DRAIN
    with lease_one(max_runtime_seconds=1) as lease:
        wait_until(lambda: lease.stop_reason is StopReason.DEADLINE, what="the deadline")


RUN = Runtime(
    execution="graph",
    device="/device:CPU:0",
    device_name="a CPU",
    variables={},
    parameters=1,
    threads=2,
    memory_growth=None,
    tensorflow="2.21.0",
)


@pytest.mark.parametrize(("threads", "said"), [(2, []), (4, ["resumed_otherwise"])])
def test_going_on_where_other_bits_must_be_expected_is_said(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer, threads: int, said: list[str]
) -> None:
    do(store.create(new_job_id(), Spec(), steps=10))
    first = do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))
    checkpoint = Checkpoint(name="checkpoint-1-2.npz", epoch=1, step=2, size_bytes=1, sha256="0" * 64)
    do(store.report(first.job.id, first.fence, Report(1, run=RUN, checkpoint=checkpoint)))
    do(store.requeue(first.job.id, first.fence, reason=Reason.WORKER_DRAINED))
    second = do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))
    lease = Lease(second, client=client, store=store, renewer=renewer, beat_seconds=60, draining=threading.Event())
    with capture_logs() as logs:
        lease.run(RUN.model_copy(update={"threads": threads}))
    assert [entry["event"] for entry in logs] == said
    lease.renew()
    told = [event.data for event in do(store.history.events(first.job.id)) if event.type == "log"]
    assert told == [
        {
            "level": "warning",
            "message": f"goes on otherwise than before: threads 2 became {threads}; its bits may be others",
        }
        for _ in said
    ]
