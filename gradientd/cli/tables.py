"""Jobs, one job, workers, presets and a job's history as a person wants to read them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from gradientd.cli.display import age, print_line
from gradientd.cli.layout import Table, print_table
from gradientd.cli.progress_lines import ending, figure, measures
from gradientd.cli.spec_summary import summary
from jobs.columns import Column
from jobs.escapes import escaped
from jobs.record import Device, Job, Metrics, Worker
from jobs.states import TERMINAL, Status
from jobs.wire import Dataset, KeptCheckpoint, Preset, Series, UploadReport, Weights

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
            Text(escaped(job.status.value), STATUS_STYLES.get(job.status, "")),
            f"{job.progress.percent:.0f}%",
            job.spec.model.type,
            job.spec.dataset,
            accuracy(job.metrics),
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
    """Each dataset's version, how much it holds, and what."""
    table = Table(
        *("name", "train", "test", "learns", "size", "description"),
        left_out=("size", "test"),
        wrapped="description",
    )
    for dataset in datasets:
        table.add_row(
            dataset.id,
            f"{dataset.train_examples:,}",
            f"{dataset.test_examples:,}",
            learns(dataset),
            "" if dataset.size_bytes is None else size(dataset.size_bytes),
            dataset.description,
        )
    print_table(console, table)


def print_weights(console: Console, weights: Iterable[Weights]) -> None:
    """Each upload of weights, and how large it is."""
    table = Table("name", "size", "uploaded")
    for each in weights:
        table.add_row(each.name, size(each.size_bytes), f"{each.created_at:%Y-%m-%d %H:%M}")
    print_table(console, table)


def learns(dataset: Dataset) -> str:
    """What a network learns to tell."""
    if dataset.targets:
        count = len(dataset.targets)
        return f"{count} number{'s' if count > 1 else ''}"
    return f"{len(dataset.classes or ()):,} classes"


def size(count: int) -> str:
    """Bytes in few characters: `850 B`, `3.7 kB`, `142 MB`."""
    value, units = float(count), ["B", "kB", "MB", "GB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}" if value < 9.95 and units[0] != "B" else f"{value:.0f} {units[0]}"


def print_dataset(console: Console, dataset: Dataset) -> None:
    """One dataset: what it holds, how it is read, and what its check has seen."""
    brought = f"{dataset.validation_examples:,} to validate on, " if dataset.validation_examples else ""
    told = f"{dataset.train_examples:,} to train on, {brought}{dataset.test_examples:,} to test on"
    facts = [("dataset", dataset.id), ("examples", told), ("learns", learns(dataset))]
    if dataset.classes:
        counts = dataset.class_counts or {}
        named = [f"{name} ({counts[name]:,})" if name in counts else name for name in dataset.classes[:20]]
        facts.append(("classes", ", ".join(named) + (", …" if len(dataset.classes) > 20 else "")))
    for target in dataset.targets or ():
        facts += [("target", f"{target.name}: mean {target.mean:.6g}, deviation {target.std:.6g}")]
    facts += [("column", column_words(column)) for column in dataset.features.columns or ()]
    if dataset.size_bytes is not None:
        facts.append(("upload", f"{dataset.size_bytes:,} bytes, sha256 {dataset.sha256}"))
    if dataset.created_at:
        facts.append(("created", f"{dataset.created_at:%Y-%m-%d %H:%M:%S} UTC"))
    facts += [("note", words) for words in report_words(dataset.report)]
    if dataset.description:
        facts.append(("about", dataset.description))
    for name, fact in facts:
        print_line(console, f"{name:<9} {fact}")


def column_words(column: Column) -> str:
    """How a column is read."""
    if column.kind == "numeric":
        missing = ", some missing" if column.missing else ""
        return f"{column.name}: numbers, mean {column.mean:.6g}, deviation {column.std:.6g}{missing}"
    if column.kind == "categorical":
        missing = ", some missing" if column.missing else ""
        return f"{column.name}: {len(column.categories):,} categories{missing}"
    return f"{column.name}: left out, {column.reason.replace('_', ' ')}"


def report_words(report: UploadReport | None, what: str = "row") -> list[str]:
    """What a check has seen that somebody may want to look at; `what` its examples are."""
    if report is None:
        return []
    words: list[str] = []
    if report.skipped:
        words.append(f"{counted(report.skipped, what)} left out for {counted(report.faults_total, 'fault')}")
    if report.duplicates:
        words.append(f"{counted(report.duplicates, what)} {are(report.duplicates)} the same as an earlier one")
    if report.train_test_duplicates:
        count = report.train_test_duplicates
        words.append(f"{counted(count, f'test {what}')} {are(count)} the same as a training {what}")
    if report.class_conflicts:
        count = report.class_conflicts
        words.append(f"{counted(count, what)} {are(count)} the same as one of another class")
    if report.sizes and len(report.sizes) > 1:
        some = ", ".join(f"{size.height}x{size.width} ({size.count:,})" for size in report.sizes[:5])
        words.append(f"sizes: {some}{', …' if len(report.sizes) > 5 else ''}")
    if report.constant_columns:
        words.append(f"the same in every row: {', '.join(report.constant_columns)}")
    if report.unique_columns:
        words.append(f"another number in every row, an id perhaps: {', '.join(report.unique_columns)}")
    return words


def counted(count: int, what: str) -> str:
    """So many of something."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def are(count: int) -> str:
    """What so many do."""
    return "is" if count == 1 else "are"


def print_rows(console: Console, rows: Sequence[Mapping[str, object]]) -> None:
    """Rows of a dataset; columns that do not fit are left out."""
    names = list(rows[0]) if rows else []
    # The last column is most often the target, which stays longest.
    table = Table(*names, left_out=[*names[1:-1][::-1], *names[:1]])
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
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
            "" if not kept.metrics or kept.metrics.val_accuracy is None else f"{kept.metrics.val_accuracy:.4f}",
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
        fixed = job.run.non_trainable_parameters
        count = f"{job.run.parameters:,} parameters" + (f", {fixed:,} that are not trained" if fixed else "")
        facts.append(("runs", f"{job.run.execution} on {job.run.device_name}, {count}"))
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


def accuracy(metrics: Metrics) -> str:
    """A job's accuracy or R² on the test examples, or else its latest one on the validation examples."""
    known, r2 = metrics.test_accuracy, metrics.test_r2
    if known is None and r2 is None and metrics.latest:
        known, r2 = metrics.latest.val_accuracy, metrics.latest.val_r2
    if known is not None:
        return f"{known:.4f}"
    return "" if r2 is None else f"R² {r2:.3f}"


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
