"""Datasets over HTTP: uploads become versions or nothing, and nobody sees another's."""

import asyncio
import gzip
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.routes import uploads
from jobs.settings import Settings
from store.jobs import Claim, Store
from tests.api.conftest import assert_problem, until
from tests.api.uploads.tables import csv_of, iris_like

pytestmark = pytest.mark.anyio

IRIS = iris_like()
BAD = csv_of("a,b,kind", [*(f"{n},{n + 1},{'up' if n % 2 else 'down'}" for n in range(60)), "x,1,up", "1,2", "3,4,"])


def left(settings: Settings) -> dict[str, int]:
    """What lies in the data directory of uploads: entries of each folder."""
    return {
        name: len(list((settings.data_dir / name).glob("*"))) if (settings.data_dir / name).is_dir() else 0
        for name in ("uploads", "versions")
    }


async def put(http: httpx.AsyncClient, content: bytes = IRIS, name: str = "iris", **query: Any) -> httpx.Response:
    return await http.put(f"/v1/datasets/{name}", content=content, params=query)


async def test_an_upload_is_a_version_and_again_the_same_one(http: httpx.AsyncClient, settings: Settings) -> None:
    answer = await put(http)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/datasets/iris/versions/1"
    made = answer.json()
    assert (made["id"], made["task"], made["classes"]) == ("iris@1", "classification", ["down", "up"])
    assert (made["train_examples"], made["test_examples"]) == (80, 20)
    assert made["sha256"] == hashlib.sha256(IRIS).hexdigest()
    assert [column["kind"] for column in made["features"]["columns"]] == ["numeric", "numeric", "left_out"]
    again = await put(http)
    assert (again.status_code, again.json()) == (200, made)
    assert left(settings) == {"uploads": 0, "versions": 1}
    otherwise = await put(http, split_seed=1)
    assert (otherwise.status_code, otherwise.json()["version"]) == (201, 2)
    assert (await http.get("/v1/datasets/iris")).json()["version"] == 2
    assert (await http.get("/v1/datasets/iris/versions/1")).json() == made
    assert [one["id"] for one in (await http.get("/v1/datasets/iris/versions")).json()["data"]] == ["iris@1", "iris@2"]


async def test_gzip_is_found_by_itself(http: httpx.AsyncClient) -> None:
    plain = (await put(http, name="plain")).json()
    packed = await http.put("/v1/datasets/packed", content=gzip.compress(IRIS), headers={"content-encoding": "gzip"})
    assert packed.json()["features"] == plain["features"]
    assert_problem(
        await http.put("/v1/datasets/x", content=IRIS, headers={"content-encoding": "br"}),
        415,
        "unsupported_media_type",
    )


async def test_every_fault_is_named_and_nothing_kept(http: httpx.AsyncClient, settings: Settings) -> None:
    problem = assert_problem(await put(http, BAD), 422, "invalid_upload")
    assert problem["faults_total"] == 3
    assert [(fault["row"], fault["line"], fault.get("column")) for fault in problem["faults"]] == [
        (61, 62, "a"),
        (62, 63, None),
        (63, 64, "kind"),
    ]
    assert left(settings) == {"uploads": 0, "versions": 0}
    assert_problem(await http.get("/v1/datasets/iris"), 404, "dataset_not_found")
    skipped = (await put(http, BAD, on_bad="skip")).json()
    assert (skipped["report"]["skipped"], skipped["report"]["faults_total"]) == (3, 3)
    assert skipped["train_examples"] + skipped["test_examples"] == 60


async def test_a_dry_run_says_what_it_would_be(http: httpx.AsyncClient, settings: Settings) -> None:
    answer = await put(http, dry_run=True)
    assert (answer.status_code, answer.json()["id"], answer.json()["version"]) == (200, "iris", None)
    assert answer.json()["train_examples"] == 80
    assert left(settings) == {"uploads": 0, "versions": 0}
    assert_problem(await put(http, BAD, dry_run=True), 422, "invalid_upload")


@pytest.mark.parametrize("name", ["mnist", "mnist-10k", "Iris", ".x", "a" * 65, "a b"])
async def test_names_that_cannot_be_are_refused(http: httpx.AsyncClient, name: str) -> None:
    assert_problem(await put(http, name=name), 422, "invalid_dataset_name")


@pytest.mark.parametrize(
    "query",
    [
        {"target": "x"},
        {"ignore": "q"},
        {"test_split": 0},
        {"test_split": "nan"},
        {"task": "clustering"},
        {"split_seed": -1},
    ],
)
async def test_options_that_cannot_be_are_refused(http: httpx.AsyncClient, query: dict[str, Any]) -> None:
    assert (await put(http, **query)).status_code == 422


class Chunks(httpx.AsyncByteStream):
    """A body in parts, of no known length, that counts what was taken."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.taken += 1
            yield part


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Uploads of at most 1 MiB, and 2 MiB of datasets an owner."""
    return settings.model_copy(update={"max_upload_mb": 1, "max_stored_mb": 2})


