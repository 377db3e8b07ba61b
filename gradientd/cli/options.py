"""Options that several commands share, and what goes with them."""

from typing import Annotated

import typer
from rich.console import Console

from gradientd.cli import completion
from gradientd.client import environment

DEFAULT_URL = environment.DEFAULT_URL


def checked_key(text: str) -> str:
    """The key. One that cannot be one is a usage error, which does not repeat it."""
    try:
        return environment.checked_key(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


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


def console() -> Console:
    """Standard output, for people."""
    return Console(highlight=False)


def complain(line: str) -> None:
    """Say something on standard error."""
    typer.echo(line, err=True)
