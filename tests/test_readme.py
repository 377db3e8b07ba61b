"""README's commands work as written: the command line reads each, and the slow test types them in their order."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gradientd.cli.app import app
from gradientd.cli.progress_lines import epoch_line
from jobs.record import Event
from tests.conftest import free_port, wait_until
from tests.gradientd.samples import JOB_ID, Route, epoch_event, sample_epoch, sample_job, serving, succeeded_job

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(
    r"(?:^<!-- not run by the tests: (?P<reason>[^\n]*) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
SERVER = re.compile(r"\b(make|gradientd) up\b")
NOT_RUN = {"pip", "docker"}
"""What alone may be left to others, who are named beside it: what needs an index of packages or an engine."""


@dataclass(frozen=True)
class Block:
    """Commands, or a program, of the README."""

    kind: str
    text: str
    reason: str | None

    @property
    def commands(self) -> list[str]:
        """What stands behind the prompts."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] if self.kind == "console" else []


BLOCKS = [Block(found["kind"], found["text"], found["reason"]) for found in BLOCK.finditer(README)]
PROGRAMS = [block.text for block in BLOCKS if block.kind == "python"]
COMMANDS = [command for block in BLOCKS if block.reason is None for command in block.commands]
IN_PROSE = [words for words in re.findall(r"`((?:\.venv/bin/)?gradientd [^`]+)`", README) if "…" not in words]


def arguments(command: str) -> list[str] | None:
    """What a command hands to `gradientd`; None for a command that is another program's."""
    found = re.search(r"(?:^|[\s(/])gradientd ([^#)|]*)", command)
    return shlex.split(found[1]) if found else None


def test_only_what_cannot_run_here_is_left_out() -> None:
    left_out = [command for block in BLOCKS if block.reason for command in block.commands]
    assert left_out
    assert {command.split()[0] for command in left_out} == NOT_RUN
    assert not [command for command in COMMANDS if command.split()[0] in NOT_RUN]


@pytest.mark.parametrize("command", [*COMMANDS, *IN_PROSE])
def test_the_command_line_understands_it(command: str) -> None:
    given = arguments(command)
    if given is None:
        assert command.split(maxsplit=1)[0] in ("make", "source", "curl", "export")
        return
    # Before an option of `gradientd` itself, which would otherwise act: help that comes first ends it.
    result = CliRunner().invoke(app, ["--help", *given] if given[0].startswith("-") else [*given, "--help"])
    assert result.exit_code == 0, result.output


def test_an_epoch_is_shown_as_it_is_printed() -> None:
    shown = [line for line in README.splitlines() if line.startswith("epoch ")]
    (shape,) = {re.sub(r" *[\d.]+[kM]?", "0", line) for line in shown}
    assert shape == re.sub(r" *[\d.]+[kM]?", "0", epoch_line(sample_epoch(3), epochs=5))
    assert len({len(line) for line in shown}) == 1


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = PROGRAMS
    job, asked = succeeded_job(), []

    def accept(body: Any) -> tuple[int, Any]:
        asked.append(body)
        return 202, sample_job()

    done = Event(id="1-9", type="done", at=job.created_at, data={"status": "succeeded"})
    told = (epoch_event(3, 1), done)
    stream = "".join(f"id: {each.id}\nevent: {each.type}\ndata: {each.model_dump_json()}\n\n" for each in told)
    routes: dict[str, Route] = {
        "POST /v1/jobs": accept,
        f"GET /v1/jobs/{JOB_ID}": lambda body: (200, job),
        f"GET /v1/jobs/{JOB_ID}/events": lambda body: (200, stream),
        "GET /v1/jobs": lambda body: (200, [job]),
    }
    with serving(routes) as url:
        monkeypatch.setenv("GRADIENTD_URL", url)
        exec(compile(program, "README.md", "exec"), {})
    assert asked == [{"model": {"type": "softmax"}, "epochs": 3, "metadata": {"team": "vision"}}]
    assert capsys.readouterr().out == f"1 {told[0].data['val_loss']}\nsucceeded 0.9612\n{JOB_ID} 0.9612\n"


# --- the reader, who types all of it ---------------------------------------------------------------


