"""`datasets`: list, upload, show, look into, delete."""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from gradientd.cli import completion
from gradientd.cli.display import print_json, print_line
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption, complain, console
from gradientd.cli.pages import whole
from gradientd.cli.reading import (
    ChannelsOption,
    FitOption,
    IgnoreOption,
    OnBad,
    OnBadOption,
    Reading,
    SizeOption,
    SplitSeedOption,
    TargetOption,
    Task,
    TaskOption,
    TestSplitOption,
)
from gradientd.cli.tables import counted, learns, print_dataset, print_datasets, print_rows, report_words
from gradientd.client import Client
from gradientd.client import connection as client_connection
from jobs.escapes import escaped
from jobs.wire import Dataset


class Split(StrEnum):
    """Part of the examples."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="The dataset's name, or name@version for one of its versions.",
        show_default=False,
        autocompletion=completion.datasets,
    ),
]
app = typer.Typer(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})


@app.callback()
def datasets(
    ctx: typer.Context,
    *,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the datasets that a spec can name; upload, show and delete them."""
    if ctx.invoked_subcommand is None:
        list_datasets(url=url, api_key=api_key, as_json=as_json)


@app.command("list")
def list_datasets(*, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False) -> None:
    """List the datasets that a spec can name, by their newest versions."""
    with Client(url, api_key=api_key) as client:
        page = whole(client.datasets)
    if as_json:
        print_json(page.model_dump(mode="json", warnings=False))
    else:
        print_datasets(console(), page.data)


@app.command()
def upload(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A CSV or Parquet; a folder of class folders with pictures, or its zip or tar; a .npz.",
            show_default=False,
        ),
    ],
    *,
    name: Annotated[str | None, typer.Option(help="Name of the dataset; by default made of the file's.")] = None,
    target: TargetOption = None,
    task: TaskOption = Task.AUTO,
    ignore: IgnoreOption = None,
    on_bad: OnBadOption = OnBad.REFUSE,
    size: SizeOption = None,
    fit: FitOption = None,
    channels: ChannelsOption = None,
    test_split: TestSplitOption = None,
    split_seed: SplitSeedOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file, and say what it would be.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload a table, pictures or arrays: each upload is a version of its dataset, and the same one again is the same
    version.

    Of a table the last column is to be told, unless --target says otherwise; pictures stand in folders named as their
    classes, perhaps below train, val and test.
    """
    reading = Reading(target, task, ignore, on_bad, size, fit, channels, test_split, split_seed)
    with Client(url, api_key=api_key) as client:
        version = send(client, file, reading, name=name, dry_run=dry_run)
    if as_json:
        print_json(version.model_dump(mode="json", warnings=False))
    elif dry_run:
        print_dataset(console(), version)
    else:
        tell(console(), version)


@app.command()
def show(
    dataset: DatasetArgument, *, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Show a dataset: its examples, how each column is read, and what its check has seen."""
    with Client(url, api_key=api_key) as client:
        version = client.dataset(dataset)
    print_json(version.model_dump(mode="json", warnings=False)) if as_json else print_dataset(console(), version)


@app.command()
def preview(
    dataset: DatasetArgument,
    *,
    split: Annotated[Split, typer.Option(help="Of which part of the examples.")] = Split.TRAIN,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many examples.")] = 10,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the pictures of a dataset that has them, a PNG.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the first rows of a dataset, as they are kept, or write its first pictures as a PNG. A narrow terminal does
    without some columns.
    """
    with Client(url, api_key=api_key) as client:
        are_pictures = client.dataset(dataset).kind == "images"
        if are_pictures and output is None:
            raise typer.BadParameter("the dataset has pictures; name a file for them", param_hint="--output")
        if are_pictures and output is not None:
            grid = client.preview_png(dataset, split=split.value, limit=limit)
            try:
                output.write_bytes(grid)
            except OSError as error:
                detail = f"cannot write {output}: {error.strerror or error}"
                raise typer.BadParameter(detail, param_hint="--output") from error
            return
        rows = client.preview(dataset, split=split.value, limit=limit)
    print_json(rows) if as_json else print_rows(console(), rows)


@app.command()
def delete(
    dataset: DatasetArgument, *, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Delete a dataset, or one version of it, for good. Not while a job that has not ended needs it."""
    with Client(url, api_key=api_key) as client:
        client.delete_dataset(dataset)
    print_json({"id": dataset, "deleted": True}) if as_json else typer.echo(escaped(f"{dataset} is deleted"))


# --- shared with `train` ------------------------------------------------------------------------------


def send(client: Client, file: Path, reading: Reading, *, name: str | None, dry_run: bool = False) -> Dataset:
    """Upload a file, with a bar on a terminal; a usage error where it cannot be read."""
    if name and "@" in name:
        bare = name.partition("@")[0]
        raise typer.BadParameter(
            f"each upload is a new version; name the dataset alone: {bare}", param_hint="--dataset"
        )
    given = reading.given
    try:
        with upload_bar(file) as progress:
            return client.upload(name or name_of(file), file, **given, dry_run=dry_run, progress=progress)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error
    except OSError as error:
        raise typer.BadParameter(
            f"cannot read {error.filename or file}: {error.strerror or error}", param_hint="FILE"
        ) from error


def tell(console: Console, version: Dataset) -> None:
    """Say what an upload has become."""
    examples = version.train_examples + version.validation_examples + version.test_examples
    what = {"table": "row", "images": "picture", "arrays": "array"}[version.kind]
    print_line(console, f"dataset {version.id}: {counted(examples, what)}, {learns(version)}")
    for words in report_words(version.report, what):
        complain(f"note: {words}")


def name_of(file: Path) -> str:
    """A dataset's name made of a file's: what stands before its first dot, in small letters."""
    return re.sub(r"[^a-z0-9._-]+", "-", file.resolve().name.partition(".")[0].lower()).strip("-._")[:64] or "table"


@contextmanager
def upload_bar(file: Path) -> Generator[client_connection.Progress]:
    """A bar on standard error, if that is a terminal, that moves as a file is sent and says when it is checked."""
    where = Console(stderr=True)
    if not where.is_terminal or not sys.stdout.isatty():
        yield lambda sent, total: None
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), DownloadColumn()
    with Progress(*columns, console=where, transient=True) as bar:
        task = bar.add_task(f"sending {escaped(file.name)}", total=None)

        def moved(sent: int, total: int | None) -> None:
            doing = "checking" if sent == total else "sending"
            bar.update(task, completed=sent, total=total, description=f"{doing} {escaped(file.name)}")

        yield moved
