"""Options that several commands share, and what goes with them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from gradientd.cli import completion
from gradientd.client import environment
from gradientd.local.output import forget
from jobs.escapes import escaped
from jobs.states import Status

DEFAULT_URL = environment.DEFAULT_URL


def checked_key(text: str) -> str:
    """The key. One that cannot be one is a usage error, which does not repeat it."""
    try:
        return environment.checked_key(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def folder(text: str) -> Path:
    """The folder. No name at all, as of a shell variable that is not set, must not mean the current one."""
    if not text:
        raise typer.BadParameter("must name a folder")
    return Path(text)


UrlOption = Annotated[str, typer.Option("--url", envvar=environment.URL_VARIABLE, help="Address of the API.")]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar=environment.API_KEY_VARIABLE,
        metavar="KEY",
        help="API key, where the server asks for one. Others on this machine can read options: prefer the variable.",
        show_default=False,
        parser=checked_key,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to standard output, and nothing else.")]
JobArgument = Annotated[
    str,
    typer.Argument(
        metavar="JOB",
        help="The job's id, as much of its beginning as tells it from others, or `last` for the newest.",
        show_default=False,
        autocompletion=completion.jobs,
    ),
]


def jobs_argument(propose: Callable[[typer.Context, str], list[tuple[str, str]]]) -> Any:
    """An argument for any number of jobs, of which a shell is proposed some."""
    return typer.Argument(
        metavar="JOB",
        help="The jobs' ids, as much of their beginnings as tells them from others, or `last` for the newest.",
        show_default=False,
        autocompletion=propose,
    )


JobsArgument = Annotated[list[str] | None, jobs_argument(completion.jobs)]
ActiveJobsArgument = Annotated[list[str] | None, jobs_argument(completion.active_jobs)]
PausedJobsArgument = Annotated[list[str] | None, jobs_argument(completion.paused_jobs)]
EndedJobsArgument = Annotated[list[str] | None, jobs_argument(completion.ended_jobs)]
StatusOption = Annotated[list[Status] | None, typer.Option(help="Only jobs with this status; may be repeated.")]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--metadata", "-l", metavar="KEY=VALUE", help="Only jobs with this label; may be repeated."),
]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="NAME[@VERSION]",
        help="Only jobs on this dataset, or on this version of it.",
        autocompletion=completion.datasets,
    ),
]


def console() -> Console:
    """Standard output, for people."""
    return Console(highlight=False)


def complain(*lines: str) -> None:
    """Say something on standard error; see `escaped`. Where that cannot be written, nobody hears it."""
    try:
        for line in lines:
            typer.echo(escaped(line), err=True)
    except OSError:
        forget(sys.stderr)
