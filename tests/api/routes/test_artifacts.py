"""The files of a job over HTTP: whole, in parts, or not at all."""

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from store.artifacts import LocalArtifacts
from store.jobs import Claim, Store
from tests.api.conftest import assert_problem
from tests.api.models import CUSTOMERS, graph_of, succeed

pytestmark = pytest.mark.anyio

GRAPH = graph_of(CUSTOMERS)
TAG = f'"{hashlib.sha256(GRAPH).hexdigest()}"'


@pytest.fixture
async def job_id(submit: Any, claim: Callable[[], Claim], settings: Settings, store: Store, do: Any) -> str:
    """A job that has left files."""
    await submit()
    return succeed(claim(), CUSTOMERS, settings=settings, store=store, do=do)


async def test_they_are_listed_and_downloaded(http: httpx.AsyncClient, job_id: str) -> None:
    page = (await http.get(f"/v1/jobs/{job_id}/artifacts")).json()
    assert [file["name"] for file in page["data"]] == ["weights.npz", "encoding.json", "model.onnx"]
    for path in ("artifacts/model.onnx", "model", "model?format=onnx"):
        answer = await http.get(f"/v1/jobs/{job_id}/{path}")
        assert answer.content == GRAPH
        assert answer.headers["etag"] == TAG
        assert answer.headers["content-disposition"] == 'attachment; filename="model.onnx"'
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await http.get(f"/v1/jobs/{job_id}/model?format=weights")).content == b"weights"


async def test_head_is_get_without_the_file(http: httpx.AsyncClient, job_id: str) -> None:
    head = await http.head(f"/v1/jobs/{job_id}/artifacts/model.onnx")
    got = await http.get(f"/v1/jobs/{job_id}/artifacts/model.onnx")
    assert head.content == b""
    unequal = {"x-request-id", "date"}
    assert {k: v for k, v in head.headers.items() if k not in unequal} == {
        k: v for k, v in got.headers.items() if k not in unequal
    }


@pytest.mark.parametrize(
    ("wanted", "part"), [("bytes=0-9", GRAPH[:10]), ("bytes=5-", GRAPH[5:]), ("bytes=-7", GRAPH[-7:])]
)
async def test_a_part_can_be_had(http: httpx.AsyncClient, job_id: str, wanted: str, part: bytes) -> None:
    answer = await http.get(f"/v1/jobs/{job_id}/artifacts/model.onnx", headers={"range": wanted, "if-range": TAG})
    assert (answer.status_code, answer.content) == (206, part)
    start = GRAPH.index(part) if wanted != "bytes=-7" else len(GRAPH) - 7
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/{len(GRAPH)}"


@pytest.mark.parametrize(
    "headers",
    [
        {"range": "bytes=0-9", "if-range": '"old"'},
        {"range": "lines=1-2"},
        {"range": "bytes=9-3"},
        {"range": "x"},
        {"range": "bytes=1_0-20"},
        {"range": "bytes=+1-2"},
    ],
)
async def test_what_is_no_range_of_this_file_is_the_whole(
    http: httpx.AsyncClient, job_id: str, headers: dict[str, str]
) -> None:
    answer = await http.get(f"/v1/jobs/{job_id}/artifacts/model.onnx", headers=headers)
    assert (answer.status_code, answer.content) == (200, GRAPH)


@pytest.mark.parametrize("wanted", ["bytes=0-9, 999999-", "bytes=999999-, 0-9"])
async def test_a_range_beyond_the_end_is_overlooked_beside_another(
    http: httpx.AsyncClient, job_id: str, wanted: str
) -> None:
    answer = await http.get(f"/v1/jobs/{job_id}/artifacts/model.onnx", headers={"range": wanted})
    assert (answer.status_code, answer.content) == (206, GRAPH[:10])


async def test_a_range_beyond_the_end_is_refused(http: httpx.AsyncClient, job_id: str) -> None:
    answer = await http.get(f"/v1/jobs/{job_id}/artifacts/model.onnx", headers={"range": "bytes=999999-"})
    assert_problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(GRAPH)}"


async def test_a_known_file_is_not_sent_again(http: httpx.AsyncClient, job_id: str) -> None:
    answer = await http.get(f"/v1/jobs/{job_id}/artifacts/model.onnx", headers={"if-none-match": TAG})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_what_is_not_there_is_named(
    http: httpx.AsyncClient, job_id: str, submit: Any, settings: Settings
) -> None:
    for name in ("model.keras", "checkpoint-1-5.npz", "a%2Fb"):
        answer = await http.get(f"/v1/jobs/{job_id}/artifacts/{name}")
        assert answer.status_code == 404
    detail = assert_problem(await http.get(f"/v1/jobs/{job_id}/model?format=tflite"), 409, "not_exported")["detail"]
    assert "weights.npz, encoding.json, model.onnx" in detail
    queued = await submit()
    assert (await http.get(f"/v1/jobs/{queued['id']}/artifacts")).json()["data"] == []
    assert_problem(await http.get(f"/v1/jobs/{queued['id']}/model"), 409, "not_exported")
    LocalArtifacts.of(settings).delete(job_id, "model.onnx")
    assert_problem(await http.get(f"/v1/jobs/{job_id}/model"), 503, "storage_unavailable")
