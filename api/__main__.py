"""`python -m api`: serve the API with uvicorn."""

import argparse
import signal
import socket
import sys
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.http.connections import Bounds, Connections
from api.http.protocol import BoundedProtocol
from jobs.errors import Misconfigured
from jobs.logs import configure_logging
from jobs.settings import load_settings
from store.doorbell import forget_other_apps

GRACE_SECONDS = 10
"""How long requests under way may take once the process was asked to end."""


class Server(uvicorn.Server):
    """Lets waiting readers go at once when it is asked to end; others have their grace."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.services.change_feed.close()
        self._app.state.services.intake.give_up()
        await super().shutdown(sockets)


def _end(*_: object) -> None:
    sys.exit(0)


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m api", description="Serve gradientd's HTTP API.")
    try:
        defaults = load_settings()
    except Misconfigured as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    parser.add_argument("--host", default=defaults.host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", default=defaults.port, type=int, help="port; 0 takes a free one (%(default)s)")
    parser.add_argument(
        "--insecure",
        action="store_true",
        default=defaults.insecure,
        help="listen beyond this machine although nobody is asked for an API key",
    )
    options: dict[str, Any] = vars(parser.parse_args(arguments))
    try:
        settings = load_settings(**options)
        configure_logging(settings.log_level)
        forget_other_apps()
        app = create_app(settings)
    except Misconfigured as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    bounds = Bounds.of_descriptors()
    app.state.connections = connections = Connections(bounds)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=partial(BoundedProtocol, connections),  # pyright: ignore[reportArgumentType] (it is only called)
        backlog=bounds.backlog,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # uvicorn ends in order, then raises the signal again: ending as asked is a success.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, _end)
    Server(config, app).run()


if __name__ == "__main__":
    main()
