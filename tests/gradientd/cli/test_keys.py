"""`gradientd keys`, on a real store; and what the other commands make of keys."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from typer.testing import CliRunner, Result

from gradientd.cli.app import app
from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.up import access_words
from gradientd.client import Client
from gradientd.local.stack import Plan, Stack
from gradientd.local.valkey import url_of_running
from jobs.api_keys import KeyLimits, Scope, highest_priority, new_secret, read_entries
from jobs.errors import Misconfigured
from jobs.settings import Settings
from store.api_keys import KeyRing
from tests.conftest import free_port
from tests.gradientd.samples import dump, serving

Do = Callable[[Any], Any]


@pytest.fixture
def keys_command(settings: Settings, client: redis.Redis) -> Callable[..., Result]:
    """Run `gradientd keys` on the test's store."""
    environment = {
        "GRADIENTD_REDIS_URL": settings.redis_url.get_secret_value(),
        "GRADIENTD_NAMESPACE": settings.namespace,
    }
    return lambda *arguments: CliRunner().invoke(app, ["keys", *arguments], env=environment)


def test_a_key_may_be_given_a_highest_priority(keys_command: Callable[..., Result], settings: Settings, do: Do) -> None:
    made = keys_command("create", "--owner", "alice", "--max-priority", "5")
    assert made.exit_code == 0, made.output
    key = do(KeyRing.of(settings).admit(made.stdout.strip()))
    assert highest_priority(key, settings) == 5
    assert highest_priority(key.model_copy(update={"limits": KeyLimits()}), settings) == 0
    assert keys_command("create", "--owner", "alice", "--max-priority", "101").exit_code == ExitCode.REFUSED


def test_a_key_is_created_listed_and_revoked(keys_command: Callable[..., Result], settings: Settings, do: Do) -> None:
    made = keys_command("create", "--owner", "alice", "--scopes", "read", "--name", "ci", "--max-jobs", "3")
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    ring = KeyRing.of(settings)
    key = do(ring.admit(secret))
    assert (key.owner, key.scopes, key.limits.max_jobs) == ("alice", {Scope.READ}, 3)
    assert secret not in made.stderr

    listed = keys_command("list")
    heading, row = listed.stdout.splitlines()
    assert heading.split() == ["id", "owner", "scopes", "name", "limits", "created", "last", "used"]
    assert row.split()[:5] == [key.id, "alice", "read", "ci", "max_jobs=3"]
    (document,) = json.loads(keys_command("list", "--json").stdout)["data"]
    assert (document["id"], document["last_used_at"] is None) == (key.id, False)
    assert secret not in listed.stdout
    assert key.digest not in json.dumps(document)

    assert keys_command("revoke", key.id).stdout == f"{key.id} is revoked\n"
    assert do(ring.admit(secret)) is None
    again = keys_command("revoke", key.id)
    assert (again.exit_code, again.stdout) == (ExitCode.REFUSED, "")
    assert f"no key '{key.id}' is stored" in again.stderr


def test_a_key_may_have_a_webhook_whose_secret_is_not_shown(
    keys_command: Callable[..., Result], settings: Settings, do: Do
) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    hook = ("--webhook-url", "https://hooks.example.org/", "--webhook-secret", secret)
    made = keys_command("create", "--owner", "alice", *hook, "--webhook-events", "job.failed,job.epoch", "--json")
    assert made.exit_code == 0, made.output
    shown = json.loads(made.stdout)
    assert shown["webhook"] == {"url": "https://hooks.example.org/", "events": ["job.failed", "job.epoch"]}
    assert secret not in made.output + keys_command("list", "--json").output
    key = do(KeyRing.of(settings).admit(shown["secret"]))
    assert key.default_webhook.secret.get_secret_value() == secret
    assert secret not in repr(key)


