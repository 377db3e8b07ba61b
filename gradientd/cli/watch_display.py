"""Shows many jobs while they run: a table that moves on a terminal, a line for each change elsewhere, or JSON lines."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from gradientd.cli.display import duration, print_json, print_line
from gradientd.cli.layout import Table
from gradientd.cli.looks import Look
from gradientd.cli.options import complain
from gradientd.cli.progress_lines import elapsed, figure, measures, rate, tested_words
from gradientd.cli.summaries import JobSummary
from gradientd.cli.tables import STATUS_STYLES, accuracy
from jobs.escapes import escaped
from jobs.states import Status

BAR = 8
"""Columns of a bar."""
COLUMNS = ("id", "status", "done", "epoch", "loss", "accuracy", "steps/s", "ETA", "dataset")
NEEDED_LEAST = ("dataset", "steps/s", "loss", "epoch", "ETA", "accuracy", "done")
"""What a narrow terminal does without, in this order."""
OTHER_LINES = 3
"""Lines of a terminal that are no rows: the heading, what is said below the table, and the cursor's."""


class LiveTable:
    """A table that is drawn anew at each look."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, look: Look) -> None:
        """Draw the table."""
        width, height = self._console.size
        lines = table_lines(look, width=width, height=height, ascii_only=self._console.options.ascii_only)
        self._live.update(Group(*lines), refresh=True)


class ChangeLines:
    """A line for each change of a job's status, and for each epoch that is the newest at a look."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, JobSummary] = {}
        self._trouble: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, look: Look) -> None:
        """Print what changed since the look before."""
        if look.trouble != self._trouble:
            self._trouble = look.trouble
            complain(f"{look.trouble}; trying again" if look.trouble else "the server answers again")
        for job in look.jobs:
            for words in changes(self._shown.get(job.id), job):
                print_line(self._console, f"{job.id} {words}")
            self._shown[job.id] = job


class JsonLines:
    """A job in brief for each change of it, one a line."""

    def __init__(self) -> None:
        self._shown: dict[str, JobSummary] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, look: Look) -> None:
        """Print the jobs that are not as they were."""
        for job in look.jobs:
            if self._shown.get(job.id) != job:
                self._shown[job.id] = job
                print_json(job.model_dump(mode="json", warnings=False), indent=None)


Display = LiveTable | ChangeLines | JsonLines


def display_for(console: Console, *, as_json: bool) -> Display:
    """The display that suits where the output goes."""
    if as_json:
        return JsonLines()
    return LiveTable(console) if console.is_terminal else ChangeLines(console)


def table_lines(
    look: Look, *, width: int, height: int, ascii_only: bool = False, now: datetime | None = None
) -> list[Text]:
    """The jobs as a table that a terminal of this size has room for, and what else is to be said."""
    room = max(1, height - OTHER_LINES)
    table = Table(*COLUMNS, left_out=NEEDED_LEAST)
    at = now or datetime.now(UTC)
    for job in look.jobs[:room]:
        table.add_row(*cells(job, at=at, ascii_only=ascii_only))
    lines = table.lines(width)
    below: list[str] = []
    if len(look.jobs) > room:
        below.append(f"and {len(look.jobs) - room:,} more")
    if look.trouble:
        below.append(f"{look.trouble}; trying again")
    if not look.jobs:
        below.append("no job waits or runs; Ctrl-C ends this")
    return [*lines, *([Text(escaped("; ".join(below)), "dim")] if below else [])]


def cells(job: JobSummary, *, at: datetime, ascii_only: bool) -> Sequence[str | Text]:
    """A job's row. Its id is without `job_`, which no command needs."""
    progress = job.progress
    style = "red" if job.is_deleted or job.responding is False else STATUS_STYLES.get(job.status, "")
    loss = progress.loss if progress.loss is not None else job.metrics.latest and job.metrics.latest.loss
    return (
        job.id.removeprefix("job_"),
        Text(escaped(status_words(job)), style),
        bar(progress.percent, style=style, ascii_only=ascii_only),
        f"{progress.epoch}/{progress.epochs}",
        "" if loss is None else figure(loss).strip(),
        accuracy(job.metrics),
        rate(progress.steps_per_second) if progress.steps_per_second and job.status is Status.RUNNING else "",
        time_left(job, at=at),
        job.dataset,
    )


def status_words(job: JobSummary) -> str:
    """Where a job stands, in few words."""
    if job.is_deleted:
        return "deleted"
    if job.responding is False:
        return "not responding"
    if job.status is Status.RUNNING and job.phase:
        return job.phase.replace("_", " ")
    if job.status is Status.QUEUED and job.queue_position:
        return f"{job.queue_position} ahead"
    return job.status.value


def bar(percent: float, *, style: str, ascii_only: bool) -> Text:
    """How much is done, as a bar and a number."""
    full = round(BAR * percent / 100)
    done, left = ("#", ".") if ascii_only else ("█", "░")
    return Text.assemble((done * full, style), (left * (BAR - full), "dim"), f" {percent:3.0f}%")


def time_left(job: JobSummary, *, at: datetime) -> str:
    """Until when a job is expected to end; of one that waits until when it begins; of one that has ended how long it
    took."""
    if job.is_final:
        took = job.started_at and job.finished_at and (job.finished_at - job.started_at).total_seconds()
        return "" if not took else f"in {duration(took)}"
    expected = job.estimated_start_at if job.status is Status.QUEUED else job.progress.estimated_finish_at
    if expected is None or job.status not in (Status.QUEUED, Status.RUNNING):
        return ""
    left = duration(max(0.0, (expected - at).total_seconds()))
    return f"from {left}" if job.status is Status.QUEUED else left


def changes(before: JobSummary | None, job: JobSummary) -> list[str]:
    """What changed, in lines."""
    lines: list[str] = []
    latest = job.metrics.latest
    if latest and (before is None or latest != before.metrics.latest) and not (before is None and job.is_final):
        lines.append(measures(latest, epochs=job.progress.epochs))
    if before is None or (job.status, job.attempt, job.is_deleted) != (
        before.status,
        before.attempt,
        before.is_deleted,
    ):
        lines.insert(0 if not job.is_final else len(lines), turn(job))
    return lines


def turn(job: JobSummary) -> str:
    """A change of status in words."""
    reason = f" ({job.status_reason.replace('_', ' ')})" if job.status_reason else ""
    if job.is_deleted:
        return "deleted"
    if job.is_final:
        took = elapsed(job.started_at, job.finished_at)
        known = tested_words(job.metrics) if job.status is Status.SUCCEEDED else ""
        reason = "" if job.status_reason == "completed" else reason
        return f"{job.status}{reason}{known}{f' after {took}' if took else ''}"
    if job.status is Status.RUNNING:
        attempt = f", attempt {job.attempt}" if job.attempt > 1 else ""
        return f"running{f' on {job.worker}' if job.worker else ''}{attempt}"
    ahead = f", {job.queue_position} ahead of it" if job.status is Status.QUEUED and job.queue_position else ""
    return f"{job.status}{reason}{ahead}"
