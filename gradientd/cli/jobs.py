"""`jobs`, `show`, `cancel`, `pause`, `resume` and `delete`."""

from typing import Annotated

import typer

from gradientd.cli.display import print_json
from gradientd.cli.exit_codes import of_job
from gradientd.cli.job_reference import find_job
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JobArgument, JsonOption, UrlOption, complain, console
from gradientd.cli.tables import print_job, print_jobs
from gradientd.cli.train import read_labels
from gradientd.cli.watching import attend
from gradientd.client import Client
from jobs.errors import GradientdError
from jobs.escapes import escaped
from jobs.record import Job
from jobs.states import Status


def list_jobs(
    *,
    status: Annotated[list[Status] | None, typer.Option(help="Only jobs with this status; may be repeated.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only jobs with this label; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Longest list.")] = 20,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first.

    A terminal that is too narrow does without some columns: labels, dataset, model, created, accuracy, done, status, in
    this order. Piped elsewhere, the table has them all.
    """
    labels = read_labels(metadata)
    with Client(url, api_key=api_key) as client:
        page = client.list(limit=limit, statuses=status or (), metadata=labels)
    if as_json:
        print_json(page.model_dump(mode="json"))
    else:
        print_jobs(console(), page.data)
        if page.has_more:
            complain(f"and more; these are the newest {len(page.data)} (--limit)")


def show(
    named: JobArgument,
    *,
    follow_: Annotated[
        bool, typer.Option("--follow", help="Watch it until it is done; the exit code tells how it ended.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a job."""
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        if follow_:
            raise typer.Exit(of_job(attend(client, job_id, as_json=as_json, api_key=api_key).status))
        job = client.get(job_id)
        if as_json:
            print_json(job.model_dump(mode="json"))
        else:
            print_job(console(), job, usual_runtime_seconds=usual_runtime(client))


def cancel(
    named: JobArgument,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Return once the job has stopped.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a job to stop. Does nothing to one that has ended."""
    with Client(url, api_key=api_key) as client:
        job = client.cancel(find_job(client, named))
        if wait:
            job = client.wait_for(job.id)
    tell_status(job, as_json=as_json)


def pause(
    named: JobArgument, *, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Ask a job to stop for the time being. Resumed, it goes on from its step, to the same bits."""
    with Client(url, api_key=api_key) as client:
        tell_status(client.pause(find_job(client, named)), as_json=as_json)


def resume(
    named: JobArgument, *, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Queue a paused job again."""
    with Client(url, api_key=api_key) as client:
        tell_status(client.resume(find_job(client, named)), as_json=as_json)


def delete(
    named: JobArgument, *, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Delete a job that has ended, with its history and its files, for good. Any other has to be cancelled first."""
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        client.delete(job_id)
    print_json({"id": job_id, "deleted": True}) if as_json else typer.echo(escaped(f"{job_id} is deleted"))


def tell_status(job: Job, *, as_json: bool) -> None:
    """Say what became of a job."""
    print_json(job.model_dump(mode="json")) if as_json else typer.echo(escaped(f"{job.id} {job.status}"))


def usual_runtime(client: Client) -> int | None:
    """The running time that the server gives a job that names none; None if it does not tell."""
    try:
        return next((preset.spec.max_runtime_seconds for preset in client.presets().data), None)
    except GradientdError:
        return None
