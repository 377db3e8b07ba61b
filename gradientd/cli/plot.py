"""`plot`: learning curves in the terminal, or as a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from gradientd.cli import completion
from gradientd.cli.curves import LETTERS, Panel, PlottedJobs, panels_of
from gradientd.cli.errors import ExtraMissing
from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.extras import NOTEBOOK
from gradientd.cli.job_reference import find_job
from gradientd.cli.looks import Look, looks
from gradientd.cli.options import (
    DEFAULT_URL,
    ApiKeyOption,
    UrlOption,
    complain,
    console,
)
from gradientd.cli.plot_page import plot_page
from gradientd.cli.summaries import JobSummary, SummaryClient
from gradientd.cli.terminal_plot import plot_lines
from gradientd.cli.watch import of_jobs
from gradientd.cli.watch_display import status_words
from jobs.escapes import escaped


def plot(
    named: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB",
            help="The jobs' ids, as much of their beginnings as tells them from others, or `last` for the newest.",
            show_default=False,
            autocompletion=completion.jobs,
        ),
    ],
    *,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            help="What to plot, of training and validation examples; may be repeated.",
            show_default="loss, and accuracy or r2",
            autocompletion=completion.metrics,
        ),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="A logarithmic scale, for losses that get small.")] = False,
    follow_: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Draw anew as they train, until all have ended; the exit code tells how."),
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write an interactive page, which needs no network, and not draw."),
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Plot how jobs learn, in the terminal or as a page: their metrics by epoch, several jobs in the same plot.

    Without colours, letters draw the curves: capitals those of training examples, small letters those of validation.
    """
    if len(named) > len(LETTERS):
        raise typer.BadParameter(f"at most {len(LETTERS)} jobs", param_hint="JOB")
    if page and follow_:
        raise typer.BadParameter("a page does not follow", param_hint="--html")
    if page and not NOTEBOOK.is_installed:
        raise ExtraMissing("gradientd plot --html", extra=NOTEBOOK.name)
    with SummaryClient(url, api_key=api_key) as client:
        ids = list(dict.fromkeys(find_job(client, name) for name in named))
        plotted = PlottedJobs(client, ids, metrics or ())
        if follow_:
            raise typer.Exit(of_jobs(followed(plotted, metrics or (), log=log)))
        jobs = plotted.look()
    panels = shown_panels(plotted, metrics or (), log=log)
    if page:
        write_page(page, plot_page(panels, list(map(told_of, jobs)), log=log))
        return
    for line in screen_lines(console(), Look(jobs), panels, log=log):
        console().print(line, soft_wrap=True)


def followed(plotted: PlottedJobs, metrics: Sequence[str], *, log: bool) -> Sequence[JobSummary]:
    """The jobs once all have ended, drawn meanwhile on a terminal, and at the end elsewhere. Raises typer.Exit."""
    where = console()
    jobs: Sequence[JobSummary] = ()
    try:
        with Live(console=where, auto_refresh=False, transient=not where.is_terminal) as live:
            for look in looks(plotted):
                jobs = look.jobs
                panels = panels_of(plotted.series, metrics, above_zero=log)
                if where.is_terminal:
                    lines = screen_lines(where, look, panels, log=log, fill=True)
                    live.update(Group(*lines), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if not where.is_terminal:
        for line in screen_lines(where, Look(jobs), shown_panels(plotted, metrics, log=log), log=log):
            where.print(line, soft_wrap=True)
    return jobs


def shown_panels(plotted: PlottedJobs, metrics: Sequence[str], *, log: bool) -> list[Panel]:
    """What there is to plot; what of the metrics that were asked for there is not is said.

    Raises:
        typer.Exit: with `FAILED`, where there is nothing.
    """
    panels = panels_of(plotted.series, metrics, above_zero=log)
    missing = [metric for metric in metrics if metric not in {panel.metric for panel in panels}]
    if not panels:
        what = f"{' and '.join(missing)} not measured" if missing else "no epoch has been measured yet"
        complain(f"nothing to plot: {what}")
        raise typer.Exit(ExitCode.FAILED)
    if missing:
        complain(f"not measured: {', '.join(missing)}")
    return panels


def screen_lines(console: Console, look: Look, panels: Sequence[Panel], *, log: bool, fill: bool = False) -> list[Text]:
    """The jobs' names, and below them the plots."""
    letters = LETTERS if len(look.jobs) > 1 else " "
    heads = [Text(escaped(f"{letter} {told_of(job)}".strip())) for letter, job in zip(letters, look.jobs, strict=False)]
    if look.trouble:
        heads.append(Text(escaped(f"{look.trouble}; trying again"), "dim"))
    if not panels:
        heads.append(Text("no epoch has been measured yet", "dim"))
    return [*heads, *plot_lines(console, panels, log=log, fill=fill, besides=len(heads))]


def told_of(job: JobSummary) -> str:
    """A job in a line."""
    return f"{job.id}  {status_words(job)}, {job.progress.epoch}/{job.progress.epochs} epochs on {job.dataset}"


def write_page(path: Path, page: str) -> None:
    """Write the page, or to standard output for `-`. Raises typer.BadParameter."""
    if str(path) == "-":
        typer.echo(page, nl=False)
        return
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {path}: {error.strerror or error}", param_hint="--html") from error
    typer.echo(escaped(f"{path}  {path.stat().st_size:,} bytes"))
