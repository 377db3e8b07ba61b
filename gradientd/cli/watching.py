"""Watches a job to its end, and says what goes on without the watcher."""

import os
from shlex import quote

import typer

from gradientd.cli.display import display_for, watch
from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.options import complain, console
from gradientd.cli.program import called_as
from gradientd.client import Client, environment
from gradientd.client.follow import follow
from jobs.record import Job


def attend(client: Client, job_id: str, *, as_json: bool, api_key: str | None) -> Job:
    """Show the job until it has ended; an interruption leaves it running and says so.

    Raises:
        typer.Exit: with `INTERRUPTED`, on Ctrl-C.
    """
    try:
        return watch(follow(client, job_id), display_for(console(), as_json=as_json))
    except KeyboardInterrupt:
        for line in farewell(job_id, url=client.url, api_key=api_key):
            complain(line)
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def farewell(job_id: str, *, url: str, api_key: str | None) -> list[str]:
    """That the job goes on, with the commands to follow it and to stop it, as they have to be typed here."""
    command, options = called_as(), ""
    if url != environment.server_url().rstrip("/"):
        options += f" --url {quote(url)}"
    if api_key and api_key != os.environ.get(environment.API_KEY_VARIABLE, "").strip():
        options += " --api-key KEY"  # a secret does not belong on a screen
    return [
        "",
        "the job goes on",
        f"  follow it: {command} show {job_id} --follow{options}",
        f"  stop it:   {command} cancel {job_id}{options}",
    ]
