"""What jobs measured becomes curves, which grow as they train."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from gradientd.cli.curves import PlottedJobs, joined, names_for, panels_of
from gradientd.cli.summaries import SummaryClient
from gradientd.client.errors import ServerUnreachable
from jobs.states import Status
from jobs.wire import Series
from tests.gradientd.listing import Listing, listing, some_job


def series(epochs: range = range(1, 4), /, **columns: tuple[float | None, ...]) -> Series:
    """What a job measured."""
    steps = tuple(71 * epoch for epoch in epochs)
    return Series(
        job_id="j",
        names=tuple(columns),
        epochs=tuple(epochs),
        steps=steps,
        series=columns,
        points=len(epochs),
    )


LOSSES = {"loss": (0.3, 0.2, 0.1), "val_loss": (0.4, 0.3, 0.2)}
ACCURACY = {"accuracy": (0.7, 0.8, 0.9), "val_accuracy": (0.6, 0.7, 0.8)}


def test_a_metric_has_a_panel_with_both_kinds_of_examples() -> None:
    panels = panels_of([series(**LOSSES, **ACCURACY, r2=(None, None, None))])
    assert [panel.metric for panel in panels] == ["loss", "accuracy"]
    train, validation = panels[0].curves
    assert (train.label, train.epochs, train.values) == ("train", (1, 2, 3), (0.3, 0.2, 0.1))
    assert (validation.label, validation.values, validation.is_validation) == ("validation", (0.4, 0.3, 0.2), True)


def test_several_jobs_have_letters() -> None:
    (panel,) = panels_of([series(**LOSSES), series(range(1, 2), loss=(0.5,), val_loss=(0.6,))], ["loss"])
    assert [(curve.job, curve.label) for curve in panel.curves] == [
        (0, "A train"),
        (0, "A validation"),
        (1, "B train"),
        (1, "B validation"),
    ]


def test_a_metric_may_be_asked_for_alone() -> None:
    panels = panels_of([series(**LOSSES, learning_rate=(0.1, 0.1, 0.1))], ["val_loss", "learning_rate", "val_loss"])
    assert [[curve.label for curve in panel.curves] for panel in panels] == [["validation"], ["learning_rate"]]
    assert names_for(["learning_rate", "loss"]) == ["learning_rate", "loss", "val_loss"]


def test_what_no_plot_can_show_is_left_out() -> None:
    odd = series(loss=(math.nan, None, 0.1), val_loss=(math.inf, -1.0, 0.2))
    (panel,) = panels_of([odd])
    assert [(curve.epochs, curve.values) for curve in panel.curves] == [((3,), (0.1,)), ((2, 3), (-1.0, 0.2))]
    (panel,) = panels_of([odd], above_zero=True)
    assert panel.curves[1].values == (0.2,)
    assert panels_of([series(loss=(None, None, None))]) == []
    assert panels_of([series(range(0))]) == []


def test_a_series_goes_on() -> None:
    more = series(range(4, 5), loss=(0.05,), val_loss=(0.1,))
    whole = joined(series(**LOSSES), more)
    assert (whole.epochs, whole.steps) == ((1, 2, 3, 4), (71, 142, 213, 284))
    assert whole.series["loss"] == (0.3, 0.2, 0.1, 0.05)
    assert joined(series(range(0)), series(**LOSSES)).series["loss"] == LOSSES["loss"]


def answering(known: dict[str, Series], asked: list[str]) -> Callable[[str, str], tuple[int, Any] | None]:
    """Answers of a server for these jobs' metrics."""

    def answer(method: str, path: str) -> tuple[int, Any] | None:
        if not path.endswith("/metrics"):
            return None
        job_id = path.split("/")[-2]
        asked.append(job_id)
        return 200, known[job_id].model_dump(mode="json")

    return answer


def test_only_new_epochs_are_asked_for_and_none_of_a_job_that_ended() -> None:
    running, ended = some_job(Status.RUNNING), some_job(Status.SUCCEEDED, number=1)
    known, asked = {running.id: series(**LOSSES), ended.id: series(**LOSSES)}, list[str]()
    jobs = Listing.of([running, ended], answers=answering(known, asked))
    with listing(jobs) as url, SummaryClient(url) as client:
        plotted = PlottedJobs(client, [running.id, ended.id])
        plotted.look()
        assert [query.get("after_step") for query in jobs.queries if "names" in query] == [None, None]
        known[running.id] = series(range(4, 6), loss=(0.05, 0.04), val_loss=(0.1, 0.1))
        plotted.look()
        assert asked == [running.id, ended.id, running.id]
        assert jobs.queries[-1]["after_step"] == ["213"]
        assert [each.epochs for each in plotted.series] == [(1, 2, 3, 4, 5), (1, 2, 3)]


def test_the_last_epochs_are_not_missed_when_the_server_is_away_at_the_end() -> None:
    job = some_job(Status.RUNNING)
    known, asked = {job.id: series(**LOSSES)}, list[str]()
    jobs = Listing.of([job], answers=answering(known, asked))
    with listing(jobs) as url, SummaryClient(url) as client:
        plotted = PlottedJobs(client, [job.id])
        plotted.look()
        jobs.put(job, status=Status.SUCCEEDED)
        given = jobs.answers
        jobs.answers = lambda method, path: (503, {"status": 503}) if path.endswith("/metrics") else None
        with pytest.raises(ServerUnreachable):
            plotted.look()
        jobs.answers = given
        known[job.id] = series(range(4, 5), loss=(0.05,), val_loss=(0.1,))
        plotted.look()
        assert plotted.series[0].epochs == (1, 2, 3, 4)
