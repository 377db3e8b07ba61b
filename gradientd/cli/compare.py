"""`compare`: jobs side by side."""

import json
from string import ascii_uppercase
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from gradientd.cli import completion
from gradientd.cli.comparison import Comparison, Row, compared
from gradientd.cli.display import duration, print_json, print_line
from gradientd.cli.job_reference import find_job
from gradientd.cli.layout import GAP, Table, print_table
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption, console
from gradientd.cli.progress_lines import figure
from gradientd.cli.tables import status_words
from gradientd.client import Client
from jobs.escapes import escaped

LETTERS = ascii_uppercase
LONGEST_VALUE, SHORTEST_VALUE = 32, 10
"""Characters of a field's value, as far as the terminal is wide enough; the rest is told by --json."""


def compare(
    named: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB",
            help="Two jobs or more: their ids, as much of their beginnings as tells them from others, or `last`.",
            show_default=False,
            autocompletion=completion.jobs,
        ),
    ],
    *,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare jobs: the fields in which their specs differ, what each measured, its speed and duration; the best of a
    row has a star.

    A star is only given where values can be compared: none for how well a network does on another's data.
    """
    if not 2 <= len(named) <= len(LETTERS):
        raise typer.BadParameter(f"takes from 2 to {len(LETTERS)} jobs", param_hint="JOB")
    with Client(url, api_key=api_key) as client:
        comparison = compared([client.get(find_job(client, name)) for name in named])
    print_json(comparison.document) if as_json else print_comparison(console(), comparison)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """The jobs with a letter each, then a table of what differs, and one of what was measured."""
    jobs = comparison.jobs
    letters = LETTERS[: len(jobs)]
    for letter, job in zip(letters, jobs, strict=True):
        print_line(console, f"{letter}  {job.id}  {status_words(job)}, {job.spec.model.type} on {job.spec.dataset}")
    print_line(console, "")
    if comparison.differences:
        room = (console.width - max(map(len, comparison.differences))) // len(jobs) - len(GAP)
        longest = min(max(room, SHORTEST_VALUE), LONGEST_VALUE) if console.is_terminal else LONGEST_VALUE
        table = Table("spec", *letters)
        for name, values in comparison.differences.items():
            table.add_row(name, *(shown_value(value, longest=longest) for value in values))
        print_table(console, table)
    else:
        print_line(console, "their specs are the same")
    if comparison.rows:
        print_line(console, "")
        table = Table("measured", *letters)
        for row in comparison.rows:
            marks = zip(row.values, row.best, strict=True)
            table.add_row(row.name, *(shown_measurement(row, value, is_best=best) for value, best in marks))
        print_table(console, table)
    for note in comparison.notes:
        print_line(console, f"note: {note}")


def shown_value(value: Any, *, longest: int = LONGEST_VALUE) -> str:
    """A field's value, as one sets it; cut where it is long."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shown_measurement(row: Row, value: float | None, *, is_best: bool) -> Text:
    """A measurement, with a star where it is the best."""
    if value is None:
        return Text("-", "dim")
    if row.name == "seconds":
        text = duration(value) if value >= 60 else f"{value:.1f}"
    elif row.name in ("parameters", "examples/s"):
        text = f"{value:,.0f}"
    else:
        text = str(value) if isinstance(value, int) else figure(value).strip()
    return Text(escaped(f"{text} *" if is_best else text), "bold green" if is_best else "")
