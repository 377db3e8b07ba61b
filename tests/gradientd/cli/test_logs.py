"""`logs`: lines of a job's worker and its changes of status, as they are and as they come."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from gradientd.cli.app import app
from gradientd.cli.exit_codes import ExitCode
from gradientd.client import Client
from jobs.record import Event
from jobs.states import Status
from tests.gradientd.samples import CREATED_AT, JOB_ID, Route, dump, epoch_event, serving, status_event

EVENTS = f"GET /v1/jobs/{JOB_ID}/events"


def log(number: int, level: str, message: str) -> Event:
    """A line of a history."""
    return Event(id=f"1-{number}", type="log", at=CREATED_AT, data={"level": level, "message": message})


HISTORY = [
    status_event(1, Status.QUEUED),
    status_event(2, Status.RUNNING, attempt=1),
    log(3, "info", "compiled by XLA in 0.6 s"),
    epoch_event(4, 1),
    log(5, "warning", "its checkpoint is damaged"),
    log(6, "error", "Out of memory: lower batch_size"),
    status_event(7, Status.FAILED, attempt=1),
]
TOLD = [
    "12:00:00  info     queued",
    "12:00:00  info     running",
    "12:00:00  info     compiled by XLA in 0.6 s",
    "12:00:00  warning  its checkpoint is damaged",
    "12:00:00  error    Out of memory: lower batch_size",
    "12:00:00  error    failed",
]
DONE = Event(id="1-8", type="done", at=CREATED_AT, data={"status": "failed"})


def gradientd(*arguments: str, routes: dict[str, Route]) -> Result:
    """Run the command against a server with these routes."""
    with serving(routes) as url:
        return CliRunner().invoke(app, ["logs", JOB_ID, *arguments], env={"GRADIENTD_URL": url})


def streamed(*events: Event) -> str:
    """The events as a server sends them."""
    frames = (f"id: {event.id}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n" for event in events)
    return "".join(frames)


def test_lines_have_time_level_and_message() -> None:
    result = gradientd(routes={EVENTS: lambda body: (200, HISTORY)})
    assert (result.exit_code, result.stdout.splitlines()) == (0, TOLD)


@pytest.mark.parametrize(("level", "lines"), [("warning", TOLD[3:]), ("error", TOLD[4:])])
def test_what_matters_less_is_left_out(level: str, lines: list[str]) -> None:
    result = gradientd("--level", level, routes={EVENTS: lambda body: (200, HISTORY)})
    assert result.stdout.splitlines() == lines


def test_json_is_the_events() -> None:
    result = gradientd("--json", "--level", "warning", routes={EVENTS: lambda body: (200, HISTORY)})
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert told == [dump(event) for event in (HISTORY[4], HISTORY[5], HISTORY[6])]


def test_followed_they_come_to_the_jobs_end() -> None:
    result = gradientd("-f", routes={EVENTS: lambda body: (200, streamed(*HISTORY, DONE))})
    assert (result.exit_code, result.stdout.splitlines()) == (0, TOLD)


def test_a_line_commands_no_terminal() -> None:
    events = [log(1, "info", "\x1b[2J gone"), log(2, "shrill", "of a newer server")]
    result = gradientd(routes={EVENTS: lambda body: (200, events)})
    assert result.stdout.splitlines() == [
        "12:00:00  info     \\x1b[2J gone",
        "12:00:00  error    of a newer server",
    ]


def test_an_interruption_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(client: Client, job_id: str) -> Iterator[Event]:
        yield HISTORY[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "events", interrupted)
    result = gradientd("-f", routes={})
    assert (result.exit_code, result.stdout.splitlines(), result.stderr) == (ExitCode.INTERRUPTED, TOLD[:1], "")


def test_a_server_that_is_away_has_its_own_exit_code() -> None:
    result = CliRunner().invoke(app, ["logs", JOB_ID, "-f"], env={"GRADIENTD_URL": "http://127.0.0.1:9"})
    assert result.exit_code == ExitCode.UNREACHABLE
