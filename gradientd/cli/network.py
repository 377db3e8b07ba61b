"""`model show`: the network of a spec, layer by layer, as the server would build it."""

from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from gradientd.cli import completion
from gradientd.cli.display import print_json, print_line
from gradientd.cli.layout import Table, print_table
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption, console
from gradientd.cli.request import Body
from gradientd.cli.tables import size
from gradientd.cli.train import accepted, check, read_body, understood
from gradientd.client import Client
from gradientd.client.errors import UnexpectedAnswer
from jobs.summary import LayerSummary

app = typer.Typer(no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})


class Summary(BaseModel):
    """What the command shows of a dry run's answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    layers: tuple[LayerSummary, ...]
    parameters: int
    non_trainable_parameters: int
    weight_bytes: int


@app.callback()
def model() -> None:
    """Look at networks before they are trained."""


@app.command()
def show(
    file: Annotated[
        str,
        typer.Argument(
            metavar="SPEC.json",
            help="A spec, or its model alone, in JSON; - reads standard input.",
            show_default=False,
        ),
    ],
    *,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Examples that it is built for, where it is not the spec's own; see `gradientd datasets`.",
            autocompletion=completion.datasets,
        ),
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a spec's network as it would be trained: each layer, its shape and parameters. Nothing is stored.

    A spec that the server refuses is told with the layer that is wrong. With --json: the server's answer, which has the
    resolved spec too.
    """
    body = as_spec(understood("SPEC.json", lambda: read_body(file)))
    if dataset is not None:
        body["dataset"] = dataset
    check(body)
    with Client(url, api_key=api_key) as client:
        found = accepted(client.resolve, body)
    if as_json:
        print_json(found)
        return
    try:
        summary = Summary.model_validate(found, extra="ignore")
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"{url} does not tell the layers of a network: its version is too old for that"
        ) from error
    print_summary(console(), summary)


def as_spec(body: Body) -> Body:
    """The body of a request; one of a model alone is put into a spec."""
    return {"model": body} if "type" in body and "model" not in body else body


def print_summary(out: Console, summary: Summary) -> None:
    """A table of the layers, and the sums."""
    table = Table("layer (type)", "output shape", "parameters", "connected to", left_out=("connected to",))
    for layer in summary.layers:
        table.add_row(
            f"{layer.name} ({layer.type})",
            " x ".join(map(str, layer.output_shape)),
            f"{layer.parameters + layer.non_trainable_parameters:,}",
            ", ".join(layer.inputs),
        )
    print_table(out, table)
    total = summary.parameters + summary.non_trainable_parameters
    print_line(out, f"parameters: {total:,} ({size(summary.weight_bytes)})")
    print_line(out, f"trained: {summary.parameters:,}")
    print_line(out, f"not trained: {summary.non_trainable_parameters:,}")
