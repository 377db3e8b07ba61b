"""`watch` follows many jobs to their ends, in a terminal and out of it."""

import json
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from gradientd.cli.app import app
from gradientd.cli.exit_codes import ExitCode
from jobs.record import Progress
from jobs.states import Phase, Status
from tests.gradientd.listing import Listing, listing, some_job
from tests.gradientd.terminal import terminal


def running_job(number: int, percent: float) -> Listing:
    """A server with a job that runs."""
    progress = Progress(epochs=3, steps=213, epoch=1, percent=percent)
    return Listing.of([some_job(Status.RUNNING, number=number, phase=Phase.TRAINING, progress=progress)])


def test_the_table_moves_in_a_terminal_and_stays_at_the_end() -> None:
    jobs = running_job(1, 25.0)
    (job,) = jobs.jobs.values()
    with listing(jobs) as url, terminal("watch", job.id, url=url) as screen:
        screen.wait_for("training  ██░░░░░░  25%")
        jobs.put(job, progress=job.progress.model_copy(update={"percent": 50.0}))
        screen.wait_for("training  ████░░░░  50%")
        jobs.put(job, status=Status.SUCCEEDED, progress=job.progress.model_copy(update={"percent": 100.0}))
        screen.wait_for("succeeded  ████████ 100%")
        assert screen.exit_code() == ExitCode.SUCCEEDED
        assert screen.text.endswith("\n")
        assert max(map(len, screen.text.replace("\r", "\n").splitlines())) <= 80


def test_without_names_it_goes_on_until_it_is_interrupted() -> None:
    jobs = running_job(1, 25.0)
    with listing(jobs) as url, terminal("watch", url=url, columns=100, NO_COLOR="1") as screen:
        screen.wait_for("25%")
        new = some_job(Status.QUEUED, number=2)
        jobs.jobs[new.id] = new
        screen.wait_for(new.id.removeprefix("job_"))
        screen.interrupt()
        assert screen.exit_code() == ExitCode.INTERRUPTED
        assert screen.text.endswith("\nthe jobs go on\n")
        assert "Traceback" not in screen.text
        assert "\x1b[3" not in screen.raw


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([Status.SUCCEEDED, Status.SUCCEEDED], ExitCode.SUCCEEDED),
        ([Status.SUCCEEDED, Status.CANCELLED], ExitCode.CANCELLED),
        ([Status.FAILED, Status.CANCELLED], ExitCode.FAILED),
    ],
)
def test_the_exit_code_tells_the_worst_end(statuses: list[Status], code: ExitCode) -> None:
    jobs = Listing.of([some_job(status, number=at) for at, status in enumerate(statuses)])
    with listing(jobs) as url:
        result = CliRunner().invoke(app, ["watch", *jobs.jobs], env={"GRADIENTD_URL": url})
        lines = CliRunner().invoke(app, ["watch", *jobs.jobs, "--json"], env={"GRADIENTD_URL": url}).stdout.splitlines()
    assert (result.exit_code, result.stderr) == (code, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(jobs.jobs)
    assert [json.loads(line)["status"] for line in lines] == statuses


def test_names_and_a_filter_do_not_go_together() -> None:
    result = CliRunner().invoke(app, ["watch", "last", "--status", "queued"])
    assert result.exit_code == ExitCode.REFUSED
    assert "either jobs by name or those that fit a filter" in result.stderr


@pytest.mark.slow
def test_a_pipe_gets_lines_as_they_happen_and_a_short_absence_passes() -> None:
    jobs = running_job(1, 25.0)
    (job,) = jobs.jobs.values()
    with listing(jobs) as url:
        command = [sys.executable, "-m", "gradientd", "watch", job.id, "--url", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            try:
                assert watch.stdout
                assert watch.stderr
                assert watch.stdout.readline() == f"{job.id} running\n"
                jobs.away = True
                assert watch.stderr.readline().endswith("; trying again\n")
                jobs.away = False
                assert watch.stderr.readline() == "the server answers again\n"
                jobs.put(job, status=Status.CANCELLED)
                assert watch.stdout.readline() == f"{job.id} cancelled\n"
                assert watch.wait(30) == ExitCode.CANCELLED
            finally:
                watch.send_signal(signal.SIGKILL)
