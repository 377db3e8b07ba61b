"""Predictions over HTTP: what is taken, what is told, and what is refused where."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from structlog.testing import capture_logs

from jobs.datasets import DatasetInfo
from jobs.encoding import RowEncoder
from jobs.ids import new_job_id
from jobs.settings import Settings
from store.jobs import Claim, Store
from tests.api.conftest import assert_problem
from tests.api.models import CUSTOMERS, DIGITS, PRICES, ROWS, kernel_of, succeed

pytestmark = pytest.mark.anyio

Do = Callable[[Any], Any]
Trained = Callable[[DatasetInfo], Any]


@pytest.fixture
def trained(submit: Any, claim: Callable[[], Claim], settings: Settings, store: Store, do: Do) -> Trained:
    """A succeeded job with the dataset's linear model; its id."""

    async def trained(dataset: DatasetInfo) -> str:
        await submit()
        return succeed(claim(), dataset, settings=settings, store=store, do=do)

    return trained


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


async def ask(http: httpx.AsyncClient, job_id: str, *instances: Any, **more: Any) -> httpx.Response:
    return await http.post(f"/v1/jobs/{job_id}/predict", json={"instances": instances, **more})


async def test_rows_are_told_as_their_encoding_and_the_model_say(http: httpx.AsyncClient, trained: Trained) -> None:
    job_id = await trained(CUSTOMERS)
    rows: list[dict[str, Any]] = [
        {"age": 31, "city": "Bern"},
        {"age": "27.5", "city": " Basel "},
        {"age": None, "city": "Chur", "id": 7, "bought": "yes"},
        {"age": "NA", "city": None},
    ]
    answer = (await ask(http, job_id, *rows)).json()
    assert (answer["object"], answer["job_id"]) == ("prediction.list", job_id)
    encoder = RowEncoder(ROWS)
    right = softmax(encoder.encode(encoder.read(rows)) @ kernel_of(CUSTOMERS))
    told = [[one["probabilities"][name] for name in ("no", "yes")] for one in answer["predictions"]]
    np.testing.assert_allclose(told, right, atol=1e-6)
    assert [one["index"] for one in answer["predictions"]] == right.argmax(axis=1).tolist()
    assert [one["label"] for one in answer["predictions"]] == [("no", "yes")[at] for at in right.argmax(axis=1)]
    as_lists = (await ask(http, job_id, *([row["age"], row["city"]] for row in rows))).json()
    assert as_lists["predictions"] == answer["predictions"]


async def test_top_keeps_the_likeliest(http: httpx.AsyncClient, trained: Trained) -> None:
    job_id = await trained(CUSTOMERS)
    (one,) = (await ask(http, job_id, [40, "Bern"], top=1)).json()["predictions"]
    assert list(one["probabilities"]) == [one["label"]]
    (all_of_them,) = (await ask(http, job_id, [40, "Bern"], top=99)).json()["predictions"]
    shares = list(all_of_them["probabilities"].values())
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 2


async def test_numbers_are_values(http: httpx.AsyncClient, trained: Trained) -> None:
    job_id = await trained(PRICES)
    encoder = RowEncoder(ROWS)
    right = encoder.encode(encoder.read([{"age": 31, "city": "Bern"}])) @ kernel_of(PRICES)
    answer = (await ask(http, job_id, {"age": 31, "city": "Bern"})).json()
    assert answer["predictions"] == [{"value": pytest.approx(float(right[0, 0]), rel=1e-5)}]


async def test_images_may_leave_their_single_channel_out(http: httpx.AsyncClient, trained: Trained) -> None:
    job_id = await trained(DIGITS)
    flat = [[0, 255], [3, 4], [5, 6]]
    answer = (await ask(http, job_id, flat, [[[value] for value in row] for row in flat])).json()
    right = softmax(np.array(flat, np.float32).reshape(1, -1) @ kernel_of(DIGITS))[0]
    assert answer["predictions"][0] == answer["predictions"][1]
    assert list(answer["predictions"][0]["probabilities"].values()) == pytest.approx(right.tolist(), abs=1e-5)


