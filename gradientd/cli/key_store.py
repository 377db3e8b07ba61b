"""What `gradientd keys` does: makes API keys, and keeps, lists and revokes them in the service's store."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console

from gradientd.cli.display import age
from gradientd.cli.errors import KeyNotFound
from gradientd.cli.layout import Table, print_table
from gradientd.cli.settings import load_settings
from gradientd.cli.wording import meant
from gradientd.client.errors import ServerUnreachable
from gradientd.local.valkey import url_of_running
from jobs.api_keys import ApiKey, KeyLimits, Scope, new_key, new_secret
from jobs.errors import StoreUnavailable
from jobs.settings import Settings
from jobs.webhook import Webhook
from store.api_keys import KeyRing, StoredKey
from store.calls import Operation, connect, run

T = TypeVar("T")


def make_key(
    *, owner: str, scopes: str, name: str, limits: Mapping[str, int | None], webhook: Webhook | None = None
) -> tuple[ApiKey, str]:
    """A new key, kept nowhere yet, and its secret.

    Raises:
        typer.BadParameter: an option cannot be part of a key.
    """
    secret = new_secret()
    try:
        key = new_key(
            secret,
            owner=owner,
            scopes=read_scopes(scopes),
            name=name,
            limits=KeyLimits.model_validate(dict(limits)),
            webhook=webhook,
        )
    except ValidationError as error:
        hint = "--name" if error.errors()[0]["loc"] == ("name",) else "--owner"
        raise typer.BadParameter(
            "1 to 64 letters, digits and _ . @ -" if hint == "--owner" else "too long", param_hint=hint
        ) from error
    return key, secret


class KeyStore:
    """The keys in the store that the options and the environment name."""

    def __init__(self, *, data_dir: Path | None, redis_url: str | None) -> None:
        self._settings = settings_of(data_dir=data_dir, redis_url=redis_url)
        self._ring = KeyRing.of(self._settings)

    def add(self, key: ApiKey) -> None:
        """Keep a key. It is valid at once."""
        self._carry_out(self._ring.create(key))

    def list(self) -> tuple[StoredKey, ...]:
        """The keys, oldest first."""
        return self._carry_out(self._ring.list())

    def revoke(self, key_id: str) -> None:
        """Forget a key.

        Raises:
            KeyNotFound: there is none with this id.
        """
        if not self._carry_out(self._ring.revoke(key_id)):
            raise KeyNotFound(f"no key {key_id!r} is stored; `gradientd keys list` shows those that are")

    def _carry_out(self, operation: Operation[T]) -> T:
        """Carry out an operation on the store.

        Raises:
            ServerUnreachable: it does not answer.
        """
        try:
            with connect(self._settings) as client:
                return run(client, operation)
        except StoreUnavailable as error:
            raise ServerUnreachable(
                f"{error}; name it with --redis-url, or --data-dir for that of `gradientd up`"
            ) from error


def read_scopes(text: str) -> frozenset[Scope]:
    """The scopes of an option."""
    words = {word.strip() for word in text.replace("+", ",").split(",")}
    for word in sorted(words - set(Scope)):
        raise typer.BadParameter(
            f"{word!r} is no scope: one or more of {', '.join(Scope)}, separated by commas{meant(word, Scope)}",
            param_hint="--scopes",
        )
    return frozenset(map(Scope, words))


def read_webhook(url: str, events: str | None, secret: str | None) -> Webhook:
    """The webhook of options.

    Raises:
        typer.BadParameter: there cannot be such a one.
    """
    if not secret:
        raise typer.BadParameter("needed beside --webhook-url", param_hint="--webhook-secret")
    fields: dict[str, Any] = {"url": url, "secret": secret}
    if events is not None:
        fields["events"] = [word.strip() for word in events.split(",")]
    try:
        return Webhook.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise typer.BadParameter(fault["msg"], param_hint=f"--webhook-{fault['loc'][0]}") from None


def settings_of(*, data_dir: Path | None, redis_url: str | None) -> Settings:
    """The settings, with the address of the store: the one named, or that of a `gradientd up` on this machine.

    Raises:
        typer.BadParameter: the folder that was named has none.
    """
    settings = load_settings(data_dir=data_dir, redis_url=redis_url)
    if "redis_url" in settings.model_fields_set and not data_dir:
        return settings
    running = None if redis_url else url_of_running(settings.data_dir)
    if data_dir and not redis_url and not running:
        # Another store would get keys that whoever named this folder did not mean for it.
        raise typer.BadParameter(
            f"`gradientd up` was never started with a store of its own in {data_dir}; name its store by --redis-url",
            param_hint="--data-dir",
        )
    return settings.model_copy(update={"redis_url": SecretStr(running)}) if running else settings


def print_keys(console: Console, keys: Iterable[StoredKey], *, now: datetime | None = None) -> None:
    """A table of API keys."""
    table = Table(
        *("id", "owner", "scopes", "name", "limits", "created", "last used"),
        left_out=("limits", "created", "last used", "scopes"),
    )
    at = now or datetime.now(UTC)
    for key, used_at in keys:
        limits = key.limits.model_dump(exclude_none=True)
        table.add_row(
            key.id,
            key.owner,
            "+".join(sorted(key.scopes)),
            key.name,
            " ".join(f"{name}={value}" for name, value in limits.items()),
            age(at - key.created_at) if key.created_at else "",
            age(at - used_at) if used_at else "never",
        )
    print_table(console, table)
