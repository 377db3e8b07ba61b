"""`up` and `demo`: the whole service on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from gradientd.cli.extras import UP, needs
from gradientd.cli.options import console, folder

WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, max=256, help="How many.", show_default="one, or one per GPU")
]


@needs(UP, command="gradientd up")
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
            parser=folder,
            metavar="PATH",
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
    from gradientd.cli.settings import load_settings
    from gradientd.cli.up import run

    settings = load_settings(host=host, port=port, data_dir=data_dir, redis_url=redis_url, insecure=insecure or None)
    run(settings, workers=workers)


@needs(UP, command="gradientd demo")
def demo(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    data_dir: Annotated[
        Path, typer.Option(parser=folder, metavar="PATH", help="Where the demo keeps its files.")
    ] = Path(".demo"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the service running afterwards, until Ctrl-C.")] = False,
) -> None:
    """Start the whole service, train a real MNIST job on it before your eyes, and stop it again.

    Exit code 0 only if the job succeeded.
    """
    from gradientd.cli.demo import run
    from gradientd.cli.settings import load_settings

    raise typer.Exit(run(load_settings(port=port, data_dir=data_dir), keep=keep, console=console()))
