"""How a job, a dataset, a list and a series look: in a line, and in a notebook, light or dark.

All text is escaped: metadata, names and messages are whatever somebody has sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from gradientd.client import frames
from jobs import wire
from jobs.escapes import escaped
from jobs.record import Job, Worker
from jobs.states import TERMINAL, Status

COLOURS = {
    Status.RUNNING: "#3b82f6",
    Status.SUCCEEDED: "#22a559",
    Status.FAILED: "#e5484d",
    Status.CANCELLED: "#8b8d98",
}
OTHERS = "#d98e04"
"""Of statuses that are on their way to another."""
MOST_ROWS = 50
"""Entries of a list, or epochs of a series, that are shown."""
MOST_TOLD = 3
"""Entries of a list that are told in its line."""
CELL = "padding:.2em .8em .2em 0;text-align:left;border:none"
HEAD = f"{CELL};font-weight:600;opacity:.7"
TABLE = "border-collapse:collapse;margin:0;color:inherit;font-size:inherit"
BOX = "font-family:system-ui,sans-serif;font-size:.9em;line-height:1.45;overflow-x:auto"
"""No colour of text or background: both are the notebook's own."""


# --- in a line --------------------------------------------------------------------------------------


def job_line(job: Job) -> str:
    """A job in few words."""
    told = [job.id, _status(job), f"{_model(job)} on {job.spec.dataset}"]
    if job.metrics.latest:
        told.append(f"epoch {job.metrics.latest.epoch}/{job.progress.epochs}")
    told += [f"{name} {value:.4g}" for name, value in _scores(job).items()]
    return escaped(", ".join(told))


def dataset_line(dataset: wire.Dataset) -> str:
    """A dataset in few words."""
    return escaped(f"{dataset.id}, {dataset.kind}, {dataset.task}, {_examples(dataset)}")


def series_line(series: wire.Series) -> str:
    """A series in few words."""
    return escaped(
        f"{series.job_id}, {len(series.epochs)} of {series.points} epochs: {', '.join(frames.measured(series))}"
    )


def page_line(entries: Sequence[object], *, has_more: bool) -> str:
    """A page in few words."""
    told = [repr(entry) for entry in entries[:MOST_TOLD]] + ["…"] * (len(entries) > MOST_TOLD)
    return f"{_counted(len(entries), has_more=has_more)}: {', '.join(told)}"


# --- in a notebook ----------------------------------------------------------------------------------


