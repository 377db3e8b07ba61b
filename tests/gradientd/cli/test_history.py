"""`metrics`, `events` and `checkpoints`, for people and for programs."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gradientd.cli.app import app
from gradientd.cli.exit_codes import ExitCode
from jobs.record import Event
from jobs.states import Reason, Status
from jobs.wire import KeptCheckpoint, Series
from tests.gradientd.samples import (
    CREATED_AT,
    JOB_ID,
    Route,
    dump,
    epoch_event,
    one_after_another,
    sample_epoch,
    sample_job,
    serving,
    status_event,
    succeeded_job,
)

JOB_PATH = f"/v1/jobs/{JOB_ID}"
SERIES = Series(
    job_id=JOB_ID,
    names=("loss", "device_memory_bytes"),
    epochs=(1, 2),
    steps=(71, 142),
    series={"loss": (0.5, 0.25), "device_memory_bytes": (None, None)},
    points=2,
)
CSV = "epoch,step,loss\r\n1,71,0.5\r\n2,142,0.25\r\n"


def gradientd(*arguments: str, routes: dict[str, Route]) -> Result:
    """Run the command against a server with these routes."""
    with serving(routes) as url:
        return CliRunner().invoke(app, list(arguments), env={"GRADIENTD_URL": url})


def test_metrics_are_a_table_json_or_csv() -> None:
    routes: dict[str, Route] = {f"GET {JOB_PATH}/metrics": lambda body: (200, SERIES)}
    assert [line.split() for line in gradientd("metrics", JOB_ID, routes=routes).stdout.splitlines()] == [
        ["epoch", "step", "loss"],
        ["1", "71", "0.5000"],
        ["2", "142", "0.2500"],
    ]
    assert json.loads(gradientd("metrics", JOB_ID, "--json", routes=routes).stdout) == dump(SERIES)
    routes = {f"GET {JOB_PATH}/metrics": lambda body: (200, CSV)}
    assert gradientd("metrics", JOB_ID, "--csv", routes=routes).stdout == CSV.replace("\r\n", "\n")


def test_metrics_have_one_form() -> None:
    result = gradientd("metrics", JOB_ID, "--csv", "--json", routes={})
    assert (result.exit_code, result.stdout) == (ExitCode.REFUSED, "")
    assert "either CSV or JSON" in result.stderr


def test_metrics_are_cut_to_what_is_asked_for() -> None:
    asked: list[Any] = []
    with serving({f"GET {JOB_PATH}/metrics": lambda body: (200, SERIES)}, asked=asked) as url:
        arguments = ["metrics", JOB_ID, "--name", "loss", "--name", "val_loss", "--last", "1"]
        result = CliRunner().invoke(app, arguments, env={"GRADIENTD_URL": url})
    assert [line.split() for line in result.stdout.splitlines()] == [["epoch", "step", "loss"], ["2", "142", "0.2500"]]
    assert asked == [f"GET {JOB_PATH}/metrics?names=loss&names=val_loss"]
    routes: dict[str, Route] = {f"GET {JOB_PATH}/metrics": lambda body: (200, SERIES)}
    document = json.loads(gradientd("metrics", JOB_ID, "--last", "1", "--json", routes=routes).stdout)
    assert (document["epochs"], document["steps"], document["series"]["loss"]) == ([2], [142], [0.25])


def test_the_last_lines_of_a_csv_keep_its_header(tmp_path: Path) -> None:
    routes: dict[str, Route] = {f"GET {JOB_PATH}/metrics": lambda body: (200, CSV)}
    assert gradientd("metrics", JOB_ID, "--csv", "--last", "1", routes=routes).stdout == "epoch,step,loss\n2,142,0.25\n"
    assert gradientd("metrics", JOB_ID, "--csv", "--last", "9", routes=routes).stdout == CSV.replace("\r\n", "\n")
    file = tmp_path / "metrics.csv"
    assert gradientd("metrics", JOB_ID, "--output", str(file), routes=routes).stdout == ""
    assert file.read_bytes() == CSV.encode()
    result = gradientd("metrics", JOB_ID, "-o", str(tmp_path / "no" / "where.csv"), routes=routes)
    assert result.exit_code == ExitCode.REFUSED
    assert "No such file or directory" in result.stderr


def event(number: int, kind: str, **data: object) -> Event:
    """An entry of a history."""
    return Event.model_validate({"id": f"1-{number}", "type": kind, "at": CREATED_AT, "data": data})


HISTORY = [
    status_event(1, Status.QUEUED),
    status_event(2, Status.RUNNING, attempt=1),
    event(3, "run", execution="graph", device_name="AMD EPYC", parameters=7),
    epoch_event(4, 1),
    event(5, "checkpoint", name="checkpoint-1-71.npz", epoch=1, step=71),
    event(6, "status", status="queued", reason=Reason.WORKER_LOST, attempt=1),
    status_event(7, Status.RUNNING, attempt=2),
]
TOLD = [
    "12:00:00  queued",
    "12:00:00  running",
    "12:00:00  runs as graph on AMD EPYC",
    "12:00:00  epoch 1/3  loss 0.3000 acc 0.9000  val loss 0.2000 acc 0.9100",
    "12:00:00  kept checkpoint-1-71.npz after epoch 1, step 71",
    "12:00:00  queued (worker lost)",
    "12:00:00  running, attempt 2",
]


def test_events_are_lines_within_the_terminal() -> None:
    routes: dict[str, Route] = {
        f"GET {JOB_PATH}": lambda body: (200, sample_job()),
        f"GET {JOB_PATH}/events": lambda body: (200, HISTORY),
    }
    assert gradientd("events", JOB_ID, routes=routes).stdout.splitlines() == TOLD
    documents = [json.loads(line) for line in gradientd("events", JOB_ID, "--json", routes=routes).stdout.splitlines()]
    assert documents == [dump(each) for each in HISTORY]
    assert {document["object"] for document in documents} == {"training.event"}


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_followed_events_go_on_to_the_jobs_end(option: tuple[str, ...]) -> None:
    end = status_event(8, Status.SUCCEEDED, attempt=2)
    running = sample_job(Status.RUNNING, attempt=2)
    routes: dict[str, Route] = {
        f"GET {JOB_PATH}": one_after_another(running, running, succeeded_job()),
        f"GET {JOB_PATH}/events": one_after_another(HISTORY, [end], []),
    }
    lines = gradientd("events", JOB_ID, "--follow", *option, routes=routes).stdout.splitlines()
    assert len(lines) == len(HISTORY) + 1
    assert "succeeded" in lines[-1]


def test_checkpoints_are_a_table_or_json() -> None:
    kept = KeptCheckpoint(
        name="checkpoint-1-71.npz",
        epoch=1,
        step=71,
        size_bytes=942_000,
        sha256="9f",
        metrics=sample_epoch(1),
        kind="last",
    )
    routes: dict[str, Route] = {f"GET {JOB_PATH}/checkpoints": lambda body: (200, [kept])}
    row = gradientd("checkpoints", JOB_ID, routes=routes).stdout.splitlines()[1].split()
    assert row == ["checkpoint-1-71.npz", "last", "1", "71", "0.9100", "942,000", "9f"]
    assert json.loads(gradientd("checkpoints", JOB_ID, "--json", routes=routes).stdout) == dump([kept])
