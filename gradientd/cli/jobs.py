"""`train`, `jobs`, `show`, `cancel`, `pause` and `resume`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from gradientd.cli.display import display_for, print_json, print_line, watch
from gradientd.cli.exit_codes import ExitCode, of_job
from gradientd.cli.options import DEFAULT_URL, ApiKeyOption, JobArgument, JsonOption, UrlOption, complain, console
from gradientd.cli.request import BadOption, Body, Change, build_body, parse_body, parse_label, parse_set
from gradientd.cli.tables import print_job, print_jobs
from gradientd.client import Client
from gradientd.client.follow import follow
from jobs.escapes import escaped
from jobs.record import Job
from jobs.states import Status

T = TypeVar("T")

SPEC = "What to train"
WAITING = "Waiting"


def train(
    *,
    preset: Annotated[
        str | None, typer.Option(help="Named starting point; see `gradientd presets`.", rich_help_panel=SPEC)
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Images and labels to learn.", rich_help_panel=SPEC)] = None,
    model: Annotated[
        str | None, typer.Option(metavar="[mlp|cnn|softmax]", help="Kind of network.", rich_help_panel=SPEC)
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training examples.", rich_help_panel=SPEC)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step.", rich_help_panel=SPEC)] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="The optimizer's step size.", rich_help_panel=SPEC)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes everything random.", rich_help_panel=SPEC)] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, gpu or gpu:N.", rich_help_panel=SPEC)] = None,
    execution: Annotated[
        str | None, typer.Option(metavar="[auto|eager|graph|xla]", help="How a step runs.", rich_help_panel=SPEC)
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

    Without options it trains the server's defaults. A spec from --file comes first, then the options, then --set.
    With --json: the accepted job, each event, and the final job, one a line; with --detach only the accepted job.
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
        "model.type": model,
        "optimizer.learning_rate": learning_rate,
    }
    changes = [Change(tuple(name.split(".")), value) for name, value in options.items() if value is not None]
    base = understood("--file", lambda: read_body(file)) if file else {}
    labels = dict(understood("--metadata", lambda text=text: parse_label(text)) for text in metadata or ())
    if labels:
        base["metadata"] = {**base.get("metadata", {}), **labels}
    changes += [understood("--set", lambda text=text: parse_set(text)) for text in set_ or ()]
    with Client(url, api_key=api_key) as client:
        job = client.submit(build_body(base, changes, resolve=lambda body: client.resolve(body)["spec"]))
        if detach:
            print_json(job.model_dump(mode="json")) if as_json else typer.echo(escaped(job.id))
            return
        if not as_json:
            print_line(console(), f"job {job.id}")
        raise typer.Exit(of_job(attend(client, job.id, as_json=as_json).status))


def list_jobs(
    *,
    status: Annotated[list[Status] | None, typer.Option(help="Only jobs with this status; may be repeated.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only jobs with this label; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Longest list.")] = 20,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first."""
    labels = dict(understood("--metadata", lambda text=text: parse_label(text)) for text in metadata or ())
    with Client(url, api_key=api_key) as client:
        page = client.list(limit=limit, statuses=status or (), metadata=labels)
    if as_json:
        print_json(page.model_dump(mode="json"))
    else:
        print_jobs(console(), page.data)
        if page.has_more:
            complain(f"and more; these are the newest {len(page.data)} (--limit)")


def show(
    job_id: JobArgument,
    *,
    follow_: Annotated[
        bool, typer.Option("--follow", help="Watch it until it is done; the exit code tells how it ended.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a job."""
    with Client(url, api_key=api_key) as client:
        if follow_:
            raise typer.Exit(of_job(attend(client, job_id, as_json=as_json).status))
        job = client.get(job_id)
    print_json(job.model_dump(mode="json")) if as_json else print_job(console(), job)


def cancel(
    job_id: JobArgument,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Return once the job has stopped.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a job to stop. Does nothing to one that has ended."""
    with Client(url, api_key=api_key) as client:
        job = client.cancel(job_id)
        if wait:
            job = client.wait_for(job.id)
    tell_status(job, as_json=as_json)


def pause(
    job_id: JobArgument, *, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Ask a job to stop for the time being. Resumed, it goes on from its step, to the same bits."""
    with Client(url, api_key=api_key) as client:
        tell_status(client.pause(job_id), as_json=as_json)


def resume(
    job_id: JobArgument, *, url: UrlOption = DEFAULT_URL, api_key: ApiKeyOption = None, as_json: JsonOption = False
) -> None:
    """Queue a paused job again."""
    with Client(url, api_key=api_key) as client:
        tell_status(client.resume(job_id), as_json=as_json)


def tell_status(job: Job, *, as_json: bool) -> None:
    """Say what became of a job."""
    print_json(job.model_dump(mode="json")) if as_json else typer.echo(escaped(f"{job.id} {job.status}"))


def attend(client: Client, job_id: str, *, as_json: bool) -> Job:
    """Show the job until it has ended; an interruption leaves it running and says so.

    Raises:
        typer.Exit: with `INTERRUPTED`, on Ctrl-C.
    """
    try:
        return watch(follow(client, job_id), display_for(console(), as_json=as_json))
    except KeyboardInterrupt:
        complain(
            "", f"the job goes on; follow it: gradientd show {job_id} --follow; stop it: gradientd cancel {job_id}"
        )
        raise typer.Exit(ExitCode.INTERRUPTED) from None


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
        raise BadOption(f"cannot read {file}: {error}") from error


def understood(option: str, read: Callable[[], T]) -> T:
    """What `read` makes of an option; a usage error if it cannot."""
    try:
        return read()
    except BadOption as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
