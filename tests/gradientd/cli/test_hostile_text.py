"""What strangers stored, or a server says, on its way to a terminal: it forges no line and commands nothing."""

import json
import warnings
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from gradientd.cli.display import LiveDisplay, PlainDisplay
from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.tables import print_job, print_jobs, print_rows, print_workers
from gradientd.client.errors import StillRunning
from gradientd.client.follow import Update
from jobs.record import Device, Event, Job, Worker
from jobs.states import Status
from tests.gradientd.cli.test_app import gradientd
from tests.gradientd.client.test_compatibility import newer_job
from tests.gradientd.samples import CREATED_AT, JOB_ID, Route, failed_job, sample_job

HOSTILE = "a\x1b]0;x\x07\x9b2J\rb\nc\u202ed[red]e[/red]:boom:[link=http://x]"
SHOWN = "a\\x1b]0;x\\x07\\x9b2J\\rb\\nc\\u202ed[red]e[/red]:boom:[link=http://x]"


def hostile_job(status: Status = Status.RUNNING) -> Job:
    """A job in which every text that is not ours is hostile."""
    error = failed_job().error
    assert error
    error = error.model_copy(update={"title": HOSTILE, "detail": HOSTILE})
    job = sample_job(status, worker=HOSTILE, metadata={HOSTILE: HOSTILE}, error=error)
    return job.model_copy(update={"spec": job.spec.model_copy(update={"dataset": HOSTILE, "metadata": {"k": HOSTILE}})})


def hostile_worker() -> Worker:
    """The same of a worker."""
    device = Device(name=HOSTILE, kind="cpu", model=HOSTILE)
    return Worker(
        name=HOSTILE,
        host=HOSTILE,
        pid=1,
        devices=(device,),
        threads=1,
        tensorflow=HOSTILE,
        status="idle",
        started_at=CREATED_AT,
        last_heartbeat_at=CREATED_AT,
    )


def said(show: Any, *, terminal: bool) -> str:
    """What a console gets to write."""
    out = StringIO()
    show(Console(file=out, width=2000, force_terminal=terminal, color_system=None, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_tables_have_a_line_a_row(terminal: bool) -> None:
    for show in (lambda c: print_jobs(c, [hostile_job()]), lambda c: print_workers(c, [hostile_worker()])):
        text = said(show, terminal=terminal)
        assert len(text.splitlines()) == 2
        assert SHOWN in text
        assert "\x1b]" not in text
        assert "\x9b" not in text


def test_a_job_has_a_line_a_fact() -> None:
    text = said(lambda console: print_job(console, hostile_job(Status.FAILED)), terminal=True)
    assert [line.partition(" ")[0] for line in text.splitlines()].count("label") == 1
    assert all(line.isprintable() for line in text.split("\n"))
    assert SHOWN in text


def test_progress_is_lines_without_commands() -> None:
    event = Event(id="1-1", type="status", at=CREATED_AT, data={"status": "queued", "reason": None, "attempt": 1})
    update = Update(job=hostile_job(Status.FAILED), events=(event,), trouble=HOSTILE)
    for display in (PlainDisplay, LiveDisplay):
        text = said(lambda console, display=display: display(console).show(update), terminal=True)
        assert all(line.isprintable() for line in text.split("\n")), text


@pytest.mark.parametrize("command", [["jobs"], ["show", JOB_ID], ["cancel", JOB_ID]])
def test_json_stays_json(command: list[str]) -> None:
    job = hostile_job()
    job = job.model_copy(update={"spec": sample_job().spec})  # the client takes no other name for a dataset
    routes: dict[str, Route] = {
        "GET /v1/jobs": lambda body: (200, [job]),
        f"GET /v1/jobs/{JOB_ID}": lambda body: (200, job),
        f"POST /v1/jobs/{JOB_ID}/cancel": lambda body: (202, job),
    }
    result = gradientd(*command, "--json", routes=routes)
    assert result.exit_code == ExitCode.SUCCEEDED
    assert result.stdout.replace("\n", "").isprintable()
    document = json.loads(result.stdout)
    shown = document["data"][0] if "data" in document else document
    assert shown["metadata"] == {HOSTILE: HOSTILE}


def test_a_servers_complaint_is_a_line() -> None:
    problem = {
        "type": "/problems/invalid_spec",
        "title": HOSTILE,
        "status": 422,
        "detail": HOSTILE,
        "code": "invalid_spec",
        "errors": [{"pointer": HOSTILE, "detail": HOSTILE}],
    }
    result = gradientd("show", JOB_ID, routes={f"GET /v1/jobs/{JOB_ID}": lambda body: (422, problem)})
    assert result.exit_code == ExitCode.REFUSED
    assert all(line.isprintable() for line in result.stderr.split("\n"))
    assert SHOWN in result.stderr


@pytest.mark.parametrize("command", ["jobs", "jobs --json", f"show {JOB_ID}", f"show {JOB_ID} --json"])
def test_a_newer_servers_words_are_shown_without_a_warning(command: str) -> None:
    job = newer_job() | {"status": HOSTILE}
    page = {"object": "list", "data": [job], "first_id": JOB_ID, "last_id": JOB_ID, "has_more": False}
    routes: dict[str, Route] = {
        f"GET /v1/jobs/{JOB_ID}": lambda body: (200, job),
        "GET /v1/jobs": lambda body: (200, page),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = gradientd(*command.split(), routes=routes)
    assert done.exit_code == 0, done.output
    assert "boom" in done.stdout
    assert "\x1b" not in done.output


def test_a_column_of_a_dataset_commands_no_terminal() -> None:
    where = StringIO()
    print_rows(Console(file=where), [{HOSTILE: 1, "b": 2}])
    assert where.getvalue().splitlines()[0] == f"{SHOWN}  b"


def test_what_is_said_of_a_job_that_goes_on_commands_no_terminal() -> None:
    assert SHOWN in str(StillRunning(JOB_ID, status=HOSTILE, seconds=1))
