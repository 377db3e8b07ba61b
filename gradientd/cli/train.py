"""`train`: submits a job and watches it."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from gradientd.cli import completion
from gradientd.cli.datasets import send, tell
from gradientd.cli.display import print_json, print_line
from gradientd.cli.errors import SpecRefused
from gradientd.cli.exit_codes import of_job
from gradientd.cli.job_reference import find_job
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption, console
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
from gradientd.cli.request import BadOption, Body, Change, build_body, parse_body, parse_label, parse_set
from gradientd.cli.watching import attend
from gradientd.client import Client
from gradientd.client.answers import spec_fields
from gradientd.client.errors import NotSupported, Refused
from jobs.escapes import escaped

T = TypeVar("T")

SPEC = "What to train"
WAITING = "Waiting"


def train(
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="What to upload and learn: a table, a folder of class folders with pictures, a .npz.",
            show_default=False,
        ),
    ] = None,
    *,
    target: TargetOption = None,
    task: TaskOption = Task.AUTO,
    ignore: IgnoreOption = None,
    on_bad: OnBadOption = OnBad.REFUSE,
    size: SizeOption = None,
    fit: FitOption = None,
    channels: ChannelsOption = None,
    test_split: TestSplitOption = None,
    split_seed: SplitSeedOption = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Named starting point; see `gradientd presets`.",
            rich_help_panel=SPEC,
            autocompletion=completion.presets,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Examples to learn; see `gradientd datasets`.",
            rich_help_panel=SPEC,
            autocompletion=completion.datasets,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="[mlp|cnn|softmax]",
            help="Kind of network.",
            rich_help_panel=SPEC,
            autocompletion=completion.one_of("mlp", "cnn", "softmax"),
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training examples.", rich_help_panel=SPEC)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples per step.", rich_help_panel=SPEC)] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="The optimizer's step size.", rich_help_panel=SPEC)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes everything random.", rich_help_panel=SPEC)] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="auto, cpu, gpu or gpu:N.",
            rich_help_panel=SPEC,
            autocompletion=completion.one_of("auto", "cpu", "gpu", "gpu:0"),
        ),
    ] = None,
    execution: Annotated[
        str | None,
        typer.Option(
            metavar="[auto|eager|graph|xla]",
            help="How a step runs.",
            rich_help_panel=SPEC,
            autocompletion=completion.one_of("auto", "eager", "graph", "xla"),
        ),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="JOB[@best|@last]|weights:NAME",
            help="Begin with the weights of a job, or with uploaded ones.",
            rich_help_panel=SPEC,
        ),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER", help="A layer to leave as it is; may be repeated.", rich_help_panel=SPEC),
    ] = None,
    reinitialize: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAYER", help="A layer that begins anew despite --init-from; may be repeated.", rich_help_panel=SPEC
        ),
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Higher runs first, -100 to 100.", rich_help_panel=SPEC)] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; may be repeated.", rich_help_panel=SPEC)
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Spec in JSON to begin with; - reads standard input.", rich_help_panel=SPEC),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=JSON",
            help="Any field of the spec, such as model.hidden=[512,256]; may be repeated.",
            rich_help_panel=SPEC,
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return at once with the job's id.", rich_help_panel=WAITING)
    ] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a network, and watch it until it is done.

    Without options it trains the server's defaults. FILE is uploaded first, as the dataset that --dataset names or one
    of the file's name; what suits it is chosen by its kind and size, where no option says otherwise. A spec from --file
    comes first, then the options, then --set. With --json: the accepted job, each event, and the final job, one a line;
    with --detach only the accepted job.
    """
    options: dict[str, object] = {
        "preset": preset,
        "dataset": dataset,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "device": device,
        "execution": execution,
        "priority": priority,
        "init_from": init_from,
        "freeze": freeze or None,
        "reinitialize": reinitialize or None,
        "model.type": model,
        "optimizer.learning_rate": learning_rate,
    }
    changes = [Change(tuple(name.split(".")), value) for name, value in options.items() if value is not None]
    base = understood("--file", lambda: read_body(file)) if file else {}
    labels = read_labels(metadata)
    if labels:
        base["metadata"] = {**base.get("metadata", {}), **labels}
    changes += [understood("--set", lambda text=text: parse_set(text)) for text in set_ or ()]
    check({**base, **{".".join(change.path): change.value for change in changes}})
    reading = Reading(target, task, ignore, on_bad, size, fit, channels, test_split, split_seed)
    if table is None and (given := reading.given):
        hint = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise typer.BadParameter("is about a FILE to upload, and none was given", param_hint=hint)
    if table is not None and any(change.path == ("dataset",) and change.value != dataset for change in changes):
        raise typer.BadParameter("FILE is the dataset; name it by --dataset", param_hint="--set")
    with Client(url, api_key=api_key) as client:
        if table is not None:
            version = send(client, table, reading, name=dataset or named_in(base))
            if not (as_json or detach):
                tell(console(), version)
            changes = [change for change in changes if change.path != ("dataset",)]
            changes.append(Change(("dataset",), version.id))
        if init_from is not None:
            changes = [change for change in changes if change.path != ("init_from",) or change.value != init_from]
            changes.insert(0, Change(("init_from",), origin(client, init_from)))
        body = build_body(base, changes, resolve=lambda body: accepted(client.resolve, body)["spec"])
        job = accepted(client.submit, body)
        if detach:
            print_json(job.model_dump(mode="json", warnings=False)) if as_json else typer.echo(escaped(job.id))
            return
        if not as_json:
            print_line(console(), f"job {job.id}")
            for choice in job.choices:
                print_line(console(), f"  {choice.field} {choice_value(choice.value)}: {choice.reason}")
        raise typer.Exit(of_job(attend(client, job.id, as_json=as_json, api_key=api_key).status))


def origin(client: Client, named: str) -> str:
    """What a spec's `init_from` says for what an option names: a job's part of it as other commands take one."""
    job, at, checkpoint = named.partition("@")
    return named if named.startswith("weights:") else f"{find_job(client, job)}{at}{checkpoint}"


def named_in(base: Body) -> str | None:
    """The dataset that a spec names, if it names one."""
    name = base.get("dataset")
    return name if isinstance(name, str) else None


def choice_value(value: Any) -> str:
    """A value that the data decided, in few words."""
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def accepted(ask: Callable[[Mapping[str, Any]], T], body: Body) -> T:
    """The answer to a spec.

    Raises:
        SpecRefused: the server refuses it.
    """
    try:
        return ask(body)
    except NotSupported:
        raise
    except Refused as refused:
        raise SpecRefused(refused.problem, body=body) from refused


def check(fields: Body) -> None:
    """Raise typer.BadParameter where a field, or a part of one, is what JSON cannot say, such as NaN."""
    try:
        spec_fields(fields)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def read_body(file: str) -> Body:
    """The spec in a file, or on standard input for `-`.

    Raises:
        BadOption: it cannot be read, or holds no JSON object.
    """
    if file == "-":
        return parse_body(sys.stdin.read(), source="standard input")
    try:
        return parse_body(Path(file).read_text("utf-8"), source=file)
    except (OSError, UnicodeDecodeError) as error:
        raise BadOption(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error


def read_labels(options: list[str] | None) -> dict[str, str]:
    """The labels of `--metadata`."""
    return dict(understood("--metadata", lambda text=text: parse_label(text)) for text in options or ())


def understood(option: str, read: Callable[[], T]) -> T:
    """What `read` makes of an option; a usage error if it cannot."""
    try:
        return read()
    except BadOption as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
