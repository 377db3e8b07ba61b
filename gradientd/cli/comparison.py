"""Jobs side by side: where their specs differ, what each measured, and which did better."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, cast

from jobs.record import EpochMetrics, Job, Metrics
from jobs.states import Status


class Better(Enum):
    """Which of two values is the better one."""

    LESS = "less"
    MORE = "more"
    NEITHER = "neither"


QUALITY = {
    "loss": Better.LESS,
    "accuracy": Better.MORE,
    "mae": Better.LESS,
    "rmse": Better.LESS,
    "r2": Better.MORE,
    "precision": Better.MORE,
    "recall": Better.MORE,
    "f1": Better.MORE,
}
"""What says how well a network does, without its `val_` or `test_`."""


@dataclass(frozen=True)
class Row:
    """A measurement of each job; None where a job has none."""

    name: str
    values: tuple[float | None, ...]
    better: Better = Better.NEITHER

    @property
    def best(self) -> tuple[bool, ...]:
        """Which of them are the best. None is where all are the same, or only one is known."""
        known = [value for value in self.values if value is not None and value == value]  # noqa: PLR0124 (no NaN)
        if self.better is Better.NEITHER or len(set(known)) < 2:
            return (False,) * len(self.values)
        most = max(known) if self.better is Better.MORE else min(known)
        return tuple(value == most for value in self.values)


@dataclass(frozen=True)
class Comparison:
    """What is to be told of jobs side by side, in their order."""

    jobs: tuple[Job, ...]
    differences: Mapping[str, tuple[Any, ...]]
    """Fields of the spec, dotted, that are not the same in all; None where a job has no such field."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """What keeps some measurements from being compared."""

    @property
    def document(self) -> dict[str, Any]:
        """The same as JSON has it."""
        ids = [job.id for job in self.jobs]
        return {
            "object": "comparison",
            "jobs": [{"id": job.id, "status": job.status, "dataset": job.spec.dataset} for job in self.jobs],
            "differences": {name: list(values) for name, values in self.differences.items()},
            "measurements": {
                row.name: {
                    "values": list(row.values),
                    "best": [job_id for job_id, is_best in zip(ids, row.best, strict=True) if is_best],
                }
                for row in self.rows
            },
            "notes": list(self.notes),
        }


def compared(jobs: Sequence[Job], *, now: datetime | None = None) -> Comparison:
    """The jobs side by side. `now` is until when a job that runs has run."""
    differences = differing([job.spec.model_dump(mode="json", warnings=False) for job in jobs])
    same_data = len({job.spec.dataset for job in jobs}) == 1
    same_loss = not any(name.partition(".")[0] == "loss" for name in differences)
    notes: list[str] = []
    if not same_data:
        notes.append("their datasets differ: how well they do cannot be compared")
    elif not same_loss:
        notes.append("their losses are of different kinds: they cannot be compared")
    rows = [*quality_rows(jobs, same_data=same_data, same_loss=same_loss), *speed_rows(jobs, now=now)]
    measured = tuple(row for row in rows if any(value is not None for value in row.values))
    return Comparison(tuple(jobs), differences, measured, tuple(notes))


def differing(specs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The dotted fields that are not the same in all."""
    flat = [flattened(spec) for spec in specs]
    names = dict.fromkeys(name for fields in flat for name in fields)
    columns = {name: tuple(fields.get(name) for fields in flat) for name in names}
    return {name: values for name, values in columns.items() if len({json.dumps(value) for value in values}) > 1}


def flattened(members: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The members of an object and of those within it, by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in members.items():
        if isinstance(value, Mapping):
            flat |= flattened(cast("Mapping[str, Any]", value), f"{before}{name}.")
        else:
            flat[before + name] = value
    return flat


def quality_rows(jobs: Sequence[Job], *, same_data: bool, same_loss: bool) -> list[Row]:
    """How well the networks do: on the test examples, in the best epoch, and in the last."""

    def row(name: str, values: Sequence[Any]) -> Row:
        kind = name.rpartition(" ")[2].removeprefix("val_").removeprefix("test_")
        can_be_compared = same_data and (same_loss or kind != "loss")
        return Row(name, tuple(values), QUALITY[kind] if can_be_compared else Better.NEITHER)

    tested = [name for name in Metrics.model_fields if name.startswith("test_")]
    rows = [row(name, [getattr(job.metrics, name) for job in jobs]) for name in tested]
    epochs: dict[str, list[EpochMetrics | None]] = {
        "best": [job.metrics.best for job in jobs],
        "last": [job.metrics.latest for job in jobs],
    }
    for which, of in epochs.items():
        rows.append(Row(f"{which} epoch", tuple(each and each.epoch for each in of)))
        names = [name for name in EpochMetrics.model_fields if name.removeprefix("val_") in QUALITY]
        rows += [row(f"{which} {name}", [each and getattr(each, name) for each in of]) for name in names]
    return rows


def speed_rows(jobs: Sequence[Job], *, now: datetime | None) -> list[Row]:
    """How large the networks are, how fast they train and how long they took."""
    latest = [job.metrics.latest for job in jobs]
    have_succeeded = all(job.status is Status.SUCCEEDED for job in jobs)  # one that failed early was not faster
    return [
        Row("parameters", tuple(job.run.parameters if job.run else None for job in jobs)),
        Row("examples/s", tuple(each.examples_per_second if each else None for each in latest), Better.MORE),
        Row(
            "seconds",
            tuple(ran_seconds(job, now=now or datetime.now(UTC)) for job in jobs),
            Better.LESS if have_succeeded else Better.NEITHER,
        ),
    ]


def ran_seconds(job: Job, *, now: datetime) -> float | None:
    """From the job's first claim to its end, or until now."""
    return (((job.finished_at or now) - job.started_at).total_seconds()) if job.started_at else None
