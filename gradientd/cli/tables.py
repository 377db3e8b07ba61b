"""Jobs, one job, workers and presets as a person wants to read them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from gradientd.cli.display import duration, print_line
from gradientd.cli.progress_lines import ending, epoch_line
from jobs.escapes import escaped
from jobs.record import Device, Job, Worker
from jobs.states import TERMINAL, Status
from jobs.wire import Preset

STATUS_STYLES = {
    Status.SUCCEEDED: "green",
    Status.FAILED: "red",
    Status.CANCELLED: "yellow",
    Status.RUNNING: "cyan",
}


def print_jobs(console: Console, jobs: Iterable[Job], *, now: datetime | None = None) -> None:
    """A table of jobs."""
    table = plain_table("id", "status", "progress", "model", "dataset", "accuracy", "created", "labels")
    at = now or datetime.now(UTC)
    for job in jobs:
        table.add_row(
            job.id,
            Text(job.status.value, STATUS_STYLES.get(job.status, "")),
            f"{job.progress.percent:.0f}%",
            job.spec.model.type,
            job.spec.dataset,
            accuracy(job),
            f"{duration((at - job.created_at).total_seconds())} ago",
            " ".join(f"{key}={value}" for key, value in job.metadata.items()),
        )
    print_table(console, table)


def print_workers(console: Console, workers: Iterable[Worker]) -> None:
    """A table of workers."""
    table = plain_table("name", "status", "job", "devices", "threads", "host", "tensorflow")
    for worker in workers:
        devices = ", ".join(describe_device(device) for device in worker.devices)
        table.add_row(
            worker.name,
            worker.status,
            worker.job_id or "",
            devices,
            str(worker.threads),
            worker.host,
            worker.tensorflow,
        )
    print_table(console, table)


def print_presets(console: Console, presets: Iterable[Preset]) -> None:
    """Each preset's name and what it is for."""
    table = plain_table("name", "description")
    for preset in presets:
        table.add_row(preset.name, preset.description)
    print_table(console, table)


def print_job(console: Console, job: Job) -> None:
    """One job: where it stands, what was asked for, what it measured."""
    facts: list[tuple[str, str]] = [("id", job.id), ("status", status_words(job))]
    if job.status not in TERMINAL:
        facts.append(("progress", f"{job.progress.percent:.0f}%, epoch {job.progress.epoch}/{job.progress.epochs}"))
    facts.append(("created", f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC"))
    if job.worker:
        facts.append(("worker", f"{job.worker}, attempt {job.attempt}"))
    if job.run:
        facts.append(("runs", f"{job.run.execution} on {job.run.device_name}, {job.run.parameters:,} parameters"))
    facts.append(("spec", json.dumps(job.spec.model_dump(mode="json", exclude_defaults=True)) or "{}"))
    facts += [("latest", epoch_line(job.metrics.latest, epochs=job.progress.epochs))] if job.metrics.latest else []
    facts += [("best", epoch_line(job.metrics.best, epochs=job.progress.epochs))] if job.metrics.best else []
    facts += [("artifact", f"{file.name}, {file.size_bytes:,} bytes, sha256 {file.sha256}") for file in job.artifacts]
    facts += [("label", f"{key}={value}") for key, value in job.metadata.items()]
    if job.status in TERMINAL:
        facts.append(("ended", ending(job)))
    for name, fact in facts:
        print_line(console, f"{name:<9} {fact}")


def status_words(job: Job) -> str:
    """Status, reason and place in the queue, as far as there are any."""
    words = job.status.value
    if job.status_reason:
        words += f" ({job.status_reason.replace('_', ' ')})"
    if job.queue_position is not None:
        words += f", {job.queue_position} ahead of it"
    if job.responding is False:
        words += ", its worker is not responding"
    return words


def accuracy(job: Job) -> str:
    """The job's accuracy on the test examples, or else its latest one on the validation examples."""
    if job.metrics.test_accuracy is not None:
        return f"{job.metrics.test_accuracy:.4f}"
    return f"{job.metrics.latest.val_accuracy:.4f}" if job.metrics.latest else ""


def describe_device(device: Device) -> str:
    """A device's kind and model, and what a GPU's memory does."""
    if device.memory_bytes is None:
        return f"{device.kind} ({device.model})"
    return f"{device.kind} ({device.model}, {device.memory_bytes / 2**20:,.0f} MiB in use)"


class PlainTable(Table):
    """A table whose cells are text as it is: no markup; see `escaped`."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row."""
        super().add_row(*(Text(escaped(cell)) if isinstance(cell, str) else cell for cell in cells), **options)


def plain_table(*columns: str) -> PlainTable:
    """A table without lines, as `ps` and `docker` print them."""
    table = PlainTable(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table; not to a terminal, as wide as it is, for what is piped elsewhere must not lose its ends."""
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(file=StringIO(), width=10_000, no_color=True)
    with wide.capture() as text:
        wide.print(table)
    for line in text.get().splitlines():
        print_line(console, line.rstrip())
