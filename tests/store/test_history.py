"""A job's history: read in part, without the whole job, and by those alone who may see it."""

from collections.abc import Callable
from typing import Any

import pytest

from jobs.errors import JobNotFound
from jobs.ids import new_job_id
from jobs.record import Checkpoint
from jobs.report import Report
from jobs.spec import Spec
from store import history
from store.calls import Call, Operation
from store.jobs import Store
from store.lanes import Lanes
from tests.store.test_jobs import epoch

Do = Callable[[Any], Any]


def kept(name: str) -> Checkpoint:
    return Checkpoint(name=name, epoch=1, step=5, size_bytes=1, sha256="0" * 64)


@pytest.fixture
def trained(store: Store, do: Do) -> str:
    """A running job of ann's that has reported ten epochs of five steps, and a checkpoint after each."""
    job_id = new_job_id()
    do(store.create(job_id, Spec(), steps=50, owner="ann"))
    fence = do(store.claim("w", token="t", lanes=(Lanes.ANY,))).fence
    for n in range(1, 11):
        do(store.report(job_id, fence, Report(n, epochs=(epoch(n),), checkpoint=kept(f"checkpoint-1-{5 * n}.npz"))))
    return job_id


def calls_of(operation: Operation[Any], do: Do) -> list[Call]:
    """The calls that an operation makes, carried out."""
    made: list[Call] = []

    def watched() -> Operation[Any]:
        reply = None
        try:
            while True:
                made.append(operation.send(reply))
                reply = yield made[-1]
        except StopIteration:
            return

    do(watched())
    return made


def test_events_go_on_behind_the_last_one(trained: str, store: Store, do: Do) -> None:
    whole = do(store.history.events(trained))
    assert [event.type for event in whole[:2]] == ["status", "status"]
    assert len(whole) == 22
    assert do(store.history.events(trained, limit=3)) == whole[:3]
    assert do(store.history.events(trained, after=whole[2].id, limit=3)) == whole[3:6]
    assert do(store.history.events(trained, after=whole[-1].id)) == ()


@pytest.mark.parametrize(("after_step", "first"), [(0, 1), (1, 1), (4, 1), (5, 2), (24, 5), (45, 10), (49, 10)])
@pytest.mark.parametrize("span", [1, 2, 3, 500])
def test_metrics_are_those_after_a_step_however_many_calls_it_takes(
    trained: str, store: Store, do: Do, monkeypatch: pytest.MonkeyPatch, after_step: int, first: int, span: int
) -> None:
    monkeypatch.setattr(history, "ENTRIES_PER_READ", span)
    rows = do(store.history.metrics(trained, after_step=after_step))
    assert [row["epoch"] for row in rows] == list(range(first, 11))
    assert rows[-1] == epoch(10).model_dump()
    assert do(store.history.metrics(trained, after_step=50)) == ()


def test_who_follows_reads_the_end_of_the_history_alone(
    trained: str, store: Store, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ENTRIES_PER_READ", 4)
    assert len(calls_of(store.history.metrics(trained, after_step=45), do)) == 1
    assert len(calls_of(store.history.metrics(trained), do)) == 6


def test_a_job_without_epochs_has_no_metrics_and_no_checkpoints(store: Store, do: Do) -> None:
    job = do(store.create(new_job_id(), Spec(), steps=1)).job
    assert do(store.history.metrics(job.id)) == ()
    assert do(store.history.checkpoints(job.id)) == (None, None)


def test_the_last_and_the_best_checkpoint_are_told(trained: str, store: Store, do: Do) -> None:
    last, best = do(store.history.checkpoints(trained))
    assert (last.name, best) == ("checkpoint-1-50.npz", None)
    do(store.report(trained, 1, Report(11, best=kept("best-1-5.npz"))))
    last, best = do(store.history.checkpoints(trained))
    assert (last.name, best.name) == ("checkpoint-1-50.npz", "best-1-5.npz")


@pytest.mark.parametrize("read", ["events", "metrics", "checkpoints"])
def test_only_who_sees_the_job_reads_its_history(trained: str, store: Store, do: Do, read: str) -> None:
    operation = getattr(store.history, read)
    assert do(operation(trained, owner="ann"))
    for job_id, owner in ((trained, "bob"), (trained, ""), ("job_0", "ann"), ("job_0", "*")):
        with pytest.raises(JobNotFound):
            do(operation(job_id, owner=owner))
