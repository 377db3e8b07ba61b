"""`metrics`, `events` and `checkpoints`: what happened to a job."""

from collections.abc import Iterator
from typing import Annotated

import typer

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


def metrics(
    named: JobArgument,
    *,
    points: Annotated[
        int | None, typer.Option(min=2, max=100_000, help="Thin the epochs out to at most so many.", show_default="all")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV: a header, then a line an epoch.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what each epoch of a job measured."""
    if as_csv and as_json:
        raise typer.BadParameter("either CSV or JSON", param_hint="--csv")
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        if as_csv:
            for line in client.metrics_csv(job_id, max_points=points).splitlines():
                typer.echo(escaped(line))
            return
        series = client.metrics(job_id, max_points=points)
    print_json(series.model_dump(mode="json")) if as_json else print_metrics(console(), series)


def events(
    named: JobArgument,
    *,
    follow_: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended.")] = False,
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
                    print_json(event.model_dump(mode="json"), indent=None)
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
    print_json(page.model_dump(mode="json")) if as_json else print_checkpoints(console(), page.data)


def all_events(client: Client, job_id: str) -> Iterator[Event]:
    """The job's events, until its last."""
    for update in follow(client, job_id):
        yield from update.events
