"""One thread renews many leases, each on time, whatever befalls the others."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from jobs.errors import StaleFence, StoreUnavailable
from jobs.ids import new_job_id
from jobs.report import Report
from jobs.spec import Spec
from jobs.states import Reason, Status
from store.history import History
from store.jobs import Claim, Store
from store.lanes import Lanes
from tests.conftest import wait_until
from tests.worker.lease.test_lease import epoch
from worker.lease.clock import elapsed_seconds
from worker.lease.lease import Lease, StopReason
from worker.lease.renewer import LeaseRenewer

Do = Callable[[Any], Any]


class Timed:
    """A lease that wants to be renewed every `every_seconds`, from now on."""

    def __init__(self, *, every_seconds: float, reached: bool = True) -> None:
        self._every_seconds = every_seconds
        self._reached = reached
        self._due_at = elapsed_seconds() + every_seconds
        self.renewals = 0
        self.checks = 0

    def due_at(self) -> float | None:
        return self._due_at

    def renew(self) -> bool:
        self.renewals += 1
        self._due_at = elapsed_seconds() + self._every_seconds
        return self._reached

    def check_silence(self) -> None:
        self.checks += 1


def claimed(store: Store, do: Do) -> Claim:
    do(store.create(new_job_id(), Spec(), steps=10))
    return do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))


def lease_of(claim: Claim, *, client: redis.Redis, store: Store, renewer: LeaseRenewer, beat_seconds: float) -> Lease:
    draining = threading.Event()
    return Lease(claim, client=client, store=store, renewer=renewer, beat_seconds=beat_seconds, draining=draining)


def test_a_lease_that_always_has_something_to_send_keeps_no_other_waiting(renewer: LeaseRenewer) -> None:
    busy, calm = Timed(every_seconds=0), Timed(every_seconds=0.02)
    renewer.add(busy)
    renewer.add(calm)
    wait_until(lambda: calm.renewals > 3, what="the calm one's turns")
    assert busy.renewals > calm.renewals


def test_nothing_is_renewed_before_it_is_due_or_after_it_was_removed(renewer: LeaseRenewer) -> None:
    later, gone, now = Timed(every_seconds=3600), Timed(every_seconds=0.01), Timed(every_seconds=0.01)
    for lease in (later, gone, now):
        renewer.add(lease)
    wait_until(lambda: gone.renewals > 0, what="a turn")
    renewer.remove(gone)
    begun = now.renewals
    wait_until(lambda: now.renewals > begun + 1, what="whoever's turn it was to be over")
    renewals = gone.renewals
    wait_until(lambda: now.renewals > begun + 5, what="more turns")
    assert (gone.renewals, later.renewals) == (renewals, 0)


def test_a_store_that_is_away_for_one_lease_has_every_lease_look_at_its_silence(renewer: LeaseRenewer) -> None:
    failing, waiting = Timed(every_seconds=0.01, reached=False), Timed(every_seconds=3600)
    renewer.add(failing)
    renewer.add(waiting)
    wait_until(lambda: waiting.checks > 1, what="two looks")
    assert waiting.renewals == 0


def test_each_job_gets_its_own_reports_and_reasons_to_stop(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer
) -> None:
    leases = [
        lease_of(claimed(store, do), client=client, store=store, renewer=renewer, beat_seconds=0.01) for _ in range(3)
    ]
    first, second, third = leases
    with first, second, third:
        for number, lease in enumerate(leases, 1):
            for done in range(1, number + 1):
                lease.epoch(epoch(done))
        do(store.cancel(first.job.id))
        do(store.requeue(second.job.id, second.fence, reason=Reason.WORKER_LOST))
        wait_until(lambda: first.stop_reason is StopReason.CANCEL, what="the cancel")
        wait_until(lambda: second.stop_reason is StopReason.LOST, what="the loss")
        third.flush()
        assert third.stop_reason is None
        epochs = [row["epoch"] for row in do(History(store.keys).metrics(third.job.id))]
        assert epochs == [1, 2, 3]


def test_a_lease_whose_renewal_breaks_is_lost_alone(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer
) -> None:
    class Breaking(Store):
        def beat(self, job_id: str, fence: int) -> Any:
            raise ZeroDivisionError

    broken = lease_of(claimed(store, do), client=client, store=Breaking(store.keys), renewer=renewer, beat_seconds=0.01)
    sound = lease_of(claimed(store, do), client=client, store=store, renewer=renewer, beat_seconds=0.01)
    with capture_logs() as logs, broken, sound:
        wait_until(lambda: broken.stop_reason is StopReason.LOST, what="the loss")
        do(store.cancel(sound.job.id))
        wait_until(lambda: sound.stop_reason is StopReason.CANCEL, what="a beat")
    assert [entry["event"] for entry in logs if entry.get("job_id") == broken.job.id] == ["lease_crashed", "hold_lost"]


class Leaving(Store):
    """A store that is away while `away` is set."""

    away = threading.Event()

    def beat(self, job_id: str, fence: int) -> Any:
        if self.away.is_set():
            raise StoreUnavailable("away")
        return super().beat(job_id, fence)

    def report(self, job_id: str, fence: int, report: Report) -> Any:
        if self.away.is_set():
            raise StoreUnavailable("away")
        return super().report(job_id, fence, report)


@pytest.fixture
def leaving(store: Store) -> Iterator[Leaving]:
    """One whose leases are short, and which is away."""
    Leaving.away.set()
    yield Leaving(store.keys, lease_seconds=0.2)
    Leaving.away.clear()


def asked(lease: Lease) -> tuple[threading.Thread, list[StopReason | None]]:
    """A training loop's question whether it is to stop, asked once the lease is not sure; it waits."""
    answers: list[StopReason | None] = []
    wait_until(lambda: lease._unsure, what="the doubt")  # pyright: ignore[reportPrivateUsage]
    asking = threading.Thread(target=lambda: answers.append(lease.check_stop()), daemon=True)
    asking.start()
    wait_until(lambda: lease.stopping, what="the question")
    return asking, answers