class Terminal:
    """A shell that commands are typed into, one after another."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def type(self, command: str) -> tuple[int, str]:
        """The command's exit code and what it wrote."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        end = f"end-{uuid.uuid4().hex}"
        self.shell.stdin.write(f"{{ {command}\n}} </dev/null\necho; echo {end} $?\n")
        self.shell.stdin.flush()
        written: list[str] = []
        for line in self.shell.stdout:
            if line.startswith(end):
                return int(line.split()[1]), "".join(written)
            written.append(line)
        pytest.fail(f"the shell ended with {command!r}: {''.join(written)}")

    def close(self) -> None:
        """End the shell and what it started."""
        os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait(10)
        for stream in (self.shell.stdin, self.shell.stdout):
            assert stream is not None
            stream.close()


class Server:
    """A command that serves until Ctrl-C, in a terminal of its own."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str], *, log: Path) -> None:
        with log.open("wb") as out:
            self.popen = subprocess.Popen(
                ["bash", "-c", command], cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        wait_until(
            lambda: self.popen.poll() is not None or "gradientd is up at" in log.read_text(),
            what=command,
            timeout_seconds=180,
        )
        assert self.popen.poll() is None, log.read_text()

    def stop(self) -> int:
        """Ctrl-C; its exit code."""
        os.killpg(self.popen.pid, signal.SIGINT)
        return self.popen.wait(60)

    def close(self) -> None:
        """End it, if it has not ended."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait(10)


class Reader:
    """Types the README's commands: those that serve in one terminal, all others in another."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder / "gradientd"
        self.home = folder / "home"
        self.environment = environment_of(self.home, port=self.port)
        self.terminal = Terminal(self.folder, self.environment)
        self.server: Server | None = None
        self.blanks = {"localhost:8000": f"localhost:{self.port}"}
        """What the README leaves to the reader, and the port, which has to be free here."""

    def type(self, command: str) -> None:
        """Type a command, which must succeed."""
        for blank, text in self.blanks.items():
            command = command.replace(blank, text)
        if SERVER.search(command):
            self.stop()
            # A terminal in which the README's line before has put the command on the PATH as well.
            path = f"{self.folder}/.venv/bin:{self.environment['PATH']}"
            self.server = Server(command, self.folder, {**self.environment, "PATH": path}, log=self.home / "up.log")
            return
        code, written = self.terminal.type(command)
        assert code == 0, f"$ {command}\n{written}"
        if key := re.search(r"\bgd_[\w-]{43}\b", written):
            self.blanks["gd_…"] = key[0]
        if key := re.search(r"\bkey_[0-9a-f]{16}\b", written):
            self.blanks["key_…"] = key[0]

    def run(self, program: str) -> None:
        """Run a program of the README."""
        (self.folder / "example.py").write_text(program)
        self.type("python example.py")

    def stop(self) -> None:
        """Ctrl-C in the terminal that serves."""
        if self.server is not None:
            assert self.server.stop() in (0, 2, -signal.SIGINT)  # make ends with 2, or by the signal that it passed on
            self.server = None

    def close(self) -> None:
        """End everything."""
        self.terminal.close()
        if self.server is not None:
            self.server.close()


def environment_of(home: Path, *, port: int) -> dict[str, str]:
    """A shell's environment on a machine where nothing of this was done before."""
    own = str(Path(sys.prefix) / "bin")
    path = ":".join(part for part in os.environ["PATH"].split(":") if part != own)
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {
        **{name: value for name, value in kept.items() if name not in ("VIRTUAL_ENV", "MAKEFLAGS", "PYTHONHOME")},
        "HOME": str(home),
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "GRADIENTD_PORT": str(port),
        "GRADIENTD_URL": f"http://127.0.0.1:{port}",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader in a fresh clone that `make` has set up."""
    if not (Path(sys.prefix) / ".demo").exists():
        pytest.skip("make would set this environment up anew: it was not made by it")
    clone = tmp_path / "gradientd"
    clone.mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
    (clone / ".venv").symlink_to(sys.prefix)
    shutil.copytree(ROOT / "requirements", clone / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, clone / name)
    for file in [clone / "pyproject.toml", *(clone / "requirements").iterdir()]:
        os.utime(file, (1, 1))  # older than what set-up leaves, so that make does not repeat it
    reader = Reader(tmp_path)
    yield reader
    reader.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_of_it_works_in_its_order(reader: Reader) -> None:
    typed = 0
    for block in BLOCKS:
        if block.kind == "python":
            reader.run(block.text)
        for command in block.commands if block.reason is None else ():
            reader.type(command)
            typed += 1
    reader.stop()
    assert typed == len(COMMANDS)
