"""The scripts against a model: whatever happens to a job in whatever order, the store and a dozen lines agree."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from jobs.errors import NotNow, StaleFence
from jobs.ids import new_job_id
from jobs.record import EpochMetrics, Job
from jobs.report import Report
from jobs.spec import Spec
from jobs.states import HELD, TERMINAL, Reason, Status
from store.calls import Operation, T, run
from store.jobs import Filters, Store
from store.keys import Keys
from store.lanes import Lanes
from store.stats import read_stats

LANES = (Lanes.ANY,)
WAKE_QUEUES = Lanes.WAKE_QUEUES[Lanes.ANY]
KEYS = ("red", "green")
OWNERS = ("ann", "bob")
ENDS = (Status.SUCCEEDED, Status.FAILED)
EXAMPLES = 7


@dataclass
class Model:
    """What a job should be by now."""

    id: str
    owner: str
    priority: int
    max_attempts: int
    order: int
    status: Status = Status.QUEUED
    fence: int = 0
    losses: int = 0
    reports: int = 0
    epochs: int = 0
    history: list[Status] = field(default_factory=lambda: [Status.QUEUED])

    def become(self, status: Status) -> None:
        """Change the status, and remember it."""
        self.status = status
        self.history.append(status)

    def holds(self, fence: int) -> bool:
        """Whether this claim may write."""
        return self.status in HELD and self.fence == fence


@dataclass(frozen=True)
class Lease:
    """A claim that somebody has, or once had."""

    job: Model
    fence: int
    token: str


class Machine(RuleBasedStateMachine):
    """Customers, workers that live and workers long since replaced, and the reaper, each at any moment."""

    client: redis.Redis
    namespaces: Iterator[str]
    jobs = Bundle("jobs")
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.keys = Keys(next(self.namespaces))
        self.store = Store(self.keys, lease_seconds=60)
        self.models: dict[str, Model] = {}
        self.answers: dict[tuple[str, str], tuple[str, Model]] = {}
        self.leases_lost = 0
        # A store that is swept all along: no sweep grants the grace that follows a long absence.
        self.do(self.store.upkeep(every_seconds=0))
        self.client.hset(self._key("upkeep"), "hold_until", "1")

    def teardown(self) -> None:
        for key in self.client.scan_iter(f"{self.keys.namespace}:*"):
            self.client.delete(key)

    def do(self, operation: Operation[T]) -> T:
        return run(self.client, operation)

    def _key(self, name: str) -> str:
        return f"{self.keys.namespace}:{name}"

    def _queued(self) -> list[Model]:
        waiting = (model for model in self.models.values() if model.status is Status.QUEUED)
        return sorted(waiting, key=lambda model: (-model.priority, model.order))

    # --- customers --------------------------------------------------------------------------------

    @rule(
        target=jobs,
        owner=st.sampled_from(OWNERS),
        key=st.sampled_from(("", *KEYS)),
        digest=st.sampled_from(("one", "two")),
        priority=st.integers(-1, 1),
        max_attempts=st.integers(1, 3),
        twice=st.booleans(),
    )
    def submit(self, owner: str, key: str, digest: str, priority: int, max_attempts: int, twice: bool) -> object:
        job_id, spec = new_job_id(), Spec(priority=priority, max_attempts=max_attempts)
        for _ in range(1 + twice):  # the second time as if the first reply had been lost
            created = self.do(
                self.store.create(
                    job_id,
                    spec,
                    steps=10,
                    train_examples=EXAMPLES,
                    owner=owner,
                    idempotency_key=key,
                    digest=digest,
                )
            )
            known = self.answers.get((owner, key)) if key else None
            if known and known[0] != digest:
                assert created.conflict
                assert created.job.id == known[1].id
                return multiple()
            assert not created.conflict
            if known:
                assert created.job.id == known[1].id
            elif job_id not in self.models:
                assert (created.rings > 0) == (self.client.llen(self.keys.wake_queue(WAKE_QUEUES)) == 0)
                model = Model(job_id, owner, priority, max_attempts, order=len(self.models))
                self.models[job_id] = model
                if key:
                    self.answers[owner, key] = (digest, model)
        return self.models[job_id] if job_id in self.models else multiple()

    @rule(job=jobs)
    def cancel(self, job: Model) -> None:
        answered = self.do(self.store.cancel(job.id))
        if job.status in {Status.QUEUED, Status.PAUSED}:
            job.become(Status.CANCELLED)
        elif job.status in {Status.RUNNING, Status.PAUSING}:
            job.become(Status.CANCELLING)
        assert answered.status is job.status

    @rule(job=jobs)
    def pause(self, job: Model) -> None:
        onward = {Status.QUEUED: Status.PAUSED, Status.RUNNING: Status.PAUSING}
        self._ask(job, self.store.pause, onward, stays={Status.PAUSED, Status.PAUSING})

    @rule(job=jobs)
    def resume(self, job: Model) -> None:
        self._ask(
            job,
            lambda job_id: _job_of(self.store.resume(job_id)),
            {Status.PAUSED: Status.QUEUED},
            stays={Status.QUEUED, Status.RUNNING},
        )

    def _ask(
        self,
        job: Model,
        operation: Callable[[str], Operation[Job]],
        onward: dict[Status, Status],
        *,
        stays: set[Status],
    ) -> None:
        if job.status in onward:
            job.become(onward[job.status])
        elif job.status not in stays:
            with pytest.raises(NotNow):
                self.do(operation(job.id))
            return
        assert self.do(operation(job.id)).status is job.status

    # --- workers ----------------------------------------------------------------------------------

    @rule(target=holds)
    def claim(self) -> object:
        token = new_job_id()
        taken, waiting = self.do(self.store.claim("w", token=token, lanes=LANES)), self._queued()
        if not waiting:
            assert taken is None
            return multiple()
        job = waiting[0]
        job.become(Status.RUNNING)
        job.fence, job.reports = job.fence + 1, 0
        assert taken
        assert (taken.job.id, taken.fence, taken.job.attempt) == (job.id, job.fence, job.fence)
        return Lease(job, job.fence, token)

    @rule(hold=holds)
    def claim_again(self, hold: Lease) -> None:
        taken = self.do(self.store.claim("w", token=hold.token, lanes=LANES))
        assert taken
        assert taken.job.id == hold.job.id

    @rule(hold=holds)
    def beat(self, hold: Lease) -> None:
        self._speak(hold, self.store.beat(hold.job.id, hold.fence))

    @rule(hold=holds, ahead=st.integers(0, 1), epochs=st.integers(0, 2))
    def report(self, hold: Lease, ahead: int, epochs: int) -> None:
        """The next report, or the last one again; a resumed attempt tells of epochs that are known."""
        job = hold.job
        number = job.reports + ahead
        first = max(1, job.epochs - 1)
        rows = tuple(_epoch(n) for n in range(first, first + epochs + 1))
        if self._speak(hold, self.store.report(job.id, hold.fence, Report(number, epochs=rows))) and ahead:
            job.reports = number
            job.epochs = max(job.epochs, rows[-1].epoch)

    def _speak(self, hold: Lease, operation: Operation[Status]) -> bool:
        if not hold.job.holds(hold.fence):
            with pytest.raises(StaleFence):
                self.do(operation)
            return False
        assert self.do(operation) is hold.job.status
        return True

    @rule(hold=holds, end=st.sampled_from(ENDS), times=st.integers(1, 2))
    def finish(self, hold: Lease, end: Status, times: int) -> None:
        job = hold.job
        for _ in range(times):  # the second time as if the first reply had been lost
            reason = Reason.COMPLETED if end is Status.SUCCEEDED else Reason.TRAINING_ERROR
            operation = self.store.finish(job.id, hold.fence, end, reason=reason)
            if job.holds(hold.fence):
                self.do(operation)
                job.become(end)
            elif (job.status, job.fence) == (end, hold.fence):
                self.do(operation)
            else:
                with pytest.raises(StaleFence):
                    self.do(operation)

    @rule(hold=consumes(holds))
    def requeue(self, hold: Lease) -> None:
        job = hold.job
        operation = self.store.requeue(job.id, hold.fence, reason=Reason.WORKER_DRAINED)
        if not job.holds(hold.fence):
            with pytest.raises(StaleFence):
                self.do(operation)
            return
        self._give_back(job)
        assert self.do(operation) is job.status

    def _give_back(self, job: Model) -> None:
        onward = {Status.RUNNING: Status.QUEUED, Status.CANCELLING: Status.CANCELLED, Status.PAUSING: Status.PAUSED}
        job.become(onward[job.status])

    # --- time -------------------------------------------------------------------------------------

    @rule(silent=st.sets(st.integers(0, 20)), times=st.integers(1, 2))
    def sweep(self, silent: set[int], times: int) -> None:
        """Let some leases end, and sweep: a second reaper finds nothing left to do."""
        lost = [job for job in self.models.values() if job.status in HELD and job.order in silent]
        for job in lost:
            self.client.zadd(self._key("leases"), {job.id: 1})
        swept = self.do(self.store.upkeep(every_seconds=0))
        assert set(swept.given_back) == {job.id for job in lost}
        for job in lost:
            self._lose(job)
        for _ in range(times - 1):
            assert self.do(self.store.upkeep(every_seconds=0)).given_back == ()
        self._bells_are_told(swept.rings.get(WAKE_QUEUES, 0), at_once=bool(lost))

    def _lose(self, job: Model) -> None:
        self.leases_lost += 1
        if job.status is not Status.RUNNING:
            self._give_back(job)
            return
        job.losses += 1
        if job.losses >= job.max_attempts:
            job.become(Status.FAILED)
        else:
            job.become(Status.QUEUED)

    def _bells_are_told(self, rings: int, *, at_once: bool) -> None:
        missing = min(len(self._queued()), 1) - self.client.llen(self.keys.wake_queue(WAKE_QUEUES))
        assert rings in {0, missing}
        if at_once:
            assert rings == max(0, missing)

    @rule(wake_queue=st.integers(0, 2))
    def wake_queue(self, wake_queue: int) -> None:
        """Whatever Celery's list holds, nothing but rings may come of it."""
        self.client.delete(self.keys.wake_queue(WAKE_QUEUES))
        for _ in range(wake_queue):
            self.client.lpush(self.keys.wake_queue(WAKE_QUEUES), "a bell")

    @rule()
    def three_sweeps_ring_for_who_waits(self) -> None:
        self.client.delete(self.keys.wake_queue(WAKE_QUEUES))
        rings = [self.do(self.store.upkeep(every_seconds=0)).rings for _ in range(3)]
        assert bool(self._queued()) == any(WAKE_QUEUES in each for each in rings)

    # --- what always holds --------------------------------------------------------------------------

    @invariant()
    def store_and_model_agree(self) -> None:
        waiting = self._queued()
        for job in self.models.values():
            stored = self.do(self.store.get(job.id, owner=job.owner))
            assert (stored.status, stored.attempt) == (job.status, job.fence)
            assert [transition.status for transition in stored.transitions] == job.history
            assert stored.queue_position == (waiting.index(job) if job in waiting else None)
            assert (stored.finished_at is not None) == (job.status in TERMINAL)
            assert (self.client.ttl(self.keys.job(job.id)) > 0) == (job.status in TERMINAL)

    @invariant()
    def history_is_whole(self) -> None:
        for job in self.models.values():
            events = self.do(self.store.history.events(job.id, limit=1000))
            ids = [tuple(map(int, event.id.split("-"))) for event in events]
            assert [n for _, n in ids] == list(range(1, len(ids) + 1))
            assert ids == sorted(ids)
            assert [event.data["epoch"] for event in events if event.type == "metric"] == list(range(1, job.epochs + 1))
            assert [event.data["status"] for event in events if event.type == "status"] == job.history

    @invariant()
    def indexes_are_whole(self) -> None:
        held = {job.id for job in self.models.values() if job.status in HELD}
        assert set(self.client.zrange(self._key("leases"), 0, -1)) == held  # pyright: ignore[reportArgumentType]
        for owner, status in itertools.product(OWNERS, Status):
            expected = {job.id for job in self.models.values() if (job.owner, job.status) == (owner, status)}
            page = self.do(self.store.list(Filters(statuses=frozenset({status})), owner=owner, limit=100))
            assert {job.id for job in page.jobs} == expected

    @invariant()
    def each_change_was_counted_once(self) -> None:
        found, models = self.do(read_stats(self.keys)), self.models.values()
        assert found.submitted == len(models)
        assert found.queue_wait.buckets[-1][1] == sum(job.fence for job in models)
        assert found.epochs.buckets[-1][1] == sum(job.epochs for job in models)
        assert found.trained_examples == EXAMPLES * sum(job.epochs for job in models)
        assert found.lease_losses == {"worker_lost": self.leases_lost, "stalled": 0}
        for status in Status:
            jobs = [job for job in models if job.status is status]
            assert found.jobs[status] == len(jobs)
            if status in TERMINAL:
                assert sum(n for (end, _), n in found.finished.items() if end == status) == len(jobs)
                assert found.running[status].buckets[-1][1] == sum(job.fence > 0 for job in jobs)


def _job_of(operation: Operation) -> Operation[Job]:
    """A resume, of which only the job is looked at."""
    resumed = yield from operation
    return resumed.job


def _epoch(number: int) -> EpochMetrics:
    return EpochMetrics(
        epoch=number,
        step=number * 5,
        loss=1 / number,
        accuracy=0.5,
        val_loss=1.0,
        val_accuracy=0.5,
        learning_rate=0.1,
        seconds=0.1,
        examples_per_second=1.0,
    )


@contextmanager
def machine_on(client: redis.Redis, namespace: str) -> Iterator[type[Machine]]:
    """The machine, each example in a namespace of its own."""

    class OnThisServer(Machine):
        pass

    OnThisServer.client = client
    OnThisServer.namespaces = (f"{namespace}-{n}" for n in itertools.count())
    yield OnThisServer


def test_store_behaves_as_the_model_whatever_happens(client: redis.Redis, keys: Keys) -> None:
    with machine_on(client, keys.namespace) as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                database=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