async def test_an_upload_beyond_the_cap_is_refused_at_the_cap(http: httpx.AsyncClient, settings: Settings) -> None:
    body = Chunks([b"a,b\n"] + [b"1,2\n" * 64_000] * 40)
    assert_problem(await http.put("/v1/datasets/x", content=body), 413, "upload_too_large")
    assert body.taken < 10
    known = await http.put("/v1/datasets/x", content=b"", headers={"content-length": str(2 << 20)})
    assert_problem(known, 413, "upload_too_large")
    assert left(settings) == {"uploads": 0, "versions": 0}


@pytest.mark.slow
async def test_an_owner_has_so_much_room(http: httpx.AsyncClient, settings: Settings) -> None:
    wide = csv_of("a,b,t", [f"{n},{n % 7},{n % 2}" for n in range(30_000)])
    stored = (await put(http, wide, "one")).json()["stored_bytes"]
    assert stored > 1 << 19
    refused = [await put(http, wide, f"more{n}") for n in range(4)][-1]
    assert_problem(refused, 413, "storage_full")
    assert left(settings)["uploads"] == 0
    assert (await http.delete("/v1/datasets/one")).status_code == 204
    assert (await put(http, wide, "more9")).status_code == 201


async def test_a_slow_check_is_followed_elsewhere(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "WAIT_SECONDS", 0.0)
    answers = [await put(http), await put(http, BAD)]
    found = []
    for answer in answers:
        assert (answer.status_code, answer.json()["status"]) == (202, "checking")
        address = answer.headers["location"]
        async with asyncio.timeout(20):
            while (upload := (await http.get(address)).json())["status"] == "checking":  # noqa: ASYNC110 (over HTTP)
                await asyncio.sleep(0.02)
        found.append(upload)
    assert (found[0]["status"], found[0]["dataset"]["id"], found[0]["problem"]) == ("ready", "iris@1", None)
    assert (found[1]["status"], found[1]["problem"]["code"]) == ("refused", "invalid_upload")
    assert found[1]["problem"]["faults_total"] == 3
    for unknown in ("up_" + "0" * 32, "up_x"):
        assert_problem(await http.get(f"/v1/uploads/{unknown}"), 404, "upload_not_found")


async def test_an_upload_whose_sender_goes_away_leaves_nothing(
    app: FastAPI, http: httpx.AsyncClient, settings: Settings
) -> None:
    class Broken(Chunks):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield IRIS
            raise RuntimeError("gone")

    assert (await http.put("/v1/datasets/x", content=Broken([]))).status_code == 500
    await until(lambda: left(settings)["uploads"] == 0, what="an empty folder of uploads")
    assert not app.state.services.intake.is_full


async def test_it_is_looked_into_and_taken_back(http: httpx.AsyncClient) -> None:
    await put(http)
    await put(http, split_seed=1)
    rows = (await http.get("/v1/datasets/iris/preview?limit=3&split=test&version=1")).json()
    assert (rows["dataset"], len(rows["data"])) == ("iris@1", 3)
    assert rows["data"][0].keys() == {"a", "b", "kind"}
    lines = {tuple(line.split(",")) for line in IRIS.decode().splitlines()}
    assert all((f"{row['a']:g}", f"{row['b']:g}", row["kind"]) in lines for row in rows["data"])
    content = await http.get("/v1/datasets/iris/content", headers={"range": "bytes=2-5"})
    assert (content.status_code, content.content) == (206, IRIS[2:6])
    assert content.headers["etag"] == f'"{hashlib.sha256(IRIS).hexdigest()}"'
    assert (await http.get("/v1/datasets/iris/content?version=1")).content == IRIS
    for path in ("preview?version=9", "content?version=9", "versions/9", "versions/x"):
        assert_problem(await http.get(f"/v1/datasets/iris/{path}"), 404, "dataset_not_found")
    for path in ("preview", "content"):
        assert_problem(await http.get(f"/v1/datasets/mnist/{path}"), 404, "dataset_not_found")
    assert (await http.get("/v1/datasets/mnist")).json()["features"]["shape"] == [28, 28, 1]


async def test_lists_are_paged_behind_the_built_in_ones(http: httpx.AsyncClient) -> None:
    for name in ("c", "a", "b"):
        await put(http, name=name)
    first = (await http.get("/v1/datasets?limit=2")).json()
    assert [one["name"] for one in first["data"]] == ["mnist-10k", "mnist", "a", "b"]
    assert first["has_more"]
    rest = (await http.get(f"/v1/datasets?limit=2&after={first['last_id']}")).json()
    assert ([one["name"] for one in rest["data"]], rest["has_more"]) == (["c"], False)
    assert rest["data"][0]["features"]["columns"] is None


