"""`up` and `demo`: the whole service on this machine."""

import asyncio
import sys
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from gradientd.cli import demo as demonstration
from gradientd.cli.options import console
from gradientd.errors import CannotStart
from gradientd.local.output import Stream
from gradientd.local.stack import Plan, Stack
from jobs.exposure import is_loopback
from jobs.settings import Settings

WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, max=256, help="How many.", show_default="one, or one per GPU")
]


def up(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Or GRADIENTD_HOST.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 takes a free one. Or GRADIENTD_PORT.", show_default="8000"),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where jobs, datasets and artifacts are kept. Or GRADIENTD_DATA_DIR.",
            show_default="~/.local/share/gradientd",
        ),
    ] = None,
    workers: WorkersOption = None,
    redis_url: Annotated[
        str | None,
        typer.Option(
            help="A Redis or Valkey to use instead of our own. Or GRADIENTD_REDIS_URL.", show_default="its own"
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Listen beyond this machine although nobody is asked for an API key. Or GRADIENTD_INSECURE.",
        ),
    ] = False,
) -> None:
    """Start the whole service here, a store, the API and workers, and keep it running. Ctrl-C stops it.

    Exit codes: 0 after Ctrl-C or SIGTERM; 1 when a part could not be kept running; 2 when something stands in the way
    (the port, the data directory), before anything is started.
    """
    settings = load_settings(host=host, port=port, data_dir=data_dir, redis_url=redis_url, insecure=insecure or None)
    plan = Plan(settings=settings, workers=workers, own_store="redis_url" not in settings.model_fields_set)
    output = Stream(sys.stdout)
    with Stack(plan, output=output) as stack:
        output.on_closed = stack.request_stop
        ready = f"gradientd is up at {stack.url}, its documentation at {stack.url}/docs; Ctrl-C stops it"
        output.say(access_words(plan))
        asyncio.run(stack.run(on_ready=lambda: output.say(ready)))


def demo(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    data_dir: Annotated[Path, typer.Option(help="Where the demo keeps its files.")] = Path(".demo"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the service running afterwards, until Ctrl-C.")] = False,
) -> None:
    """Start the whole service, train a real MNIST job on it before your eyes, and stop it again.

    Exit code 0 only if the job succeeded.
    """
    settings = load_settings(port=port, data_dir=data_dir)
    raise typer.Exit(demonstration.run(settings, keep=keep, console=console()))


def access_words(plan: Plan) -> str:
    """Who is let in."""
    settings = plan.settings
    if settings.keys_required:
        store = f"--data-dir {quote(str(settings.data_dir))}" if plan.own_store else "--redis-url URL"
        return f"every request needs an API key; make one with: gradientd keys create --owner NAME {store}"
    if is_loopback(settings.host):
        return "nobody is asked for an API key: whoever is on this machine is let in (GRADIENTD_AUTH=required asks)"
    return f"INSECURE: nobody is asked for an API key, and whoever reaches {settings.host} is let in"


def load_settings(**given: Any) -> Settings:
    """The settings from the environment, overridden by the options that were given.

    Raises:
        CannotStart: a value is out of bounds.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"GRADIENTD_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors() if e["loc"])
        raise CannotStart(f"a setting cannot be used: {wrong}") from error
