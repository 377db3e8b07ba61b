"""Jobs side by side: what differs, what was measured, and what is better, where that can be said."""

from datetime import timedelta
from typing import Any

import pytest

from gradientd.cli.comparison import Better, Row, compared, differing
from jobs.record import Job, Metrics
from jobs.spec import CNN, Spec
from jobs.states import Status
from tests.gradientd.samples import CREATED_AT, sample_epoch, sample_job, succeeded_job


def job_of(spec: Spec, **members: Any) -> Job:
    """A job that was trained to this spec."""
    return succeeded_job().model_copy(update={"spec": spec, **members})


def stars(jobs: list[Job]) -> dict[str, tuple[bool, ...]]:
    """Which are the best in each row."""
    return {row.name: row.best for row in compared(jobs).rows}


def test_only_fields_that_differ_are_told_by_dotted_names() -> None:
    one, two = Spec(epochs=3, metadata={"team": "a"}), Spec(epochs=4, model=CNN(), metadata={"team": "b"})
    differences = compared([job_of(one), job_of(two)]).differences
    assert differences["epochs"] == (3, 4)
    assert differences["model.type"] == ("mlp", "cnn")
    assert differences["model.hidden"] == ([256, 128], None)
    assert differences["metadata.team"] == ("a", "b")
    assert "batch_size" not in differences
    assert compared([job_of(one), job_of(one)]).differences == {}


def test_an_object_that_one_lacks_differs_in_its_members() -> None:
    found = differing([{"a": None, "b": 1}, {"a": {"x": 1, "y": {"z": [1]}}, "b": 1}])
    assert found == {"a.x": (None, 1), "a.y.z": (None, [1])}


@pytest.mark.parametrize(
    ("values", "better", "best"),
    [
        ((0.1, 0.2), Better.LESS, (True, False)),
        ((0.1, 0.2), Better.MORE, (False, True)),
        ((0.1, 0.2), Better.NEITHER, (False, False)),
        ((0.2, 0.2), Better.MORE, (False, False)),
        ((0.2, None), Better.MORE, (False, False)),
        ((0.2, float("nan"), 0.3), Better.LESS, (True, False, False)),
        ((0.3, 0.3, 0.2), Better.MORE, (True, True, False)),
    ],
)
def test_the_best_of_a_row_is_the_one_that_is_better_than_another(
    values: tuple[float | None, ...], better: Better, best: tuple[bool, ...]
) -> None:
    assert Row("x", values, better).best == best


def test_more_accuracy_and_less_loss_are_better() -> None:
    good = Metrics(latest=sample_epoch(3), best=sample_epoch(3), test_loss=0.1, test_accuracy=0.97)
    bad = Metrics(latest=sample_epoch(1), best=sample_epoch(2), test_loss=0.2, test_accuracy=0.96)
    found = stars([job_of(Spec(), metrics=bad), job_of(Spec(), metrics=good)])
    second = (False, True)
    assert {name: found[name] for name in ("test_loss", "test_accuracy", "best loss", "last loss")} == dict.fromkeys(
        ("test_loss", "test_accuracy", "best loss", "last loss"), second
    )
    assert found["best epoch"] == (False, False)
    assert "test_r2" not in found


def test_what_cannot_be_compared_has_no_best() -> None:
    good = Metrics(latest=sample_epoch(3), test_loss=0.1, test_accuracy=0.97)
    bad = Metrics(latest=sample_epoch(1), test_loss=0.2, test_accuracy=0.96)
    other_loss = [job_of(Spec(), metrics=bad), job_of(Spec(loss="cross_entropy"), metrics=good)]
    assert stars(other_loss)["test_accuracy"] == (False, True)
    assert stars(other_loss)["test_loss"] == (False, False)
    assert compared(other_loss).notes == ("their losses are of different kinds: they cannot be compared",)
    other_data = [job_of(Spec(), metrics=bad), job_of(Spec(dataset="mnist"), metrics=good)]
    assert stars(other_data)["test_accuracy"] == (False, False)
    assert compared(other_data).notes == ("their datasets differ: how well they do cannot be compared",)


def test_a_job_that_did_not_succeed_was_not_faster() -> None:
    start = CREATED_AT + timedelta(seconds=1)
    quick = {"started_at": start, "finished_at": start + timedelta(seconds=2)}
    assert stars([succeeded_job(), job_of(Spec(), **quick)])["seconds"] == (False, True)
    assert stars([succeeded_job(), job_of(Spec(), **quick, status=Status.FAILED)])["seconds"] == (False, False)
    running = sample_job(Status.RUNNING, started_at=start)
    rows = compared([running, sample_job()], now=start + timedelta(seconds=7)).rows
    assert [(row.name, row.values) for row in rows] == [("seconds", (7.0, None))]


def test_the_document_names_the_best_by_id() -> None:
    other = job_of(Spec(epochs=4), id="job_01KAV9M3S1Q4T8Z6X2Y7W5R0ND", metrics=Metrics(test_accuracy=0.99))
    document = compared([succeeded_job(), other]).document
    assert document["differences"] == {"epochs": [3, 4]}
    assert document["measurements"]["test_accuracy"] == {"values": [0.9612, 0.99], "best": [other.id]}
