"""Commands are proposed as they can be typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradientd.cli.program import called_as


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """The command in an environment of its own."""
    file = tmp_path / "my env" / "bin" / "gradientd"
    file.parent.mkdir(parents=True)
    file.touch(mode=0o755)
    return file


def test_a_command_on_the_path_is_its_name(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(command.parent))
    monkeypatch.setattr(sys, "argv", [str(command), "train"])
    assert called_as() == "gradientd"


def test_a_command_elsewhere_is_its_path(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", [str(command), "train"])
    assert called_as() == f"'{command}'"


def test_another_command_of_the_name_is_not_this_one(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "gradientd"
    other.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(command)])
    assert called_as() == f"'{command}'"


def test_a_module_is_run_by_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/site-packages/gradientd/__main__.py"])
    assert called_as() == "python -m gradientd"


def test_a_module_imports_nothing_of_the_folder_that_it_is_run_in(tmp_path: Path) -> None:
    for name in ("jobs", "store", "typer", "rich"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the folder was run')")
    done = run_module(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("gradientd ")


def test_a_module_runs_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = run_module(gone, before="rmdir ../gone")
    assert (done.returncode, done.stderr) == (0, "")


def run_module(folder: Path, *, before: str = "true") -> subprocess.CompletedProcess[str]:
    """`python -m gradientd --version` in a folder."""
    shell = f'{before}; exec "$0" -m gradientd --version'
    command = ["sh", "-c", shell, sys.executable]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