@pytest.mark.parametrize("comma", [",", ";", "\t"])
async def test_a_csv_comes_back_as_one(http: httpx.AsyncClient, trained: Trained, comma: str) -> None:
    job_id = await trained(CUSTOMERS)
    rows = [["city", "age"], ["Bern", "31"], ['"Ba""s\nel"', ""], ["Basel", "40"]]
    content = "\r\n".join(comma.join(row) for row in rows)
    answer = await http.post(
        f"/v1/jobs/{job_id}/predict", content=b"\xef\xbb\xbf" + content.encode(), headers={"content-type": "text/csv"}
    )
    assert answer.headers["content-type"].startswith("text/csv")
    table = list(csv.reader(io.StringIO(answer.text)))
    assert table[0] == ["label", "probability no", "probability yes"]
    (json_one, *_) = (await ask(http, job_id, {"city": "Bern", "age": 31})).json()["predictions"]
    assert table[1][0] == json_one["label"]
    assert float(table[1][1]) == pytest.approx(json_one["probabilities"]["no"])
    assert len(table) == 4


async def test_what_is_wrong_is_named_by_position_and_column(http: httpx.AsyncClient, trained: Trained) -> None:
    job_id = await trained(CUSTOMERS)
    problem = assert_problem(
        await ask(http, job_id, {"age": 1, "city": "Bern"}, {"age": "old", "city": "Bern"}, {"city": "x", "siz": 3}),
        422,
        "unreadable_rows",
    )
    assert {error["pointer"] for error in problem["errors"]} == {
        "/instances/1/age",
        "/instances/2/siz",
        "/instances/2/age",
    }
    assert problem["faults_total"] == 3
    shapes = assert_problem(await ask(http, job_id, 5, [1], {"age": [1], "city": {}}), 422, "invalid_inputs")
    assert [error["pointer"] for error in shapes["errors"]] == [
        "/instances/0",
        "/instances/1",
        "/instances/2/age",
        "/instances/2/city",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"instances": []},
        {"instances": {}},
        {"instances": [[1, "a"]], "topp": 1},
        {"instances": [[1, "a"]], "top": 0},
        {"instances": [[1, "a"]], "top": True},
        [],
        7,
    ],
    ids=json.dumps,
)
async def test_bodies_that_ask_nothing_are_refused(http: httpx.AsyncClient, trained: Trained, body: Any) -> None:
    job_id = await trained(CUSTOMERS)
    answer = await http.post(f"/v1/jobs/{job_id}/predict", json=body)
    assert_problem(answer, 422, "invalid_inputs")


@pytest.mark.parametrize(
    "image",
    [[[1, 2], [3, 4]], [[1, 2], [3, 4], [5, 256]], [[1, 2], [3, 4], [5, 0.5]], [[1, 2], [3], [5]], "abc", {"b64": ""}],
)
async def test_images_of_another_shape_are_refused(http: httpx.AsyncClient, trained: Trained, image: Any) -> None:
    job_id = await trained(DIGITS)
    problem = assert_problem(await ask(http, job_id, [[1, 2], [3, 4], [5, 6]], image), 422, "invalid_inputs")
    assert [error["pointer"] for error in problem["errors"]] == ["/instances/1"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "age,city\n",
        "age,city\n1\n",
        'age,city\n1,"x',
        "age,age\n1,2\n",
        "age,\n1,2\n",
        "age,city\n1,\0\n",
        "\ud83d",
    ],
    ids=ascii,
)
async def test_csvs_that_are_none_are_refused(http: httpx.AsyncClient, trained: Trained, content: str) -> None:
    job_id = await trained(CUSTOMERS)
    answer = await http.post(
        f"/v1/jobs/{job_id}/predict",
        content=content.encode("utf-8", "surrogatepass"),
        headers={"content-type": "text/csv"},
    )
    assert_problem(answer, 422, "invalid_inputs")


