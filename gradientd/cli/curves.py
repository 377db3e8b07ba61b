"""Learning curves: what jobs measured epoch by epoch, put together for a plot, and kept up while they train."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from gradientd.cli.looks import NamedJobs
from gradientd.cli.summaries import JobSummary, SummaryClient
from jobs.record import EpochMetrics
from jobs.wire import Series

LETTERS = ascii_uppercase
DEFAULTS = ("loss", "accuracy", "r2")
"""Metrics that are shown unless others are asked for, as far as they were measured."""
VALIDATION = "val_"
MOST_POINTS = 2000
"""Epochs of a job in one answer; more are thinned out."""


@dataclass(frozen=True)
class Curve:
    """One metric of one job."""

    job: int
    """Which of the jobs, from 0."""
    label: str
    is_validation: bool
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    """As many as epochs, all of them finite."""


@dataclass(frozen=True)
class Panel:
    """The curves that share an axis."""

    metric: str
    curves: tuple[Curve, ...]


def panels_of(series: Sequence[Series], metrics: Sequence[str] = (), *, above_zero: bool = False) -> list[Panel]:
    """A panel for each metric that a job has measured, with the training and the validation examples' curves of all.

    `above_zero` leaves other values out, as a logarithmic axis has to.
    """
    panels: list[Panel] = []
    for metric in dict.fromkeys(metrics or DEFAULTS):
        curves = [
            curve
            for at, of in enumerate(series)
            for name in with_validation(metric)
            if (curve := curve_of(of, name, job=at, of_several=len(series) > 1, above_zero=above_zero))
        ]
        if curves:
            panels.append(Panel(metric, tuple(curves)))
    return panels


def curve_of(series: Series, name: str, *, job: int, of_several: bool, above_zero: bool) -> Curve | None:
    """A metric of a job; None where it was never measured, or only what no plot can show."""
    points = [
        (epoch, value)
        for epoch, value in zip(series.epochs, series.series.get(name, ()), strict=False)
        if value is not None and math.isfinite(value) and (value > 0 or not above_zero)
    ]
    if not points:
        return None
    is_validation = name.startswith(VALIDATION)
    has_both = len(with_validation(name.removeprefix(VALIDATION))) > 1
    words = ([LETTERS[job]] if of_several else []) + (["validation" if is_validation else "train"] if has_both else [])
    epochs, values = zip(*points, strict=True)
    return Curve(job, " ".join(words) or name, is_validation, epochs, values)


def with_validation(metric: str) -> tuple[str, ...]:
    """The metric's name, and that of the same on the validation examples, if there is one."""
    other = f"{VALIDATION}{metric}"
    return (metric, other) if other in EpochMetrics.model_fields else (metric,)


def names_for(metrics: Sequence[str]) -> list[str]:
    """What to ask for to show these metrics, or the default ones."""
    return list(dict.fromkeys(name for metric in metrics or DEFAULTS for name in with_validation(metric)))


class PlottedJobs:
    """Jobs and their series, of which each look asks for the new epochs alone."""

    def __init__(self, client: SummaryClient, ids: Sequence[str], metrics: Sequence[str] = ()) -> None:
        self._client = client
        self._jobs = NamedJobs(client, ids)
        self._names = names_for(metrics)
        self._series: dict[str, Series] = {}
        self._complete: set[str] = set()
        self._ids = ids

    @property
    def is_over(self) -> bool:
        """Whether all have ended."""
        return self._jobs.is_over

    @property
    def series(self) -> list[Series]:
        """What each has measured, in the order of the jobs."""
        return [self._series[job_id] for job_id in self._ids]

    def look(self) -> list[JobSummary]:
        """The jobs now. The series are at least as new. Raises Refused and ServerUnreachable."""
        jobs = self._jobs.look()
        for job in jobs:
            if not job.is_deleted and job.id not in self._complete:
                self._extend(job.id)
                self._complete |= {job.id} if job.is_final else set()
        return jobs

    def _extend(self, job_id: str) -> None:
        known = self._series.get(job_id)
        newest = known.steps[-1] if known and known.steps else 0
        more = self._client.metrics(job_id, names=self._names, after_step=newest, max_points=MOST_POINTS)
        self._series[job_id] = joined(known, more) if known else more


def joined(before: Series, more: Series) -> Series:
    """A series and its continuation."""
    columns = {name: (*before.series.get(name, ()), *more.series.get(name, ())) for name in more.names}
    return before.model_copy(
        update={"epochs": before.epochs + more.epochs, "steps": before.steps + more.steps, "series": columns}
    )
