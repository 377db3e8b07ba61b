"""`webhooks`: what a job's webhook was told, and telling it again."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from gradientd.cli.display import print_json, print_line
from gradientd.cli.job_reference import find_job
from gradientd.cli.layout import Table, print_table
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JobArgument, JsonOption, UrlOption, console
from gradientd.client import Client
from jobs.escapes import escaped
from jobs.webhook_messages import Attempt, Delivery

STYLES = {"pending": "yellow", "delivered": "green", "failed": "red"}


def webhooks(
    named: JobArgument,
    *,
    again: Annotated[
        list[str] | None, typer.Option("--redeliver", metavar="DELIVERY", help="Tell this once more; may be repeated.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a job's webhook was told, and what is still to be told, oldest first."""
    with Client(url, api_key=api_key) as client:
        job_id = find_job(client, named)
        deliveries = (
            [client.redeliver(job_id, delivery) for delivery in again]
            if again
            else list(client.webhook_deliveries(job_id))
        )
    if as_json:
        print_json([delivery.model_dump(mode="json", warnings=False) for delivery in deliveries])
    elif deliveries:
        print_deliveries(console(), deliveries)
    else:
        print_line(console(), "nothing: the job has no webhook, or nothing has happened that it is to be told")


def print_deliveries(console: Console, deliveries: list[Delivery]) -> None:
    """A table of deliveries."""
    table = Table(
        "delivery", "told", "status", "attempts", "last answer", "next", left_out=("next", "attempts", "last answer")
    )
    for delivery in deliveries:
        table.add_row(
            delivery.id,
            delivery.type,
            Text(escaped(delivery.status), STYLES.get(delivery.status, "")),
            str(len(delivery.attempts)),
            escaped(answer(delivery.attempts[-1])) if delivery.attempts else "",
            f"{delivery.next_attempt_at:%H:%M:%S}" if delivery.next_attempt_at else "",
        )
    print_table(console, table)


def answer(attempt: Attempt) -> str:
    """What became of an attempt."""
    return str(attempt.status_code or attempt.error or "")