async def test_a_job_names_its_version_and_keeps_it(
    http: httpx.AsyncClient,
    submit: Any,
    claim: Callable[[], Claim],
    store: Store,
    do: Callable[[Any], Any],
    settings: Settings,
) -> None:
    await put(http)
    job = await submit(dataset="iris", epochs=3)
    assert (job["spec"]["dataset"], job["spec"]["preset"], job["spec"]["epochs"]) == ("iris@1", "auto", 3)
    chosen = {choice["field"]: choice["value"] for choice in job["choices"]}
    assert chosen["loss"] == job["spec"]["loss"] == "cross_entropy"
    assert "epochs" not in chosen
    assert (await http.get(f"/v1/jobs/{job['id']}")).json()["choices"] == job["choices"]
    dry = (await http.post("/v1/jobs?dry_run=true", json={"dataset": "iris@1"})).json()
    assert {choice["field"] for choice in dry["choices"]} > chosen.keys()
    for path in ("", "/versions/1"):
        problem = assert_problem(await http.delete(f"/v1/datasets/iris{path}"), 409, "dataset_in_use")
        assert job["id"] in problem["detail"]
    await put(http, split_seed=1)
    assert (await submit(dataset="iris"))["spec"]["dataset"] == "iris@2"
    await http.post(f"/v1/jobs/{job['id']}/cancel")
    assert (await http.delete("/v1/datasets/iris/versions/1")).status_code == 204
    assert left(settings)["versions"] == 1
    unknown = assert_problem(await http.post("/v1/jobs", json={"dataset": "iris@1"}), 422, "unknown_dataset")
    assert "mnist, mnist-10k, iris" in unknown["detail"]


async def test_the_same_submission_again_keeps_its_version(http: httpx.AsyncClient) -> None:
    await put(http)
    headers = {"idempotency-key": "k"}
    first = (await http.post("/v1/jobs", json={"dataset": "iris"}, headers=headers)).json()
    await put(http, split_seed=1)
    again = (await http.post("/v1/jobs", json={"dataset": "iris"}, headers=headers)).json()
    assert (again["id"], again["spec"]["dataset"], again["choices"]) == (first["id"], "iris@1", first["choices"])


async def test_specs_that_do_not_go_with_the_data_are_refused(http: httpx.AsyncClient) -> None:
    await put(http)
    for fields, pointer in (
        ({"model": {"type": "cnn"}}, "/model/type"),
        ({"loss": "huber"}, "/loss"),
        ({"class_weights": {"sideways": 2}}, "/class_weights"),
    ):
        answer = await http.post("/v1/jobs", json={"dataset": "iris", **fields})
        assert assert_problem(answer, 422, "invalid_spec")["errors"][0]["pointer"] == pointer


async def test_a_sweep_deletes_what_no_version_names(app: FastAPI, http: httpx.AsyncClient, settings: Settings) -> None:
    await put(http)
    (kept,) = (settings.data_dir / "versions").iterdir()
    orphan = settings.data_dir / "versions" / ("0" * 32)
    orphan.mkdir()
    old(orphan)
    old(kept)
    await app.state.services.intake.sweep()
    assert kept.is_dir()
    assert not orphan.exists()


def old(folder: Path) -> None:
    """Make a folder as if it had been written long ago."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (0, 0))


async def test_a_server_that_stops_gives_up_what_it_checks(
    app: FastAPI, http: httpx.AsyncClient, settings: Settings
) -> None:
    wide = csv_of("a,b,t", [f"{n},{n % 7},{n % 2}" for n in range(60_000)])
    sending = asyncio.create_task(put(http, wide, "wide"))
    while not left(settings)["uploads"]:  # noqa: ASYNC110 (another task's doing)
        await asyncio.sleep(0.01)
    while not sending.done():
        app.state.services.intake.give_up()
        await asyncio.sleep(0.01)
    assert_problem(await sending, 429, "too_many_uploads")
    await app.state.services.intake.aclose()  # which waits until nothing is left
    assert left(settings) == {"uploads": 0, "versions": 0}


@pytest.mark.parametrize(
    ("given", "targets"),
    [('"x,1"', ["x,1"]), ('"a ""b""",y', ['a "b"', "y"]), ('x"y,z', ['x"y', "z"]), ('"', ['"']), ('a\n"b', ['a\n"b'])],
)
async def test_a_column_with_a_comma_in_its_name_is_quoted(
    http: httpx.AsyncClient, given: str, targets: list[str]
) -> None:
    answer = await put(http, b"a,b\n1,2\n", target=given)
    problem = assert_problem(answer, 422, "invalid_upload")
    assert f"there is no column {targets[0]!r}" in problem["detail"]


async def test_a_preset_that_does_not_suit_the_data_is_refused(http: httpx.AsyncClient) -> None:
    assert (await put(http)).status_code == 201
    for preset in ("resnet-small", "lstm", "attention"):
        problem = assert_problem(
            await http.post("/v1/jobs", json={"dataset": "iris", "preset": preset}), 422, "invalid_spec"
        )
        assert problem["errors"][0]["pointer"] == "/preset"
        assert "iris@1 has rows of a table" in problem["detail"]