def job_html(job: Job) -> str:
    """A job as a card."""
    rows: dict[str, str] = {"model": escape(f"{_model(job)} on {job.spec.dataset}")}
    if job.status not in TERMINAL:
        rows["progress"] = _bar(job.progress.percent) + escape(
            f" {job.progress.percent:.0f} %, epoch {job.progress.epoch} of {job.progress.epochs}"
        )
    if job.queue_position is not None:
        rows["queue"] = f"{job.queue_position:,} before it"
    for name, at in (("starts", job.estimated_start_at), ("done", job.progress.estimated_finish_at)):
        if at is not None and job.status not in TERMINAL:
            rows[name] = f"about {at:%H:%M:%S} UTC"
    rows |= {name.replace("_", " "): f"{value:.4g}" for name, value in _scores(job).items()}
    if job.metrics.best:
        rows["best epoch"] = f"{job.metrics.best.epoch}, val loss {job.metrics.best.val_loss:.4g}"
    if job.error:
        rows["error"] = escape(f"{job.error.title}: {job.error.detail}")
    if job.metadata:
        rows["metadata"] = escape(", ".join(f"{key}={value}" for key, value in job.metadata.items()))
    rows["created"] = escape(f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC")
    return _box(f"{_dot(job)}<b>{escape(job.id)}</b> {escape(_status(job))}", _pairs(rows))


def dataset_html(dataset: wire.Dataset) -> str:
    """A dataset's version as a card."""
    shape = " × ".join(map(str, dataset.features.shape))
    rows = {"examples": _examples(dataset), "task": dataset.task, "features": f"{shape}, {dataset.features.dtype}"}
    if dataset.classes:
        shown = ", ".join(dataset.classes[:10]) + (", …" if len(dataset.classes) > 10 else "")
        rows["classes"] = f"{len(dataset.classes)}: {shown}"
    if dataset.targets:
        rows["targets"] = ", ".join(target.name for target in dataset.targets)
    if dataset.description:
        rows["about"] = dataset.description
    told = {name: escape(text) for name, text in rows.items()}
    return _box(f"<b>{escape(dataset.id)}</b> {escape(dataset.kind)}", _pairs(told))


def series_html(series: wire.Series) -> str:
    """The last epochs as a table."""
    columns = frames.measured(series)
    first = max(0, len(series.epochs) - MOST_ROWS)
    rows = (
        [f"{series.epochs[at]}", *(_number(values[at]) for values in columns.values())]
        for at in range(first, len(series.epochs))
    )
    told = f"{len(series.epochs)} of {series.points} epochs" + (f", the last {MOST_ROWS}" if first else "")
    return _box(f"<b>{escape(series.job_id)}</b> {told}", _table(["epoch", *columns], rows))


def page_html(entries: Sequence[Any], *, has_more: bool) -> str:
    """The entries of a page as a table."""
    shown = entries[:MOST_ROWS]
    left = len(entries) - len(shown)
    more = f", {left} of them not shown" if left else ""
    title = _counted(len(entries), has_more=has_more) + more
    if not shown:
        return _box(escape(title), "")
    rows = [_row(entry) for entry in shown]
    return _box(escape(title), _table(list(rows[0]), (list(row.values()) for row in rows)))


def _row(entry: Any) -> dict[str, str]:
    """An entry's columns, escaped."""
    if isinstance(entry, Job):
        scores = ", ".join(f"{name.removeprefix('test_')} {value:.4g}" for name, value in _scores(entry).items())
        return {
            "job": escape(entry.id),
            "status": _dot(entry) + escape(_status(entry)),
            "model": escape(_model(entry)),
            "dataset": escape(entry.spec.dataset),
            "epoch": f"{entry.progress.epoch}/{entry.progress.epochs}",
            "test": escape(scores),
            "created": escape(f"{entry.created_at:%Y-%m-%d %H:%M}"),
        }
    if isinstance(entry, wire.Dataset):
        return {
            "dataset": escape(entry.id),
            "kind": escape(entry.kind),
            "task": escape(entry.task),
            "examples": escape(_examples(entry)),
        }
    if isinstance(entry, Worker):
        devices = ", ".join(device.model for device in entry.devices)
        return {
            "worker": escape(entry.name),
            "status": escape(entry.status),
            "devices": escape(devices),
            "job": escape(entry.job_id or ""),
        }
    name = getattr(entry, "id", None) or getattr(entry, "name", "")
    return {"name": escape(str(name)), "": escape(str(getattr(entry, "description", "")))}


def _counted(count: int, *, has_more: bool) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}" + (", more behind" if has_more else "")


def _status(job: Job) -> str:
    return f"{job.status} ({job.status_reason})" if job.status_reason else str(job.status)


def _model(job: Job) -> str:
    return str(getattr(job.spec.model, "type", ""))


def _scores(job: Job) -> Mapping[str, float]:
    """What the final weights reach on the test examples, in the task's own measure."""
    wanted = ("test_accuracy", "test_rmse", "test_r2")
    told = {name: getattr(job.metrics, name) for name in wanted}
    return {name: value for name, value in told.items() if value is not None}


def _examples(dataset: wire.Dataset) -> str:
    held_out = f" + {dataset.validation_examples:,} to validate" if dataset.validation_examples else ""
    return f"{dataset.train_examples:,} to train{held_out} + {dataset.test_examples:,} to test"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _dot(job: Job) -> str:
    colour = COLOURS.get(job.status, OTHERS)
    return (
        f'<span style="display:inline-block;width:.65em;height:.65em;border-radius:50%;background:{colour};'
        'margin-right:.45em"></span>'
    )


def _bar(percent: float) -> str:
    width = min(100.0, max(0.0, percent))
    return (
        '<span style="display:inline-block;width:10em;height:.6em;border-radius:.3em;background:#8b8d9855;'
        f'overflow:hidden"><span style="display:block;height:100%;width:{width:.0f}%;background:#3b82f6"></span></span>'
    )


def _pairs(rows: Mapping[str, str]) -> str:
    told = "".join(
        f'<tr style="background:none"><td style="{HEAD}">{escape(name)}</td><td style="{CELL}">{value}</td></tr>'
        for name, value in rows.items()
    )
    return f'<table style="{TABLE}">{told}</table>'


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are escaped already, below names that are not."""
    head = "".join(f'<th style="{HEAD}">{escape(name)}</th>' for name in names)
    cell_style = f"{CELL};white-space:nowrap"
    body = "".join(
        f'<tr style="background:none">{"".join(f"""<td style="{cell_style}">{cell}</td>""" for cell in row)}</tr>'
        for row in rows
    )
    return f'<table style="{TABLE}"><tr style="background:none">{head}</tr>{body}</table>'


def _box(title: str, content: str) -> str:
    return f'<div style="{BOX}"><div style="margin-bottom:.3em">{title}</div>{content}</div>'