@pytest.mark.parametrize(
    ("options", "blamed"),
    [
        (["--webhook-url", "https://hooks.example.org/"], "--webhook-secret"),
        (["--webhook-url", "https://hooks.example.org/", "--webhook-secret", "hunter22"], "--webhook-secret"),
        (["--webhook-url", "hooks.example.org", "--webhook-secret", "whsec_" + "A" * 32], "--webhook-url"),
        (
            ["--webhook-url", "https://a.b/", "--webhook-secret", "whsec_" + "A" * 32, "--webhook-events", "job.x"],
            "--webhook-events",
        ),
        (["--webhook-url", "https://a.b/", "--webhook-secret", "whsec_" + "A" * 32, "--env"], "--env"),
        (["--webhook-events", "job.epoch"], "--webhook-url"),
        (["--webhook-secret", "whsec_" + "A" * 32], "--webhook-url"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(
    keys_command: Callable[..., Result], options: list[str], blamed: str
) -> None:
    made = keys_command("create", "--owner", "alice", *options)
    assert (made.exit_code, made.stdout) == (ExitCode.REFUSED, "")
    assert blamed in made.stderr
    assert "hunter22" not in made.stderr


def test_json_holds_the_secret_once(keys_command: Callable[..., Result]) -> None:
    made = json.loads(keys_command("create", "--owner", "a", "--json").stdout)
    assert made["secret"].startswith("gd_")
    assert made["scopes"] == ["read", "submit"]
    assert "digest" not in made


def test_an_entry_for_the_environment_is_stored_nowhere(keys_command: Callable[..., Result]) -> None:
    made = json.loads(keys_command("create", "--env", "--owner", "a", "--scopes", "admin", "--json").stdout)
    (key,) = read_entries(made["entry"])
    assert (key.id, key.owner, key.scopes) == (made["id"], "a", {Scope.ADMIN})
    assert json.loads(keys_command("list", "--json").stdout)["data"] == []


@pytest.mark.parametrize(
    "options",
    [
        ["--owner", "a:b"],
        ["--owner", "*"],
        ["--owner", "a", "--scopes", "write"],
        ["--owner", "a", "--scopes", ""],
        ["--owner", "a", "--max-jobs", "0"],
        ["--owner", "a", "--name", "x" * 101],
        ["--owner", "a", "--env", "--max-jobs", "1"],
        [],
    ],
)
def test_what_cannot_be_a_key_is_bad_usage(keys_command: Callable[..., Result], options: list[str]) -> None:
    result = keys_command("create", *options)
    assert result.exit_code == ExitCode.REFUSED
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_no_store_is_told_in_a_line() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    result = CliRunner().invoke(app, ["keys", "list", "--redis-url", url])
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "the store cannot be reached" in result.stderr


def test_the_store_of_a_running_stack_is_found_in_its_directory(tmp_path: Path) -> None:
    assert url_of_running(tmp_path) is None
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "valkey.conf").write_text("# x\nbind 127.0.0.1\nport 7\nrequirepass abc\n")
    assert url_of_running(tmp_path) == "redis://:abc@127.0.0.1:7/0"


def test_a_directory_without_a_store_of_its_own_leads_to_no_other(
    keys_command: Callable[..., Result], tmp_path: Path
) -> None:
    made = keys_command("create", "--owner", "lost", "--data-dir", str(tmp_path / "none"))
    assert (made.exit_code, made.stdout) == (ExitCode.REFUSED, "")
    assert "--data-dir" in made.stderr
    assert json.loads(keys_command("list", "--json").stdout)["data"] == []


def test_the_client_sends_its_key() -> None:
    secret, sent = new_secret(), []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("authorization"))
        return httpx.Response(200, json=dump([]))

    for key in (secret, None):
        with Client("http://train.test", api_key=key, transport=httpx.MockTransport(answer)) as client:
            client.workers()
    assert sent == [f"Bearer {secret}", None]


def test_a_refused_key_is_told_with_what_to_do() -> None:
    problem = {"status": 401, "code": "unauthorized", "detail": "this server wants an API key"}
    with serving({"GET /v1/jobs": lambda body: (401, problem)}) as url:
        result = CliRunner().invoke(app, ["jobs", "--url", url])
    assert result.exit_code == ExitCode.REFUSED
    assert result.stderr.splitlines()[0] == "this server wants an API key"
    assert "GRADIENTD_API_KEY" in result.stderr


def test_a_missing_scope_is_told() -> None:
    problem = {"status": 403, "code": "insufficient_scope", "detail": "this key lacks the scope 'submit'"}
    with serving({"POST /v1/jobs": lambda body: (403, problem)}) as url:
        result = CliRunner().invoke(app, ["train", "--url", url], env={"GRADIENTD_API_KEY": new_secret()})
    assert (result.exit_code, result.stderr) == (ExitCode.REFUSED, "this key lacks the scope 'submit'\n")


def test_help_does_not_show_the_key() -> None:
    secret = new_secret()
    shown = CliRunner().invoke(app, ["train", "--help"], env={"GRADIENTD_API_KEY": secret}).stdout
    assert "--api-key" in shown
    assert secret not in shown


def test_a_key_that_cannot_be_one_is_not_repeated() -> None:
    result = CliRunner().invoke(app, ["jobs", "--api-key", "gd_ä-secret\n"])
    assert result.exit_code == ExitCode.REFUSED
    assert "secret" not in result.stderr


def test_up_refuses_to_be_open_to_other_machines(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["up", "--host", "0.0.0.0", "--data-dir", str(tmp_path / "data")])
    assert result.exit_code == ExitCode.REFUSED
    assert result.stderr.startswith("will not listen on '0.0.0.0'")
    assert "gradientd keys create" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("changes", "own_store", "words"),
    [
        ({}, True, "whoever is on this machine is let in"),
        ({"host": "0.0.0.0", "insecure": True}, True, "INSECURE"),
        ({"auth": "required"}, True, "gradientd keys create --owner NAME --data-dir '/a b'"),
        ({"auth": "required"}, False, "gradientd keys create --owner NAME --redis-url URL"),
    ],
)
def test_up_says_who_is_let_in(changes: dict[str, Any], own_store: bool, words: str) -> None:
    assert words in access_words(Plan(settings=Settings(data_dir=Path("/a b"), **changes), own_store=own_store))


def test_a_stack_that_asks_for_keys_has_one_of_its_own(tmp_path: Path) -> None:
    class Silent:
        def say(self, text: str) -> None: ...
        def forward(self, name: str, line: str) -> None: ...

    settings = Settings(data_dir=tmp_path, port=0)
    for asked in (False, True):
        chosen = settings.model_copy(update={"auth": "required" if asked else "auto"})
        with Stack(Plan(settings=chosen), output=Silent()) as stack:
            assert bool(stack.api_key) == asked
    with pytest.raises(Misconfigured):
        Stack(Plan(settings=settings.model_copy(update={"host": "0.0.0.0"})), output=Silent())
