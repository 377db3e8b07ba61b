"""`workers`, `presets` and `version`."""

import typer

from gradientd import __version__
from gradientd.cli.display import print_json
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption, console
from gradientd.cli.tables import print_presets, print_workers
from gradientd.client import Client


def workers(*, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False) -> None:
    """List the live workers and their devices."""
    with Client(url, api_key=api_key) as client:
        page = client.workers()
    print_json(page.model_dump(mode="json", warnings=False)) if as_json else print_workers(console(), page.data)


def presets(*, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False) -> None:
    """List the named starting points for a spec."""
    with Client(url, api_key=api_key) as client:
        page = client.presets()
    print_json(page.model_dump(mode="json", warnings=False)) if as_json else print_presets(console(), page.data)


def version(*, as_json: JsonOption = False) -> None:
    """Print this program's version."""
    print_json({"version": __version__}) if as_json else typer.echo(f"gradientd {__version__}")


def tell_version(asked: bool) -> None:
    """Print the version and end, for the option `--version`."""
    if asked:
        version()
        raise typer.Exit