def test_training_waits_for_a_store_that_is_away_for_most_of_a_lease_and_goes_on(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer, leaving: Leaving
) -> None:
    claim = claimed(store, do)
    with (
        capture_logs() as logs,
        lease_of(claim, client=client, store=leaving, renewer=renewer, beat_seconds=0.01) as lease,
    ):
        asking, answers = asked(lease)
        before = lease.activity
        wait_until(lambda: lease.activity > before + 3, what="signs of life")
        assert not answers
        Leaving.away.clear()
        asking.join(10)
        assert answers == [None]
        assert not lease.stopping
        lease.epoch(epoch(1))
        lease.flush()
    told = [entry["event"] for entry in logs if entry["event"].startswith(("training_", "hold_"))]
    assert told == ["training_waits", "training_goes_on"]
    job = do(store.get(claim.job.id))
    assert (job.status, job.attempt) == (Status.RUNNING, 1)


def test_training_that_waits_ends_where_another_holds_its_job_by_then(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer, leaving: Leaving
) -> None:
    claim = claimed(store, do)
    with lease_of(claim, client=client, store=leaving, renewer=renewer, beat_seconds=0.01) as lease:
        asking, answers = asked(lease)
        do(store.requeue(claim.job.id, claim.fence, reason=Reason.WORKER_LOST))
        Leaving.away.clear()
        asking.join(10)
        assert answers == [StopReason.LOST]


def test_a_worker_that_is_to_stop_waits_for_no_store(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer, leaving: Leaving
) -> None:
    draining = threading.Event()
    claim = claimed(store, do)
    with Lease(claim, client=client, store=leaving, renewer=renewer, beat_seconds=0.01, draining=draining) as lease:
        asking, answers = asked(lease)
        draining.set()
        asking.join(10)
        assert answers == [StopReason.LOST]
        with pytest.raises(StaleFence):
            lease.flush()


def test_a_report_that_failed_waits_for_no_beat(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer
) -> None:
    failures: list[Report] = []

    class AwayOnce(Store):
        def report(self, job_id: str, fence: int, report: Report) -> Any:
            if not failures:
                failures.append(report)
                raise StoreUnavailable("away")
            return super().report(job_id, fence, report)

    claim, away_once = claimed(store, do), AwayOnce(store.keys, store.lease_seconds)
    with lease_of(claim, client=client, store=away_once, renewer=renewer, beat_seconds=3600) as lease:
        lease.epoch(epoch(1))
        wait_until(lambda: do(History(store.keys).metrics(lease.job.id)), what="the epoch", timeout_seconds=10)
    assert failures


def test_nothing_is_sent_once_a_lease_was_left(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer
) -> None:
    reports: list[Report] = []

    class Heard(Store):
        def report(self, job_id: str, fence: int, report: Report) -> Any:
            reports.append(report)
            return super().report(job_id, fence, report)

    claim = claimed(store, do)
    heard = Heard(store.keys)
    with lease_of(claim, client=client, store=heard, renewer=renewer, beat_seconds=0.01) as lease:
        lease.epoch(epoch(1))
        lease.flush()
    lease.epoch(epoch(2))
    with lease_of(claimed(store, do), client=client, store=store, renewer=renewer, beat_seconds=0.01) as other:
        other.epoch(epoch(1))
        other.flush()
    assert [report.epochs[0].epoch for report in reports] == [1]
    assert do(store.get(claim.job.id)).status is Status.RUNNING
