"""`keys create`, `list` and `revoke`: the API keys, on the store itself. Whoever can reach that needs no key."""

from pathlib import Path
from typing import Annotated

import typer

from gradientd.cli.display import print_json
from gradientd.cli.extras import STORE, needs
from gradientd.cli.options import JsonOption, complain, console, folder

LIMITS = "Limits"
WEBHOOK = "Webhook of its jobs that name none"

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        parser=folder,
        metavar="PATH",
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
@needs(STORE, command="gradientd keys")
def create(
    *,
    owner: Annotated[str, typer.Option(help="Whose jobs the key creates and sees.")],
    scopes: Annotated[
        str,
        typer.Option(
            metavar="SCOPE,…",
            help="What it may do: read, submit, predict (only ask models), metrics (only /metrics), admin (everything, "
            "to all jobs).",
        ),
    ] = "read,submit",
    name: Annotated[str, typer.Option(help="What to call it in the list.")] = "",
    max_jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Most jobs of the owner that have not ended.", rich_help_panel=LIMITS),
    ] = None,
    max_queued: Annotated[
        int | None, typer.Option(min=1, help="Most jobs of the owner that are queued.", rich_help_panel=LIMITS)
    ] = None,
    max_priority: Annotated[
        int | None,
        typer.Option(
            min=-100,
            max=100,
            help="Highest priority of its jobs; else 0, for admin any.",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Most requests in a minute.", rich_help_panel=LIMITS)
    ] = None,
    max_body_bytes: Annotated[
        int | None, typer.Option(min=1, help="Longest request body.", rich_help_panel=LIMITS)
    ] = None,
    max_upload_mb: Annotated[
        int | None, typer.Option(min=1, help="Longest upload, in MiB.", rich_help_panel=LIMITS)
    ] = None,
    max_stored_mb: Annotated[
        int | None, typer.Option(min=1, help="Most MiB of the owner's datasets.", rich_help_panel=LIMITS)
    ] = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Whom to tell what becomes of them.", rich_help_panel=WEBHOOK)
    ] = None,
    webhook_events: Annotated[
        str | None,
        typer.Option(
            metavar="EVENT,…",
            help="What to tell: job. and a status, or job.epoch. By default that they ended.",
            rich_help_panel=WEBHOOK,
        ),
    ] = None,
    webhook_secret: Annotated[
        str | None,
        typer.Option(
            envvar="GRADIENTD_WEBHOOK_SECRET",
            help="By which it is signed: whsec_ and 24 to 64 bytes in base64. Better given as the variable.",
            rich_help_panel=WEBHOOK,
        ),
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
    from gradientd.cli.key_store import KeyStore, make_key, read_webhook
    from jobs.api_keys import entry_of, summary

    limits = {
        "max_jobs": max_jobs,
        "max_queued": max_queued,
        "max_priority": max_priority,
        "requests_per_minute": requests_per_minute,
        "max_body_bytes": max_body_bytes,
        "max_upload_mb": max_upload_mb,
        "max_stored_mb": max_stored_mb,
    }
    if env and (webhook_url or any(limit is not None for limit in limits.values())):
        raise typer.BadParameter(
            "an entry for GRADIENTD_API_KEYS has neither limits of its own nor a webhook", param_hint="--env"
        )
    if not webhook_url and (webhook_events or webhook_secret):
        option = "--webhook-events" if webhook_events else "--webhook-secret"
        raise typer.BadParameter(f"needed beside {option}", param_hint="--webhook-url")
    webhook = read_webhook(webhook_url, webhook_events, webhook_secret) if webhook_url else None
    key, secret = make_key(owner=owner, scopes=scopes, name=name, limits=limits, webhook=webhook)
    shown = {**summary(key), "secret": secret}
    if env:
        entry = entry_of(key)
        told = ("that was the secret; the entry for GRADIENTD_API_KEYS:", entry)
        shown["entry"] = entry
    else:
        KeyStore(data_dir=data_dir, redis_url=redis_url).add(key)
        told = (f"that was the secret of {key.id}; it is shown this once. Send it as: Authorization: Bearer gd_…",)
    if as_json:
        print_json(shown)
    else:
        typer.echo(secret)
        complain(*told)


@app.command("list")
@needs(STORE, command="gradientd keys")
def list_keys(*, data_dir: DataDirOption = None, redis_url: RedisOption = None, as_json: JsonOption = False) -> None:
    """List the stored keys, without their secrets. Keys of GRADIENTD_API_KEYS are not among them."""
    from gradientd.cli.key_store import KeyStore, print_keys
    from jobs.api_keys import summary

    found = KeyStore(data_dir=data_dir, redis_url=redis_url).list()
    if as_json:
        rows = [{**summary(key), "last_used_at": used_at.isoformat() if used_at else None} for key, used_at in found]
        print_json({"object": "list", "data": rows, "has_more": False})
    else:
        print_keys(console(), found)


@app.command()
@needs(STORE, command="gradientd keys")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, key_…", show_default=False)],
    *,
    data_dir: DataDirOption = None,
    redis_url: RedisOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a key: the next request with it is refused. Its owner's jobs go on."""
    from gradientd.cli.key_store import KeyStore

    KeyStore(data_dir=data_dir, redis_url=redis_url).revoke(key_id)
    print_json({"id": key_id, "revoked": True}) if as_json else typer.echo(f"{key_id} is revoked")
