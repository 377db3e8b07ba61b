"""The values that a shell proposes for options and arguments: asked of the server, if it answers soon."""

from collections.abc import Callable

import typer

from gradientd.client import Client, environment
from jobs.datasets import CATALOGUE
from jobs.errors import GradientdError
from jobs.presets import PRESETS

PATIENCE_SECONDS = 1.0
"""Nobody waits longer for a proposal."""
MOST_JOBS = 50


def jobs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest jobs' ids, with or without their `job_`, as the word began; and `last`."""
    newest = asked(
        ctx,
        lambda client: [(job.id, f"{job.status}, {job.spec.model.type}") for job in client.list(limit=MOST_JOBS).data],
    )
    whole = not incomplete or incomplete.startswith("job_"[: len(incomplete)])
    ids = newest if whole else [(job_id.removeprefix("job_"), told) for job_id, told in newest]
    return [("last", "the newest job"), *ids]


def presets(ctx: typer.Context) -> list[tuple[str, str]]:
    """Names for `--preset`."""
    found = asked(ctx, lambda client: [(preset.name, preset.description) for preset in client.presets().data])
    return found or [(preset.name, preset.description) for preset in PRESETS.values()]


def datasets(ctx: typer.Context) -> list[tuple[str, str]]:
    """Names for `--dataset`."""
    found = asked(ctx, lambda client: [(dataset.name, dataset.description) for dataset in client.datasets().data])
    return found or [(dataset.name, dataset.description) for dataset in CATALOGUE.values()]


def one_of(*words: str) -> Callable[[], list[str]]:
    """Proposes these words."""
    return lambda: list(words)


def asked(ctx: typer.Context, ask: Callable[[Client], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """What the server answers; nothing if it does not at once, for a shell has nowhere to show an error."""
    url = ctx.params.get("url") or environment.server_url()
    try:
        with Client(url, api_key=ctx.params.get("api_key"), timeout_seconds=PATIENCE_SECONDS) as client:
            return ask(client)
    except (GradientdError, ValueError):
        return []
