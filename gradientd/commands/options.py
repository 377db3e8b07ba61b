"""Options that several commands share, and what goes with them."""

from typing import Annotated

import typer
from rich.console import Console

DEFAULT_URL = "http://127.0.0.1:8000"

UrlOption = Annotated[str, typer.Option("--url", envvar="GRADIENTD_URL", help="Address of the API.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to standard output, and nothing else.")]
JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id.", show_default=False)]


def console() -> Console:
    """Standard output, for people."""
    return Console(highlight=False)


def complain(line: str) -> None:
    """Say something on standard error."""
    typer.echo(line, err=True)
