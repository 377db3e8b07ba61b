"""Many jobs are cancelled, paused, resumed and deleted: by name, or by a filter and after a question."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gradientd.cli import actions
from gradientd.cli.actions import CANCEL, DELETE, Round
from gradientd.cli.app import app
from gradientd.cli.exit_codes import ExitCode
from gradientd.client import Client
from jobs.states import Status
from tests.conftest import wait_until
from tests.gradientd.listing import Listing, listing, some_job
from tests.gradientd.terminal import terminal

REFUSAL = (409, {"status": 409, "detail": "not this one"})


def gradientd(*arguments: str, jobs: Listing) -> Result:
    """Run the command against a server that has the jobs. There is no terminal to ask at."""
    with listing(jobs) as url:
        return CliRunner().invoke(app, list(arguments), env={"GRADIENTD_URL": url})


def refusing(job_id: str) -> Callable[[str, str], tuple[int, Any] | None]:
    """Answers that refuse one job."""
    return lambda method, path: REFUSAL if method != "GET" and job_id in path else None


@pytest.fixture
def jobs() -> Listing:
    """Two that wait, one that runs, two that ended, with labels and datasets."""
    return Listing.of(
        [
            some_job(Status.SUCCEEDED, metadata={"team": "a"}),
            some_job(Status.FAILED, number=1, dataset="iris@1"),
            some_job(Status.RUNNING, number=2, metadata={"team": "a"}),
            some_job(Status.QUEUED, number=3, dataset="iris@2"),
            some_job(Status.QUEUED, number=4, metadata={"team": "a"}),
        ]
    )


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ("--all", ["succeeded", "failed", "cancelling", "cancelled", "cancelled"]),
        ("--status queued", ["succeeded", "failed", "running", "cancelled", "cancelled"]),
        ("--status queued --status running -l team=a", ["succeeded", "failed", "cancelling", "queued", "cancelled"]),
        ("--metadata team=a --all", ["succeeded", "failed", "cancelling", "queued", "cancelled"]),
        ("--dataset iris", ["succeeded", "failed", "running", "cancelled", "queued"]),
        ("--dataset iris@2", ["succeeded", "failed", "running", "cancelled", "queued"]),
        ("--dataset iris@1", ["succeeded", "failed", "running", "queued", "queued"]),
        ("--dataset iri", ["succeeded", "failed", "running", "queued", "queued"]),
    ],
)
def test_only_what_fits_is_cancelled(options: str, left: list[str], jobs: Listing) -> None:
    result = gradientd("cancel", *options.split(), "--yes", jobs=jobs)
    assert (result.exit_code, jobs.statuses()) == (0, left), result.output


def test_what_was_done_is_told_job_by_job(jobs: Listing) -> None:
    newest, running = list(jobs.jobs)[4], list(jobs.jobs)[2]
    result = gradientd("cancel", "-l", "team=a", "--yes", jobs=jobs)
    assert result.stdout == f"{newest} cancelled\n{running} cancelling\n"
    assert result.stderr == "2 jobs asked to stop\n"
    assert gradientd("delete", "-l", "team=b", "--yes", jobs=jobs).stderr == "no job fits\n"


def test_only_jobs_that_ended_are_deleted(jobs: Listing) -> None:
    assert gradientd("delete", "--all", "--yes", jobs=jobs).exit_code == 0
    assert jobs.statuses() == ["running", "queued", "queued"]


def test_jobs_are_paused_and_resumed_by_filter(jobs: Listing) -> None:
    gradientd("pause", "--all", "-y", jobs=jobs)
    assert jobs.statuses() == ["succeeded", "failed", "pausing", "paused", "paused"]
    gradientd("resume", "--dataset", "iris", "-y", jobs=jobs)
    assert jobs.statuses() == ["succeeded", "failed", "pausing", "queued", "paused"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("cancel", "JOB: name a job, or say which by --status, --dataset, --metadata or --all"),
        ("cancel last --all", "JOB: either jobs by name or those that fit a filter"),
        ("cancel --status failed", "--status: a job that is failed has ended"),
        ("delete --status running", "--status: a job that is running has not ended: cancel it first"),
        ("delete -l team", "--metadata: 'team' is not of the form key=value"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(arguments: str, said: str, jobs: Listing) -> None:
    result = gradientd(*arguments.split(), jobs=jobs)
    assert result.exit_code == ExitCode.REFUSED
    assert result.stderr.splitlines()[0] == said
    assert not jobs.asked


def test_without_a_terminal_nothing_is_done_without_yes(jobs: Listing) -> None:
    result = gradientd("delete", "--all", jobs=jobs)
    assert result.exit_code == ExitCode.REFUSED
    assert "--yes: is needed: there is no terminal to ask at whether to delete 2 jobs" in result.stderr
    assert len(jobs.jobs) == 5


def test_a_dry_run_only_lists(jobs: Listing) -> None:
    result = gradientd("cancel", "--all", "--dry-run", jobs=jobs)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["id", *reversed(list(jobs.jobs)[2:])]
    documents = json.loads(gradientd("delete", *list(jobs.jobs)[:1], "--dry-run", "--json", jobs=jobs).stdout)
    assert documents == [{"id": next(iter(jobs.jobs)), "status": "succeeded"}]
    assert {request.split()[0] for request in jobs.asked} == {"GET"}


def test_several_names_need_no_question(jobs: Listing) -> None:
    one, two = list(jobs.jobs)[3:]
    result = gradientd("cancel", one, two.removeprefix("job_"), one, jobs=jobs)
    assert result.stdout == f"{one} cancelled\n{two} cancelled\n"
    assert jobs.asked[f"POST /v1/jobs/{one}/cancel"] == 1


def test_all_pages_are_gone_over() -> None:
    jobs = Listing.of([some_job(Status.QUEUED, number=at) for at in range(250)])
    result = gradientd("cancel", "--all", "--yes", "--json", jobs=jobs)
    document = json.loads(result.stdout)
    assert (document["done"], document["failed"], len(document["data"])) == (250, 0, 250)
    assert set(jobs.statuses()) == {"cancelled"}


def test_a_refusal_keeps_none_from_the_others(jobs: Listing) -> None:
    bad = list(jobs.jobs)[3]
    jobs.answers = refusing(bad)
    result = gradientd("cancel", "--all", "--yes", jobs=jobs)
    assert result.exit_code == ExitCode.REFUSED
    assert jobs.statuses() == ["succeeded", "failed", "cancelling", "queued", "cancelled"]
    assert result.stderr == f"{bad}: not this one\n2 of 3 jobs asked to stop; 1 refused\n"
    jobs.answers = refusing(next(iter(jobs.jobs)))
    document = json.loads(gradientd("delete", "--all", "--yes", "--json", jobs=jobs).stdout)
    assert (document["done"], document["failed"]) == (2, 1)
    assert document["data"][-1] == {"id": next(iter(jobs.jobs)), "error": "not this one"}


def test_a_server_that_goes_away_is_told_with_what_was_done(jobs: Listing) -> None:
    second = list(jobs.jobs)[3]
    jobs.answers = lambda method, path: (503, {"status": 503, "detail": "away"}) if second in path else None
    result = gradientd("cancel", "--all", "--yes", jobs=jobs)
    assert result.exit_code == ExitCode.UNREACHABLE
    assert result.stderr.splitlines()[0] == "1 of 3 jobs asked to stop"
    assert "cannot serve at the moment" in result.stderr.splitlines()[1]


def test_what_somebody_else_deleted_is_deleted(jobs: Listing) -> None:
    gone = next(iter(jobs.jobs))
    jobs.answers = lambda method, path: (404, {"status": 404, "detail": "no"}) if method == "DELETE" else None
    with listing(jobs) as url, Client(url) as client:
        (outcome,) = Round(client, DELETE, [gone]).run()
    assert outcome.document == {"id": gone, "deleted": True}


def test_a_key_that_asked_too_often_waits(jobs: Listing) -> None:
    left = [429, 429]
    queued = list(jobs.jobs)[4]
    jobs.answers = lambda method, path: (429, {"status": left.pop(), "detail": "too many"}) if left else None
    pauses: list[float] = []
    with listing(jobs) as url, Client(url, max_retries=0) as client:
        (outcome,) = Round(client, CANCEL, [queued], pause=pauses.append).run()
    assert outcome.document == {"id": queued, "status": "cancelled"}
    assert pauses == [actions.PAUSE_SECONDS] * 2


def test_waiting_tells_how_they_stopped(jobs: Listing) -> None:
    def answer(method: str, path: str) -> None:
        for job in list(jobs.jobs.values()):
            if method == "GET" and job.id in path and job.status is Status.CANCELLING:
                jobs.put(job, status=Status.CANCELLED)

    jobs.answers = answer
    result = gradientd("cancel", "-l", "team=a", "--wait", "--yes", jobs=jobs)
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["cancelled", "cancelled"]


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 3), ("n\n", 3, 5), ("\x04", 3, 5), ("\x03", 130, 5)])
def test_a_terminal_is_asked_at_with_the_jobs_shown(answer: str, code: int, left: int, jobs: Listing) -> None:
    with listing(jobs) as url, terminal("delete", "--all", url=url) as screen:
        screen.wait_for("delete 2 jobs? [y/N]: ")
        assert all(job_id in screen.text for job_id in list(jobs.jobs)[:2])
        assert len(jobs.jobs) == 5
        screen.type(answer)
        assert screen.exit_code() == code
    assert len(jobs.jobs) == left


def test_of_very_many_jobs_the_question_names_some() -> None:
    jobs = Listing.of([some_job(Status.QUEUED, number=at) for at in range(23)])
    with listing(jobs) as url, terminal("cancel", "--all", url=url, lines=60) as screen:
        screen.wait_for("cancel 23 jobs? [y/N]: ")
        assert "and 3 more" in screen.text
        screen.interrupt()
        assert screen.exit_code() == 130
    assert set(jobs.statuses()) == {"queued"}


def test_an_interruption_tells_what_was_done(jobs: Listing) -> None:
    stuck = list(jobs.jobs)[3]
    reached: list[str] = []

    def answer(method: str, path: str) -> tuple[int, Any] | None:
        if stuck not in path or method == "GET":
            return None
        reached.append(path)
        return 429, {"status": 429, "detail": "too many"}

    jobs.answers = answer
    with listing(jobs) as url:
        command = [sys.executable, "-m", "gradientd", "cancel", "--all", "--yes", "--url", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            try:
                wait_until(lambda: reached, what="the second job to be asked for")
                running.send_signal(signal.SIGINT)
                _, said = running.communicate(timeout=30)
                assert running.returncode == ExitCode.INTERRUPTED
            finally:
                running.kill()
    assert said == "\ninterrupted: 1 of 3 jobs asked to stop\n"
