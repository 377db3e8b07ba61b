"""Shows a job while it runs: a live bar on a terminal, plain lines elsewhere, or JSON lines for programs."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gradientd.cli.progress_lines import ProgressLines, figure, rate
from gradientd.client.follow import Update
from jobs.escapes import escaped, escaped_json
from jobs.record import Job
from jobs.states import Status

WIDEST_BAR = 24
NARROWEST_BAR = 4


class Display(Protocol):
    """Shows updates as they come. A context, for what it has to put up and take down."""

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, update: Update) -> None:
        """Show what is new."""
        ...


class PlainDisplay:
    """Lines without control characters."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress_lines = ProgressLines()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, update: Update) -> None:
        """Print what happened, line by line."""
        for line in self._progress_lines.lines(update):
            print_line(self._console, line)


class LiveDisplay(PlainDisplay):
    """The same lines, and below them a bar that moves."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._column = BarColumn(bar_width=WIDEST_BAR)
        self._bar = live_bar(console, self._column)
        self._task = self._bar.add_task("", total=100.0, figures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, update: Update) -> None:
        """Print what happened above the bar, and move the bar."""
        super().show(update)
        doing, told = escaped(label(update)), figures(update.job)
        room = self._room(doing, told)
        if room < NARROWEST_BAR:
            told = figures(update.job, brief=True)
            room = self._room(doing, told)
        self._column.bar_width = max(NARROWEST_BAR, min(room, WIDEST_BAR))
        self._bar.update(self._task, completed=update.job.progress.percent, description=doing, figures=told)

    def _room(self, doing: str, told: str) -> int:
        """What the words beside the bar leave for it, so that none of them is cut."""
        return self._console.width - cell_len(doing) - cell_len(told) - 2


class JsonDisplay:
    """JSON lines: the job as it was when first seen, each event, and the final job."""

    def __init__(self) -> None:
        self._is_first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, update: Update) -> None:
        """Print each event as it comes, between the first and the last job."""
        if self._is_first and not update.is_last:
            print_json(update.job.model_dump(mode="json", warnings=False), indent=None)
        self._is_first = False
        for event in update.events:
            print_json(event.model_dump(mode="json", warnings=False), indent=None)
        if update.is_last:
            print_json(update.job.model_dump(mode="json", warnings=False), indent=None)


def watch(updates: Iterator[Update], display: Display) -> Job:
    """Show all updates, of which there is at least one, and return the job as the last one has it."""
    with display:
        update = next(updates)
        display.show(update)
        for update in updates:
            display.show(update)
        return update.job


def display_for(console: Console, *, as_json: bool) -> Display:
    """The display that suits where the output goes."""
    if as_json:
        return JsonDisplay()
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


def print_json(document: object, *, indent: int | None = 2) -> None:
    """Print a document to standard output."""
    only_ascii = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    sys.stdout.write(escaped_json(json.dumps(document, indent=indent, ensure_ascii=only_ascii)) + "\n")
    sys.stdout.flush()


def print_line(console: Console, line: str) -> None:
    """Print a line of text as it is: no markup, no wrapping, no guessing at colours; see `escaped`."""
    console.print(escaped(line), markup=False, highlight=False, soft_wrap=True, emoji=False)


def live_bar(console: Console, bar: BarColumn) -> Progress:
    """A bar with a job's phase before it and its figures after it; gone once the job is done."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        bar,
        TextColumn("{task.fields[figures]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=5,
    )


def label(update: Update) -> str:
    """What the job is doing, in a word or two."""
    job = update.job
    if update.trouble:
        return "no answer"
    if job.status is Status.QUEUED and job.queue_position is not None:
        return f"queued, {job.queue_position} ahead"
    if job.status is Status.RUNNING and job.phase:
        return job.phase.replace("_", " ")
    return job.status.value


def figures(job: Job, *, brief: bool = False) -> str:
    """The job's present figures, those that are known; `brief` does without the accuracy."""
    progress = job.progress
    parts = [f"{progress.percent:.0f}%", f"epoch {progress.epoch}/{progress.epochs}"]
    if progress.loss is not None:
        parts.append(f"loss {figure(progress.loss).strip()}")
    if progress.accuracy is not None and not brief:
        parts.append(f"acc {progress.accuracy:.4f}")
    if progress.examples_per_second is not None:
        parts.append(f"{rate(progress.examples_per_second)} ex/s")
    if progress.estimated_finish_at is not None and job.status is Status.RUNNING:
        left = (progress.estimated_finish_at - datetime.now(UTC)).total_seconds()
        parts.append(f"ETA {duration(max(0.0, left))}")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """`42 s`, `3:05` or `2:03:05`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds_left:02}" if hours else f"{minutes}:{seconds_left:02}"


def age(since: timedelta) -> str:
    """How long ago that was, in one unit: `42 s ago`, `3 min ago`, `2 h ago`, `5 d ago`."""
    seconds = max(0.0, since.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
