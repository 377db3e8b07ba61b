"""`gradientd up`: the whole service on this machine, until it is told to stop."""

import asyncio
import sys
from shlex import quote

from gradientd.cli.program import called_as
from gradientd.client import environment
from gradientd.local.output import Stream
from gradientd.local.stack import Plan, Stack
from jobs.exposure import is_loopback
from jobs.settings import Settings


def run(settings: Settings, *, workers: int | None) -> None:
    """Start a stack and keep it running until a signal. Without a Redis in the settings it has its own store."""
    plan = Plan(settings=settings, workers=workers, own_store="redis_url" not in settings.model_fields_set)
    output = Stream(sys.stdout)
    with Stack(plan, output=output) as stack:
        output.on_closed = stack.request_stop

        def on_ready() -> None:
            output.say(f"gradientd is up at {stack.url}, a page for your browser; Ctrl-C stops it")
            output.say(f"train something, from another terminal: {first_job(stack.url)}")

        output.say(access_words(plan))
        asyncio.run(stack.run(on_ready=on_ready))


def first_job(url: str) -> str:
    """The command that trains on the stack at this address."""
    return f"{called_as()} train{'' if url == environment.DEFAULT_URL else f' --url {url}'}"


def access_words(plan: Plan) -> str:
    """Who is let in."""
    settings = plan.settings
    if settings.keys_required:
        store = f"--data-dir {quote(str(settings.data_dir))}" if plan.own_store else "--redis-url URL"
        return f"every request needs an API key; make one with: {called_as()} keys create --owner NAME {store}"
    if is_loopback(settings.host):
        return "nobody is asked for an API key: whoever is on this machine is let in (GRADIENTD_AUTH=required asks)"
    return f"INSECURE: nobody is asked for an API key, and whoever reaches {settings.host} is let in"
