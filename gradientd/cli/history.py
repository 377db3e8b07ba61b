"""`metrics`, `events` and `checkpoints`: what happened to a job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from gradientd.cli import completion
from gradientd.cli.display import print_json, print_line
from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.job_reference import find_job
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JobArgument, JsonOption, UrlOption, console
from gradientd.cli.progress_lines import event_line
from gradientd.cli.tables import print_checkpoints, print_metrics
from gradientd.client import Client
from gradientd.client.follow import events_after, follow
from jobs.escapes import escaped
from jobs.record import Event
from jobs.wire import Series


def metrics(
    named: JobArgument,
    *,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name", help="Only this metric; may be repeated.", autocompletion=completion.metrics, show_default="all"
        ),
    ] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only so many epochs, the last.", show_default="all")] = None,
    points: Annotated[
        int | None, typer.Option(min=2, max=100_000, help="Thin the epochs out to at most so many.", show_default="all")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV: a header, then a line an epoch.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the CSV, and not standard output.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what each epoch of a job measured."""
    if (as_csv or output) and as_json:
        raise typer.BadParameter("either CSV or JSON", param_hint="--csv" if as_csv else "--output")
    if last and points:
        raise typer.BadParameter("either the last epochs or all thinned out", param_hint="--last")
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        if as_csv or output:
            text = client.metrics_csv(job_id, names=names or (), max_points=points)
            write_csv(last_lines(text, last), output)
            return
        series = last_epochs(client.metrics(job_id, names=names or (), max_points=points), last)
    print_json(series.model_dump(mode="json", warnings=False)) if as_json else print_metrics(console(), series)


def last_epochs(series: Series, count: int | None) -> Series:
    """The last so many epochs of a series, or all."""
    if count is None:
        return series
    shorter = {"epochs": series.epochs[-count:], "steps": series.steps[-count:]}
    columns = {name: values[-count:] for name, values in series.series.items()}
    return series.model_copy(update={**shorter, "series": columns})


def last_lines(text: str, count: int | None) -> str:
    """The same of a CSV, which keeps its header."""
    header, *lines = text.splitlines(keepends=True)
    return header + "".join(lines if count is None else lines[-count:])


def write_csv(text: str, output: Path | None) -> None:
    """Write a CSV to a file as it came, or to standard output. Raises typer.BadParameter."""
    if output is None:
        for line in text.splitlines():
            typer.echo(escaped(line))
        return
    try:
        output.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {output}: {error.strerror or error}", param_hint="--output") from error


def events(
    named: JobArgument,
    *,
    follow_: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what happened to a job, oldest first: changes of status, how it runs, epochs, checkpoints.

    With --json: one event a line.
    """
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        epochs = client.get(job_id).progress.epochs
        try:
            for event in all_events(client, job_id) if follow_ else events_after(client, job_id, None):
                if as_json:
                    print_json(event.model_dump(mode="json", warnings=False), indent=None)
                else:
                    print_line(console(), event_line(event, epochs=epochs))
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def checkpoints(
    named: JobArgument, *, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """List the states of a job that are kept: the last, from where it would go on, and the best epoch's."""
    with Client(url, api_key=api_key) as client:
        page = client.checkpoints(find_job(client, named))
    print_json(page.model_dump(mode="json", warnings=False)) if as_json else print_checkpoints(console(), page.data)


def all_events(client: Client, job_id: str) -> Iterator[Event]:
    """The job's events, until its last."""
    for update in follow(client, job_id):
        yield from update.events
