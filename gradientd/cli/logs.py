"""`logs`: what a job's worker, and the service, have to say about it, beside its changes of status."""

from datetime import UTC
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from gradientd.cli.display import print_json
from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.job_reference import find_job
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JobArgument, JsonOption, UrlOption, console
from gradientd.cli.progress_lines import happened
from gradientd.client import Client
from jobs.escapes import escaped
from jobs.record import Event
from jobs.states import Status


class Level(StrEnum):
    """How much a line matters; each includes those behind it."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


STYLES = {Level.INFO: "dim", Level.WARNING: "yellow", Level.ERROR: "bold red"}
LEVELS = tuple(Level)


def logs(
    named: JobArgument,
    *,
    follow_: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    level: Annotated[Level, typer.Option(help="Leave out what matters less.")] = Level.INFO,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a job's worker has to say, and its changes of status: time (UTC), level, message.

    Of very many lines the server keeps the first 10 and the last 90. With --json: one event a line.
    """
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        try:
            for event in client.events(job_id) if follow_ else client.history(job_id, limit=1000):
                of = level_of(event)
                if of is None or LEVELS.index(of) < LEVELS.index(level):
                    continue
                if as_json:
                    print_json(event.model_dump(mode="json", warnings=False), indent=None)
                else:
                    print_log(console(), event, of)
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def level_of(event: Event) -> Level | None:
    """How much an event matters; None for one that is no line of a log."""
    if event.type == "status":
        return Level.ERROR if event.data.get("status") == Status.FAILED else Level.INFO
    if event.type != "log":
        return None
    told = event.data.get("level")
    # One that a newer server knows is shown, whatever it means.
    return Level(told) if told in LEVELS else Level.ERROR


def print_log(console: Console, event: Event, level: Level) -> None:
    """Print a line: when, how much it matters, what."""
    line = Text(f"{event.at.astimezone(UTC):%H:%M:%S}  ")
    line.append(f"{level.value:<7}", STYLES[level])
    line.append(f"  {escaped(happened(event, epochs=1))}", "" if event.type == "log" else "bold")
    console.print(line, soft_wrap=True)
