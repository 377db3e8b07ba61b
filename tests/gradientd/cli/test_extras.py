"""What runs without the extras, and what the other commands say there."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.extras import STORE, UP, Extra
from tests.conftest import free_port

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
COMMANDS = [
    *("train", "jobs", "show", "metrics", "events", "checkpoints", "cancel", "pause", "resume", "delete"),
    *("workers", "presets", "datasets", "up", "demo", "keys", "version"),
]


def gradientd_without(modules: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as it is where these modules are not installed."""
    program = f"import sys; sys.modules.update(dict.fromkeys({modules!r})); from gradientd.cli.app import app; app()"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_without_extras_the_help_lists_every_command() -> None:
    result = gradientd_without(UP.modules, "--help")
    assert result.returncode == 0, result.stderr
    told = {line.strip("│ ").partition(" ")[0] for line in result.stdout.splitlines()}
    assert set(COMMANDS) <= told


@pytest.mark.parametrize("command", [["up"], ["demo"], ["keys", "create"], ["keys", "list"], ["keys", "revoke"]])
def test_without_extras_a_command_has_its_help(command: list[str]) -> None:
    result = gradientd_without(UP.modules, *command, "--help")
    assert result.returncode == 0, result.stderr
    assert "--data-dir" in result.stdout


def test_without_extras_jobs_are_asked_for() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = gradientd_without(UP.modules, "jobs", "--url", url)
    assert result.returncode == ExitCode.UNREACHABLE
    assert result.stderr.startswith(f"no answer from {url}: connection refused")


@pytest.mark.parametrize(
    ("missing", "command", "name", "extra"),
    [
        ("redis", ["up"], "up", "up"),
        ("tensorflow", ["up"], "up", "up"),
        ("fastapi", ["demo"], "demo", "up"),
        ("redis", ["keys", "list"], "keys", "store"),
        ("pydantic_settings", ["keys", "create", "--owner", "me"], "keys", "store"),
        ("redis", ["keys", "revoke", "key_x"], "keys", "store"),
    ],
)
def test_a_command_says_which_extra_it_lacks(missing: str, command: list[str], name: str, extra: str) -> None:
    said = f'gradientd {name} needs the extra "{extra}": pip install "gradientd[{extra}]"'
    result = gradientd_without((missing,), *command)
    assert (result.returncode, result.stdout, result.stderr) == (ExitCode.REFUSED, "", f"{said}\n")


@pytest.mark.parametrize("extra", [STORE, UP], ids=lambda extra: extra.name)
def test_an_extra_brings_the_modules_that_it_is_known_by(extra: Extra) -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert {module.replace("_", "-") for module in extra.modules} <= distributions(extra.name, extras)


def distributions(extra: str, extras: dict[str, list[str]]) -> set[str]:
    """The distributions that an extra names, those of the extras in it too."""
    named: set[str] = set()
    for requirement in extras[extra]:
        name = requirement.partition("[")[0].partition(">")[0].strip()
        if name == "gradientd":
            inner = requirement.partition("[")[2].rstrip("]").split(",")
            named |= {found for each in inner for found in distributions(each, extras)}
        else:
            named.add(name)
    return named
