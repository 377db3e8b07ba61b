"""The values that a shell proposes for options and arguments: asked of the server, if it answers soon."""

import os
import time
from collections.abc import Callable, Generator, MutableMapping, Sequence
from contextlib import contextmanager

import typer

from gradientd.cli.job_reference import BEGINNING, PAGE, PREFIX, made_between
from gradientd.client import Client, environment
from jobs.datasets import CATALOGUE
from jobs.errors import GradientdError
from jobs.presets import PRESETS
from jobs.record import EpochMetrics, Job
from jobs.states import TERMINAL, Status
from jobs.wire import Dataset

PATIENCE_SECONDS = 1.0
"""Nobody waits longer for a proposal."""
MOST_JOBS = 50
MODE = "_GRADIENTD_COMPLETE"
"""Set by a shell that asks for proposals."""
WIDEST = "100000"


@contextmanager
def unbroken_descriptions(environment: MutableMapping[str, str] = os.environ) -> Generator[None]:
    """Have proposals' descriptions on one line each, as a shell needs them, however narrow the terminal is: else they
    are wrapped as those of a help text are. Does nothing but for a completion."""
    if MODE not in environment:
        yield
        return
    width = environment.get("COLUMNS")
    environment["COLUMNS"] = WIDEST
    try:
        yield
    finally:
        del environment["COLUMNS"]
        environment.update({} if width is None else {"COLUMNS": width})


def jobs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest jobs' ids, with or without their `job_`, as the word began; and `last`."""
    return [("last", "the newest job"), *jobs_that_are((), ctx, incomplete)]


def active_jobs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of jobs that have not ended; and `last`."""
    return [("last", "the newest job"), *jobs_that_are(sorted(set(Status) - TERMINAL), ctx, incomplete)]


def paused_jobs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of jobs that are paused; and `last`."""
    return [("last", "the newest job"), *jobs_that_are([Status.PAUSED], ctx, incomplete)]


def ended_jobs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of jobs that have ended; and `last`."""
    return [("last", "the newest job"), *jobs_that_are(sorted(TERMINAL), ctx, incomplete)]


def jobs_that_are(statuses: Sequence[Status], ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest jobs with one of the statuses that begin so, beside what a person knows them by."""
    newest = asked(
        ctx,
        lambda client: [
            (job.id, f"{job.status}, {job.spec.model.type} on {job.spec.dataset}")
            for job in newest_jobs(client, statuses, incomplete)
        ],
    )
    whole = not incomplete or incomplete.startswith("job_"[: len(incomplete)])
    return newest if whole else [(job_id.removeprefix("job_"), told) for job_id, told in newest]


def newest_jobs(client: Client, statuses: Sequence[Status], incomplete: str) -> list[Job]:
    """The newest jobs with one of the statuses, of those whose ids may begin so; as many as are found at once."""
    digits = incomplete.removeprefix(PREFIX).upper()
    if not BEGINNING.fullmatch(digits):
        return list(client.list(limit=MOST_JOBS, status=statuses).data)
    since, until = made_between(digits)
    found: list[Job] = []
    after, ends_at = None, time.monotonic() + PATIENCE_SECONDS
    while len(found) < MOST_JOBS:
        page = client.list(limit=PAGE, after=after, status=statuses, created_after=since, created_before=until)
        found += (job for job in page.data if job.id.startswith(PREFIX + digits))
        after = page.last_id
        if not page.has_more or time.monotonic() > ends_at:
            break
    return found[:MOST_JOBS]


def presets(ctx: typer.Context) -> list[tuple[str, str]]:
    """Names for `--preset`."""
    found = asked(ctx, lambda client: [(preset.name, preset.description) for preset in client.presets().data])
    return found or [(preset.name, preset.description) for preset in PRESETS.values()]


def datasets(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Names of datasets; once there is an @ behind one, its versions."""
    name, at, _ = incomplete.partition("@")
    if at:
        return asked(
            ctx, lambda client: [(dataset.id, told_of(dataset)) for dataset in client.dataset_versions(name).data]
        )
    found = asked(ctx, lambda client: [(dataset.name, told_of(dataset)) for dataset in client.datasets().data])
    return found or [(dataset.name, dataset.description) for dataset in CATALOGUE.values()]


def told_of(dataset: Dataset) -> str:
    """What a person knows a dataset by."""
    return dataset.description or f"{dataset.train_examples:,} examples"


def metrics(ctx: typer.Context) -> list[str]:
    """Names of what an epoch measures."""
    return [name for name in EpochMetrics.model_fields if name not in ("epoch", "step")]


def one_of(*words: str) -> Callable[[], list[str]]:
    """Proposes these words."""
    return lambda: list(words)


def asked(ctx: typer.Context, ask: Callable[[Client], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """What the server answers; nothing if it does not at once, for a shell has nowhere to show an error."""
    url = ctx.params.get("url") or environment.server_url()
    try:
        key = ctx.params.get("api_key")
        with Client(url, api_key=key, timeout_seconds=PATIENCE_SECONDS, max_retries=0) as client:
            return [(value, " ".join(told.split())) for value, told in ask(client)]
    except (GradientdError, ValueError):
        return []
