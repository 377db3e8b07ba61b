"""Events and metrics of a job."""

import csv
import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.http.negotiation import choose
from api.http.problems import Refused
from api.series import NAMES, thinned
from jobs.report import Report
from store import history
from store.jobs import Claim, Store
from tests.api.conftest import Do, assert_problem, epoch

pytestmark = pytest.mark.anyio


@pytest.fixture
async def trained(submit: Any, claim: Callable[[], Claim], store: Store, do: Do) -> str:
    """A running job that has reported ten epochs."""
    job = await submit()
    fence = claim().fence
    epochs = tuple(epoch(n) for n in range(1, 11))
    do(store.report(job["id"], fence, Report(1, epochs=epochs)))
    return job["id"]


async def test_events_come_page_by_page(http: httpx.AsyncClient, trained: str) -> None:
    whole = (await http.get(f"/v1/jobs/{trained}/events")).json()
    assert [event["type"] for event in whole["data"]] == ["status", "status"] + ["metric"] * 10
    assert whole["data"][0]["data"]["status"] == "queued"
    assert whole["data"][-1]["data"]["epoch"] == 10
    seen: list[dict[str, Any]] = []
    page: dict[str, Any] = {"last_id": "", "has_more": True}
    while page["has_more"]:
        page = (await http.get(f"/v1/jobs/{trained}/events", params={"after": page["last_id"], "limit": 5})).json()
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        seen += page["data"]
    assert seen == whole["data"]


@pytest.mark.parametrize("cursor", ["x", "1", "1-", "-", "1-1-1", "9" * 30 + "-1", "(1-1", "+", "1-²"])
async def test_a_bad_event_cursor_is_refused(http: httpx.AsyncClient, trained: str, cursor: str) -> None:
    answer = await http.get(f"/v1/jobs/{trained}/events", params={"after": cursor})
    assert assert_problem(answer, 422, "invalid_cursor")["errors"][0]["parameter"] == "after"


async def test_a_cursor_behind_the_end_gives_an_empty_page(http: httpx.AsyncClient, trained: str) -> None:
    for cursor in ("99-0", "9" * 19 + "-" + "9" * 19):
        page = (await http.get(f"/v1/jobs/{trained}/events", params={"after": cursor})).json()
        assert (page["data"], page["has_more"], page["last_id"]) == ([], False, None)


async def test_metrics_are_columns(http: httpx.AsyncClient, trained: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ENTRIES_PER_READ", 3)
    answer = (await http.get(f"/v1/jobs/{trained}/metrics")).json()
    assert (answer["object"], answer["job_id"], answer["points"]) == ("training.metrics", trained, 10)
    assert answer["names"] == list(NAMES)
    assert answer["epochs"] == list(range(1, 11))
    assert answer["steps"] == list(range(5, 51, 5))
    assert answer["series"]["loss"] == [1 / n for n in range(1, 11)]
    assert answer["series"]["device_memory_bytes"] == [None] * 10
    assert answer["series"].keys() == set(NAMES)


async def test_metrics_are_chosen_and_thinned(http: httpx.AsyncClient, trained: str) -> None:
    path = f"/v1/jobs/{trained}/metrics"
    answer = (await http.get(f"{path}?names=val_loss,loss&after_step=5&max_points=3")).json()
    assert answer["names"] == ["loss", "val_loss"]
    assert answer["epochs"] == [2, 6, 10]
    assert answer["points"] == 9
    assert (await http.get(f"{path}?after_step=50")).json()["epochs"] == []


@pytest.mark.parametrize("query", ["names=speed", "names=", "max_points=1", "max_points=x", "after_step=-1", "x=1"])
async def test_a_bad_metrics_query_is_refused(http: httpx.AsyncClient, trained: str, query: str) -> None:
    problem = assert_problem(await http.get(f"/v1/jobs/{trained}/metrics?{query}"), 422, "invalid_parameter")
    assert problem["errors"][0]["parameter"] == query.partition("=")[0]


async def test_metrics_as_csv(http: httpx.AsyncClient, trained: str) -> None:
    answer = await http.get(
        f"/v1/jobs/{trained}/metrics?names=loss,device_memory_bytes", headers={"Accept": "text/csv"}
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.text.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 10
    assert rows[1] == {"epoch": "2", "step": "10", "loss": "0.5", "device_memory_bytes": ""}


async def test_metrics_in_no_other_form(http: httpx.AsyncClient, trained: str) -> None:
    answer = await http.get(f"/v1/jobs/{trained}/metrics", headers={"Accept": "image/png"})
    assert "text/csv" in assert_problem(answer, 406, "not_acceptable")["detail"]


async def test_a_job_without_epochs_has_empty_columns(http: httpx.AsyncClient, submit: Any) -> None:
    job = await submit()
    answer = (await http.get(f"/v1/jobs/{job['id']}/metrics")).json()
    assert (answer["epochs"], answer["points"], answer["series"]["loss"]) == ([], 0, [])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 10, 11, 1000])
@pytest.mark.parametrize("most", [2, 3, 7, 10])
async def test_thinning_keeps_first_and_last_and_order(count: int, most: int) -> None:
    rows = [{"epoch": n} for n in range(count)]
    kept = thinned(rows, most)
    assert len(kept) == min(count, most)
    assert kept[:1] == rows[:1]
    assert kept[-1:] == rows[-1:]
    assert [row["epoch"] for row in kept] == sorted({row["epoch"] for row in kept})


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "a/json"),
        ("*/*", "a/json"),
        ("text/csv", "text/csv"),
        ("TEXT/*;q=0.5, a/json;q=0.4", "text/csv"),
        ("a/json;q=0, */*", "text/csv"),
        ("text/csv;q=0.5, a/json", "a/json"),
        ("image/png", None),
        ("*/*;q=0", None),
        ("text/csv;q=nonsense", None),
        (";;;,,", None),
    ],
)
async def test_the_best_liked_form_is_chosen(accept: str, chosen: str | None) -> None:
    offers = ("a/json", "text/csv")
    if chosen:
        assert choose(accept, offers) == chosen
    else:
        with pytest.raises(Refused):
            choose(accept, offers)
