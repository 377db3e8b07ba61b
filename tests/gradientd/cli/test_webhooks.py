"""`webhooks`: deliveries as a table and as JSON, and told once more."""

import json
from datetime import timedelta

from typer.testing import CliRunner, Result

from gradientd.cli.app import app
from gradientd.client import Client
from jobs.webhook_messages import Attempt, Delivery
from tests.gradientd.samples import CREATED_AT, JOB_ID, Route, serving

PATH = f"/v1/jobs/{JOB_ID}/webhook-deliveries"
FIRST = f"msg_{JOB_ID.removeprefix('job_')}_1"
DELIVERIES = [
    Delivery(
        id=FIRST,
        type="job.running",
        event_id="1-2",
        status="delivered",
        attempts=(
            Attempt(at=CREATED_AT, error="timed_out", seconds=15),
            Attempt(at=CREATED_AT, status_code=204, seconds=0.1),
        ),
        created_at=CREATED_AT,
    ),
    Delivery(
        id=FIRST[:-1] + "2",
        type="job.succeeded",
        event_id="1-9",
        status="pending",
        next_attempt_at=CREATED_AT + timedelta(seconds=5),
        created_at=CREATED_AT,
    ),
]


def gradientd(*arguments: str, routes: dict[str, Route]) -> Result:
    """Run the command against a server with these routes."""
    with serving(routes) as url:
        return CliRunner().invoke(app, ["webhooks", JOB_ID, *arguments], env={"GRADIENTD_URL": url, "COLUMNS": "150"})


def test_deliveries_are_a_table() -> None:
    result = gradientd(routes={f"GET {PATH}": lambda body: (200, DELIVERIES)})
    assert result.exit_code == 0
    head, first, second = result.stdout.splitlines()
    assert head.split() == ["delivery", "told", "status", "attempts", "last", "answer", "next"]
    assert first.split() == [FIRST, "job.running", "delivered", "2", "204"]
    assert second.split() == [FIRST[:-1] + "2", "job.succeeded", "pending", "0", "12:00:05"]


def test_a_job_without_any_says_so() -> None:
    result = gradientd(routes={f"GET {PATH}": lambda body: (200, [])})
    assert (result.exit_code, result.stdout.split(":")[0]) == (0, "nothing")


def test_a_delivery_is_told_once_more() -> None:
    asked: list[str] = []

    def again(body: object) -> tuple[int, Delivery]:
        asked.append("POST")
        return 202, DELIVERIES[0].model_copy(update={"status": "pending"})

    result = gradientd("--redeliver", FIRST, "--json", routes={f"POST {PATH}/{FIRST}/redeliver": again})
    assert result.exit_code == 0
    (told,) = json.loads(result.stdout)
    assert (told["id"], told["status"], asked) == (FIRST, "pending", ["POST"])


def test_the_client_lists_and_tells_again() -> None:
    routes: dict[str, Route] = {
        f"GET {PATH}": lambda body: (200, DELIVERIES),
        f"POST {PATH}/{FIRST}/redeliver": lambda body: (202, DELIVERIES[0]),
    }
    with serving(routes) as url, Client(url) as client:
        told = list(client.webhook_deliveries(JOB_ID))
        assert told == DELIVERIES
        assert client.redeliver(JOB_ID, told[0]) == DELIVERIES[0]
