"""Options that several commands share, and what goes with them."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from gradientd.local.output import forget
from jobs.escapes import escaped

DEFAULT_URL = "http://127.0.0.1:8000"


def checked_key(text: str) -> str:
    """The key. One that cannot be one is a usage error, which does not repeat it."""
    if not text.isascii() or not text.isprintable():
        raise typer.BadParameter("an API key is printable ASCII: gd_ and 43 more characters")
    return text.strip()


UrlOption = Annotated[str, typer.Option("--url", envvar="GRADIENTD_URL", help="Address of the API.")]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="GRADIENTD_API_KEY",
        metavar="KEY",
        help="API key, where the server asks for one. Others on this machine can read options: prefer the variable.",
        show_default=False,
        parser=checked_key,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to standard output, and nothing else.")]
JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id.", show_default=False)]


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
