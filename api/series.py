"""A job's metrics as columns, thinned out where asked, as JSON or CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Any, Literal, get_args

from jobs.record import EpochMetrics
from jobs.wire import Series

MetricName = Literal[
    "loss",
    "accuracy",
    "mae",
    "rmse",
    "r2",
    "val_loss",
    "val_accuracy",
    "val_mae",
    "val_rmse",
    "val_r2",
    "learning_rate",
    "seconds",
    "examples_per_second",
    "skipped_steps",
    "device_memory_bytes",
    "device_memory_peak_bytes",
]
NAMES: tuple[MetricName, ...] = get_args(MetricName)

assert set(NAMES) | {"epoch", "step"} == set(EpochMetrics.model_fields)

Row = dict[str, Any]
"""One epoch, as its `metric` event has it."""


def thinned(rows: Sequence[Row], most: int | None) -> Sequence[Row]:
    """At most `most` (at least 2) of the rows: evenly spaced, the first and the last among them."""
    if most is None or len(rows) <= most:
        return rows
    last = len(rows) - 1
    return [rows[round(i * last / (most - 1))] for i in range(most)]


def columns(job_id: str, rows: Sequence[Row], names: Sequence[str], *, points: int) -> Series:
    """The rows as columns."""
    return Series(
        job_id=job_id,
        names=tuple(names),
        epochs=tuple(row["epoch"] for row in rows),
        steps=tuple(row["step"] for row in rows),
        series={name: tuple(row.get(name) for row in rows) for name in names},
        points=points,
    )


def as_csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    """The rows as RFC 4180 has it, a header line first; empty where a metric was not measured."""
    text = io.StringIO()
    header = ["epoch", "step", *names]
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(["" if row.get(name) is None else row[name] for name in header] for row in rows)
    return text.getvalue()
