"""`weights`: list, upload, delete what jobs can begin with."""

from pathlib import Path
from typing import Annotated

import typer

from gradientd.cli.datasets import name_of, upload_bar
from gradientd.cli.display import print_json, print_line
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption, console
from gradientd.cli.pages import whole
from gradientd.cli.tables import counted, print_weights
from gradientd.client import Client
from jobs.escapes import escaped

app = typer.Typer(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})


@app.callback()
def weights(
    ctx: typer.Context,
    *,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the uploaded weights that a job can begin with; upload and delete them."""
    if ctx.invoked_subcommand is None:
        list_weights(url=url, api_key=api_key, as_json=as_json)


@app.command("list")
def list_weights(*, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False) -> None:
    """List the uploaded weights that a job can begin with, by `train --init-from weights:NAME`."""
    with Client(url, api_key=api_key) as client:
        page = whole(client.weights)
    if as_json:
        print_json(page.model_dump(mode="json", warnings=False))
    else:
        print_weights(console(), page.data)


@app.command()
def upload(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .npz of arrays named layer/weight.", show_default=False)
    ],
    *,
    name: Annotated[str | None, typer.Option(help="Name of the weights; by default made of the file's.")] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload weights, in place of what has their name."""
    with Client(url, api_key=api_key) as client:
        try:
            with upload_bar(file) as progress:
                made = client.upload_weights(name or name_of(file), file, progress=progress)
        except OSError as error:
            raise typer.BadParameter(
                f"cannot read {error.filename or file}: {error.strerror or error}", param_hint="FILE"
            ) from error
    if as_json:
        print_json(made.model_dump(mode="json", warnings=False))
    else:
        print_line(console(), f"weights {made.name}: {counted(len(made.arrays or ()), 'array')}")


@app.command()
def delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The weights' name.", show_default=False)],
    *,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete uploaded weights for good. Jobs that were accepted with them have their copy."""
    with Client(url, api_key=api_key) as client:
        client.delete_weights(name)
    print_json({"name": name, "deleted": True}) if as_json else typer.echo(escaped(f"{name} is deleted"))
