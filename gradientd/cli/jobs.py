"""`jobs` and `show`."""

from typing import Annotated

import typer

from gradientd.cli.display import print_json
from gradientd.cli.exit_codes import of_job
from gradientd.cli.job_reference import find_job
from gradientd.cli.options import (
    DEFAULT_URL,
    ApiKeyOption,
    JobArgument,
    JsonOption,
    LabelOption,
    StatusOption,
    UrlOption,
    complain,
    console,
)
from gradientd.cli.tables import print_job, print_jobs
from gradientd.cli.train import read_labels
from gradientd.cli.watching import attend
from gradientd.client import Client
from jobs.errors import GradientdError


def list_jobs(
    *,
    status: StatusOption = None,
    metadata: LabelOption = None,
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
        page = client.list(limit=limit, status=status or (), metadata=labels)
    if as_json:
        print_json(page.model_dump(mode="json", warnings=False))
    else:
        print_jobs(console(), page.data)
        if page.has_more:
            complain(f"and more; these are the newest {len(page.data)} (--limit)")


def show(
    named: JobArgument,
    *,
    follow_: Annotated[
        bool, typer.Option("--follow", "-f", help="Watch it until it is done; the exit code tells how it ended.")
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
            print_json(job.model_dump(mode="json", warnings=False))
        else:
            print_job(console(), job, usual_runtime_seconds=usual_runtime(client))


def usual_runtime(client: Client) -> int | None:
    """The running time that the server gives a job that names none; None if it does not tell."""
    try:
        return next((preset.spec.max_runtime_seconds for preset in client.presets().data), None)
    except GradientdError:
        return None