async def test_a_job_without_a_model_says_so(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], settings: Settings, store: Store, do: Do
) -> None:
    queued = await submit()
    assert "queued" in assert_problem(await ask(http, queued["id"], [1]), 409, "not_exported")["detail"]
    job_id = succeed(claim(), CUSTOMERS, settings=settings, store=store, do=do, graph=b"no graph")
    assert_problem(await ask(http, job_id, [1, "Bern"]), 503, "storage_unavailable")
    assert_problem(await ask(http, new_job_id(), [1, "Bern"]), 404, "job_not_found")


async def test_a_deleted_job_predicts_no_more(
    http: httpx.AsyncClient, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.predict.predictor.KNOWN_SECONDS", 100.0)
    job_id = await trained(CUSTOMERS)
    assert (await ask(http, job_id, [1, "Bern"])).status_code == 200
    assert (await http.delete(f"/v1/jobs/{job_id}")).status_code == 204
    assert_problem(await ask(http, job_id, [1, "Bern"]), 404, "job_not_found")


async def test_labels_that_look_like_formulas_are_disarmed_for_spreadsheets(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], settings: Settings, store: Store, do: Do
) -> None:
    await submit()
    formulas = DatasetInfo(
        name="x@1", kind="table", shape=(ROWS.width,), classes=("=1+1", "-1"), train_examples=2, test_examples=1
    )
    job_id = succeed(claim(), formulas, settings=settings, store=store, do=do)
    answer = await http.post(
        f"/v1/jobs/{job_id}/predict",
        content=b"age,city\n" + b"".join(b"%d,Bern\n" % age for age in range(-500, 500, 50)),
        headers={"content-type": "text/csv"},
    )
    assert {row[0] for row in csv.reader(io.StringIO(answer.text))} == {"label", "'=1+1", "-1"}


async def test_a_prediction_is_no_line_of_the_log_and_a_refused_one_is(
    http: httpx.AsyncClient, trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = await trained(CUSTOMERS)
    caplog.set_level("INFO", "api.http.middleware")
    with capture_logs() as logged:
        assert (await ask(http, job_id, [1, "Bern"])).status_code == 200
        assert not logged
        assert (await ask(http, job_id, [1])).status_code == 422
    assert [line["event"] for line in logged] == ["request"]


async def test_a_csv_is_told_as_json_where_that_is_asked_for(http: httpx.AsyncClient, trained: Trained) -> None:
    job_id = await trained(CUSTOMERS)
    headers = {"content-type": "text/csv", "accept": "application/json"}
    answer = await http.post(f"/v1/jobs/{job_id}/predict", content=b"age,city\n31,Bern\n", headers=headers)
    assert answer.json()["predictions"] == (await ask(http, job_id, [31, "Bern"])).json()["predictions"]


async def test_a_column_that_a_csv_lacks_is_named_once(http: httpx.AsyncClient, trained: Trained) -> None:
    job_id = await trained(CUSTOMERS)
    content = b"age,extra\n" + b"31,1\n" * 100
    answer = await http.post(f"/v1/jobs/{job_id}/predict", content=content, headers={"content-type": "text/csv"})
    problem = assert_problem(answer, 422, "unreadable_rows")
    assert [(fault.get("row"), fault["column"]) for fault in problem["faults"]] == [(None, "extra"), (None, "city")]


async def test_so_many_large_predictions_are_under_way_at_most(
    http: httpx.AsyncClient, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await trained(CUSTOMERS)
    monkeypatch.setattr("api.predict.predictor.MOST_LARGE", 0)
    refused = await ask(http, job_id, *[[31, "Bern"]] * 5000)
    assert_problem(refused, 503, "too_busy")
    assert (await ask(http, job_id, [31, "Bern"])).status_code == 200
