"""`keys create`, `list` and `revoke`: the API keys, on the store itself. Whoever can reach that needs no key."""

from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import SecretStr, ValidationError

from gradientd.cli.display import print_json
from gradientd.cli.local import load_settings
from gradientd.cli.options import JsonOption, complain, console
from gradientd.cli.tables import print_keys
from gradientd.errors import KeyNotFound, ServerUnreachable
from gradientd.local.valkey import url_of_running
from jobs.api_keys import KeyLimits, Scope, entry_of, new_key, new_secret, summary
from jobs.errors import StoreUnavailable
from jobs.settings import Settings
from store.api_keys import KeyRing
from store.calls import Operation, connect, run

T = TypeVar("T")

LIMITS = "Limits"

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        help="Data directory of a `gradientd up` that runs on this machine. Or GRADIENTD_DATA_DIR.",
        show_default="~/.local/share/gradientd",
    ),
]
RedisOption = Annotated[
    str | None,
    typer.Option(help="The service's Redis, where it is not its own. Or GRADIENTD_REDIS_URL.", show_default=False),
]

app = typer.Typer(
    help="Create, list and revoke API keys. Talks to the service's store, not to its API.",
    no_args_is_help=True,
)


@app.command()
def create(
    *,
    owner: Annotated[str, typer.Option(help="Whose jobs the key creates and sees.")],
    scopes: Annotated[
        str, typer.Option(metavar="SCOPE,…", help="What it may do: read, submit, admin (everything, to all jobs).")
    ] = "read,submit",
    name: Annotated[str, typer.Option(help="What to call it in the list.")] = "",
    max_jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Most jobs of the owner that have not ended.", rich_help_panel=LIMITS),
    ] = None,
    max_queued: Annotated[
        int | None, typer.Option(min=1, help="Most jobs of the owner that are queued.", rich_help_panel=LIMITS)
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Most requests in a minute.", rich_help_panel=LIMITS)
    ] = None,
    max_body_bytes: Annotated[
        int | None, typer.Option(min=1, help="Longest request body.", rich_help_panel=LIMITS)
    ] = None,
    env: Annotated[
        bool, typer.Option("--env", help="Store nothing; print an entry for GRADIENTD_API_KEYS. Takes no limits.")
    ] = False,
    data_dir: DataDirOption = None,
    redis_url: RedisOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print its secret, which is shown this once and kept nowhere.

    It is valid at once, on a service that asks for keys: one that was started with GRADIENTD_AUTH=required.
    """
    limits = KeyLimits(
        max_jobs=max_jobs, max_queued=max_queued, requests_per_minute=requests_per_minute, max_body_bytes=max_body_bytes
    )
    if env and limits != KeyLimits():
        raise typer.BadParameter("an entry for GRADIENTD_API_KEYS has no limits of its own", param_hint="--env")
    secret = new_secret()
    try:
        key = new_key(secret, owner=owner, scopes=read_scopes(scopes), name=name, limits=limits)
    except ValidationError as error:
        hint = "--name" if error.errors()[0]["loc"] == ("name",) else "--owner"
        raise typer.BadParameter(
            "1 to 64 letters, digits and _ . @ -" if hint == "--owner" else "too long", param_hint=hint
        ) from error
    if env:
        if as_json:
            print_json({**summary(key), "secret": secret, "entry": entry_of(key)})
        else:
            typer.echo(secret)
            complain(f"that was the secret; the entry for GRADIENTD_API_KEYS:\n{entry_of(key)}")
        return
    settings = settings_of(data_dir=data_dir, redis_url=redis_url)
    carry_out(settings, KeyRing.of(settings).create(key))
    if as_json:
        print_json({**summary(key), "secret": secret})
    else:
        typer.echo(secret)
        complain(f"that was the secret of {key.id}; it is shown this once. Send it as: Authorization: Bearer gd_…")


@app.command("list")
def list_keys(*, data_dir: DataDirOption = None, redis_url: RedisOption = None, as_json: JsonOption = False) -> None:
    """List the stored keys, without their secrets. Keys of GRADIENTD_API_KEYS are not among them."""
    settings = settings_of(data_dir=data_dir, redis_url=redis_url)
    found = carry_out(settings, KeyRing.of(settings).list())
    if as_json:
        rows = [{**summary(key), "last_used_at": used_at.isoformat() if used_at else None} for key, used_at in found]
        print_json({"object": "list", "data": rows, "has_more": False})
    else:
        print_keys(console(), found)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, key_…", show_default=False)],
    *,
    data_dir: DataDirOption = None,
    redis_url: RedisOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a key: the next request with it is refused. Its owner's jobs go on."""
    settings = settings_of(data_dir=data_dir, redis_url=redis_url)
    if not carry_out(settings, KeyRing.of(settings).revoke(key_id)):
        raise KeyNotFound(f"no key {key_id!r} is stored; `gradientd keys list` shows those that are")
    print_json({"id": key_id, "revoked": True}) if as_json else typer.echo(f"{key_id} is revoked")


def read_scopes(text: str) -> frozenset[Scope]:
    """The scopes of an option."""
    words = {word.strip() for word in text.replace("+", ",").split(",")}
    if not words <= set(Scope):
        raise typer.BadParameter(f"one or more of {', '.join(Scope)}, separated by commas", param_hint="--scopes")
    return frozenset(map(Scope, words))


def settings_of(*, data_dir: Path | None, redis_url: str | None) -> Settings:
    """The settings, with the address of the store: the one named, or that of a `gradientd up` on this machine."""
    settings = load_settings(data_dir=data_dir, redis_url=redis_url)
    if "redis_url" in settings.model_fields_set and not data_dir:
        return settings
    running = None if redis_url else url_of_running(settings.data_dir)
    return settings.model_copy(update={"redis_url": SecretStr(running)}) if running else settings


def carry_out(settings: Settings, operation: Operation[T]) -> T:
    """Carry out an operation on the store.

    Raises:
        ServerUnreachable: it does not answer.
    """
    try:
        with connect(settings) as client:
            return run(client, operation)
    except StoreUnavailable as error:
        raise ServerUnreachable(
            f"{error}; name it with --redis-url, or --data-dir for that of `gradientd up`"
        ) from error
