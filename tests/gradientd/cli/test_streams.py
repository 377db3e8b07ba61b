"""Output that leads to a full disk, into a closed pipe, or nowhere: a sentence or silence, and an exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gradientd.cli.exit_codes import ExitCode
from jobs.spec import Spec
from jobs.wire import Preset
from tests.gradientd.samples import JOB_ID, Route, sample_job, serving, succeeded_job

PRESETS = [Preset(name=f"textbook-{n}", description="x" * 100, spec=Spec()) for n in range(500)]
ROUTES: dict[str, Route] = {
    "GET /v1/presets": lambda body: (200, PRESETS),
    "GET /v1/jobs": lambda body: (200, [succeeded_job().model_copy(update={"metadata": {"note": "größer"}})] * 20),
    f"GET /v1/jobs/{JOB_ID}": lambda body: (200, succeeded_job()),
    f"POST /v1/jobs/{JOB_ID}/pause": lambda body: (202, sample_job()),
    "POST /v1/jobs": lambda body: (202, sample_job()),
}
COMMANDS = [
    "version",
    "--help",
    "train --help",
    "presets",
    "presets --json",
    "jobs",
    f"show {JOB_ID}",
    f"pause {JOB_ID}",
    "train --detach",
    "keys create --env --owner me",
]

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def run(command: str, *, shell: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in a shell's line, where it stands as `$@`."""
    with serving(ROUTES) as url:
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", shell, "bash", sys.executable, "-m", "gradientd", *command.split()],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path)), "GRADIENTD_URL": url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_a_sentence_and_an_exit_code(command: str) -> None:
    done = run(command, shell='"$@" >/dev/full')
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.splitlines()[-1] == "cannot go on: [Errno 28] No space left on device"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", ["presets", "presets --json", "--help", "version"])
def test_a_closed_pipe_is_silence(command: str) -> None:
    done = run(command, shell='"$@" | true')
    assert (done.returncode in {0, ExitCode.PIPE_CLOSED}, done.stderr) == (True, "")


@pytest.mark.parametrize("command", ["presets", "presets --json", "--help", "version", "jobs"])
def test_closed_streams_change_nothing(command: str) -> None:
    assert run(command, shell='"$@" >&- 2>&-').returncode == 0


def test_an_error_that_nobody_can_read_keeps_its_exit_code() -> None:
    assert run("show job_unknown", shell='"$@" 2>/dev/full').returncode == ExitCode.REFUSED


def test_letters_that_the_terminal_lacks_stand_as_escapes() -> None:
    assert "größer" in run("jobs", shell='PYTHONIOENCODING=utf-8 "$@"').stdout
    assert "gr\\xf6\\xdfer" in run("jobs", shell='PYTHONIOENCODING=ascii "$@"').stdout
    answered = json.loads(run("jobs --json", shell='PYTHONIOENCODING=ascii "$@"').stdout)
    assert answered["data"][0]["metadata"] == {"note": "größer"}
