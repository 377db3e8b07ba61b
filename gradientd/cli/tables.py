"""Jobs, one job, workers, presets and a job's history as a person wants to read them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from gradientd.cli.display import age, print_line
from gradientd.cli.layout import Table, print_table
from gradientd.cli.progress_lines import ending, figure, measures
from gradientd.cli.spec_summary import summary
from jobs.record import Device, Job, Worker
from jobs.states import TERMINAL, Status
from jobs.wire import Dataset, KeptCheckpoint, Preset, Series

STATUS_STYLES = {
    Status.SUCCEEDED: "green",
    Status.FAILED: "red",
    Status.CANCELLED: "yellow",
    Status.RUNNING: "cyan",
}

NEEDED_LEAST = ("device_memory_peak_bytes", "device_memory_bytes", "seconds", "step", "learning_rate")
"""Metrics that a narrow terminal does without before it does without those that say how well a network learns."""


def print_jobs(console: Console, jobs: Iterable[Job], *, now: datetime | None = None) -> None:
    """A table of jobs. What was asked for goes before how far it came: the first is in `gradientd show` as well."""
    table = Table(
        *("id", "status", "done", "model", "dataset", "accuracy", "created", "labels"),
        left_out=("labels", "dataset", "model", "created", "accuracy", "done", "status"),
    )
    at = now or datetime.now(UTC)
    for job in jobs:
        table.add_row(
            job.id,
            Text(job.status.value, STATUS_STYLES.get(job.status, "")),
            f"{job.progress.percent:.0f}%",
            job.spec.model.type,
            job.spec.dataset,
            accuracy(job),
            age(at - job.created_at),
            " ".join(f"{key}={value}" for key, value in job.metadata.items()),
        )
    print_table(console, table)


def print_workers(console: Console, workers: Iterable[Worker]) -> None:
    """A table of workers."""
    table = Table(
        *("name", "status", "job", "devices", "threads", "host", "tensorflow"),
        left_out=("tensorflow", "host", "threads", "devices", "status"),
    )
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
    table = Table("name", "description", wrapped="description")
    for preset in presets:
        table.add_row(preset.name, preset.description)
    print_table(console, table)


def print_datasets(console: Console, datasets: Iterable[Dataset]) -> None:
    """Each dataset's name, how much it holds, and what."""
    table = Table("name", "train", "test", "classes", "description", wrapped="description")
    for dataset in datasets:
        table.add_row(
            dataset.name,
            f"{dataset.train_examples:,}",
            f"{dataset.test_examples:,}",
            str(dataset.classes),
            dataset.description,
        )
    print_table(console, table)


def print_metrics(console: Console, series: Series) -> None:
    """A row an epoch, under the metrics' own names. A metric that was never measured has no column."""
    measured = [name for name in series.names if any(value is not None for value in series.series[name])]
    table = Table("epoch", "step", *measured, left_out=[*NEEDED_LEAST, *reversed(measured)])
    for at, (epoch, step) in enumerate(zip(series.epochs, series.steps, strict=True)):
        table.add_row(str(epoch), str(step), *(shown_metric(name, series.series[name][at]) for name in measured))
    print_table(console, table)


def print_checkpoints(console: Console, checkpoints: Iterable[KeptCheckpoint]) -> None:
    """A table of the states that are kept."""
    table = Table(
        *("name", "kind", "epoch", "step", "val_accuracy", "bytes", "sha256"),
        left_out=("sha256", "bytes", "step", "val_accuracy", "epoch", "kind"),
    )
    for kept in checkpoints:
        table.add_row(
            kept.name,
            kept.kind,
            str(kept.epoch),
            str(kept.step),
            f"{kept.metrics.val_accuracy:.4f}" if kept.metrics else "",
            f"{kept.size_bytes:,}",
            kept.sha256,
        )
    print_table(console, table)


def print_job(console: Console, job: Job, *, usual_runtime_seconds: int | None = None) -> None:
    """One job: where it stands, what was asked for, what it measured.

    `usual_runtime_seconds` is the longest running time that the server gives a job that names none.
    """
    facts: list[tuple[str, str]] = [("id", job.id), ("status", status_words(job))]
    if job.status not in TERMINAL:
        facts.append(("progress", f"{job.progress.percent:.0f}%, epoch {job.progress.epoch}/{job.progress.epochs}"))
    facts.append(("created", f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC"))
    if job.worker:
        facts.append(("worker", f"{job.worker}, attempt {job.attempt}"))
    if job.run:
        facts.append(("runs", f"{job.run.execution} on {job.run.device_name}, {job.run.parameters:,} parameters"))
    facts.append(("spec", json.dumps(summary(job.spec, usual_runtime_seconds=usual_runtime_seconds))))
    if job.metrics.latest:
        facts.append(("latest", measures(job.metrics.latest, epochs=job.progress.epochs)))
    if job.metrics.best:
        facts.append(("best", measures(job.metrics.best, epochs=job.progress.epochs)))
    if job.metrics.latest:
        facts.append(("speed", f"{job.metrics.latest.examples_per_second:,.0f} examples/s"))
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


def shown_metric(name: str, value: float | None) -> str:
    """A metric's value, in few digits where it was measured rather than set."""
    if value is None:
        return ""
    if name == "learning_rate":
        return f"{value:.6g}"
    if name in ("seconds", "examples_per_second") or name.endswith("_bytes"):
        return f"{value:,.2f}" if name == "seconds" else f"{value:,.0f}"
    return figure(value)


def describe_device(device: Device) -> str:
    """A device's kind and model, and what a GPU's memory does."""
    if device.memory_bytes is None:
        return f"{device.kind} ({device.model})"
    return f"{device.kind} ({device.model}, {device.memory_bytes / 2**20:,.0f} MiB in use)"
