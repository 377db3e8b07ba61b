"""`/v1/jobs`: submit, list, read, cancel."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis
from kombu.exceptions import OperationalError

from api.app import create_app
from jobs import presets
from jobs.report import Report
from jobs.settings import Settings
from jobs.states import Phase, Reason, Status
from store.jobs import Claim, Store
from store.keys import Keys
from tests.api.conftest import Do, assert_problem, epoch, talk_to, until, worker

pytestmark = pytest.mark.anyio


async def test_an_empty_body_is_a_job(http: httpx.AsyncClient) -> None:
    for answer in (await http.post("/v1/jobs"), await http.post("/v1/jobs", json={})):
        assert answer.status_code == 202
        job = answer.json()
        assert (job["object"], job["status"], job["spec"]["preset"]) == ("training.job", "queued", "textbook")
        assert job["progress"]["steps"] == 710
        assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
        read = await http.get(answer.headers["location"])
        assert read.json()["id"] == job["id"]


async def test_the_answer_is_what_is_stored(http: httpx.AsyncClient, submit: Any) -> None:
    job = await submit(preset="mnist-99", epochs=2, metadata={"team": "ä\u0000😀"})
    assert job["spec"]["model"]["type"] == "cnn"
    assert job["spec"]["epochs"] == 2
    assert (await http.get(f"/v1/jobs/{job['id']}")).json() == job


async def test_the_bell_is_rung_for_a_job(submit: Any, client: redis.Redis, keys: Keys) -> None:
    await submit()
    await until(lambda: client.llen(keys.wake_queue("bells")) == 1, what="the bell in the broker")


async def test_a_refused_bell_does_not_refuse_the_job(
    http: httpx.AsyncClient, submit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def refuse(*_: Any, **__: Any) -> None:
        tried.set()
        raise OperationalError("broker is away")

    monkeypatch.setattr("celery.Celery.send_task", refuse)
    job = await submit()
    await until(tried.is_set, what="the attempt to ring")
    assert (await http.get(f"/v1/jobs/{job['id']}")).json()["status"] == "queued"


async def test_a_frozen_broker_keeps_nobody_waiting(submit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    thawed, rung = threading.Event(), []

    def hang(_: Any, wake_queue: str, times: int = 1) -> None:
        thawed.wait(20)
        rung.append((wake_queue, times))

    monkeypatch.setattr("store.doorbell.Doorbell.ring", hang)
    async with asyncio.timeout(5):
        for _ in range(20):
            await submit()
    assert rung == []
    thawed.set()
    await until(lambda: len(rung) == 2, what="the bell under way and one for all that came meanwhile")


async def test_dry_run_resolves_and_stores_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/jobs", params={"dry_run": "true"}, json={"epochs": 2, "batch_size": 100})
    assert answer.status_code == 200
    body = answer.json()
    assert body["object"] == "training.estimate"
    assert (body["parameters"], body["weight_bytes"]) == (235_146, 4 * 235_146)
    assert (body["steps_per_epoch"], body["steps"]) == (90, 180)
    assert body["spec"]["epochs"] == 2
    assert (await http.get("/v1/jobs")).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "pointer", "numbers"),
    [
        ({"model": {"type": "mlp", "hidden": [0] * 80_000}}, "/model/hidden", "at most 16 items, not 80,000"),
        ({"model": {"type": "cnn", "filters": [0] * 9}}, "/model/filters", "at most 8 items"),
        ({f"f{n}": 1 for n in range(20_000)}, "", "fields, not 20,000"),
        ({"metadata": {str(n): "" for n in range(9000)}}, "/metadata", "at most 16 fields, not 9,000"),
        ({"optimizer": {"type": "sgd", **{str(n): 1 for n in range(9000)}}}, "/optimizer", "fields, not 9,001"),
    ],
)
async def test_what_is_too_much_is_one_mistake_and_the_numbers_are_told(
    http: httpx.AsyncClient, body: Any, pointer: str, numbers: str
) -> None:
    problem = assert_problem(await http.post("/v1/jobs", json=body), 422, "invalid_spec")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert numbers in problem["detail"]


async def test_a_spec_may_be_long_and_not_longer(http: httpx.AsyncClient, settings: Settings) -> None:
    assert settings.max_body_bytes == 256 * 1024
    body = {"metadata": {str(n): "x" * 512 for n in range(16)}}
    assert (await http.post("/v1/jobs", json=body)).status_code == 202
    body = {"model": {"type": "mlp", "hidden": [0] * 500_000}}
    problem = assert_problem(await http.post("/v1/jobs", json=body), 413, "body_too_large")
    assert "262,144 bytes" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"dataset": "imagenet"}, "unknown_dataset", "/dataset"),
        ({"preset": "nope"}, "unknown_preset", "/preset"),
        ({"device": "gpu"}, "device_unavailable", "/device"),
        ({"epochs": 0}, "invalid_spec", "/epochs"),
        ({"epochs": 10**400}, "invalid_spec", "/epochs"),
        ({"seed": True}, "invalid_spec", "/seed"),
        ({"optimizer": {"type": "adam", "beta_1": 2}}, "invalid_spec", "/optimizer/beta_1"),
        ({"model": {"type": "mlp", "hidden": [1, 0]}}, "invalid_spec", "/model/hidden/1"),
        ({"model": {"type": "mlp", "hidden": [0]}}, "invalid_spec", "/model/hidden/0"),
        ({"model": {"type": "mlp", "hidden": []}}, "invalid_spec", "/model/hidden"),
        ({"optimizer": {"type": "sgd", "sgd": 1}}, "invalid_spec", "/optimizer/sgd"),
        ({"optimizer": {"learning_rate": 1}}, "invalid_spec", "/optimizer"),
        ({"metadata": {"a/b~c": 1}}, "invalid_spec", "/metadata/a~1b~0c"),
        ({"metadata": {"k" * 65: "v"}}, "invalid_spec", "/metadata/" + "k" * 65),
        ({"early_stopping": {}}, "invalid_spec", "/early_stopping/monitor"),
        ({"validation_split": 0.00005, "early_stopping": {}}, "invalid_spec", "/validation_split"),
        ({"validation_split": 0.00005}, "invalid_spec", "/validation_split"),
        ({"epoch": 3}, "invalid_spec", "/epoch"),
    ],
)
async def test_what_is_wrong_is_named(http: httpx.AsyncClient, body: Any, code: str, pointer: str) -> None:
    for params in ({}, {"dry_run": "true"}):
        problem = assert_problem(await http.post("/v1/jobs", json=body, params=params), 422, code)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"device": "tpu"}, "Should be auto, cpu, gpu, or gpu:1 for a certain one"),
        ({"dataset": "My Data"}, "Should be the name of a dataset"),
        ({"init_from": "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC@final"}, "with @best or @last behind it, or weights:NAME"),
        ({"freeze": ["1st"]}, "Should be a name: letters, digits and . _ -, first a letter, 64 at most"),
        ({"webhook": {"url": "ftp://a.example"}}, "Should be an address that begins with http:// or https://"),
    ],
)
async def test_a_form_is_told_in_words(http: httpx.AsyncClient, body: Any, detail: str) -> None:
    (mistake,) = assert_problem(await http.post("/v1/jobs", json=body), 422, "invalid_spec")["errors"]
    assert detail in mistake["detail"]
    assert "^" not in mistake["detail"]


async def test_every_mistake_is_named_at_once(http: httpx.AsyncClient) -> None:
    problem = assert_problem(await http.post("/v1/jobs", json={"epochs": 0, "x": 1, "seed": -1}), 422, "invalid_spec")
    assert {error["pointer"] for error in problem["errors"]} == {"/epochs", "/x", "/seed"}
    assert problem["detail"].endswith("(and 2 more)")


async def test_refusals_name_what_there_is(http: httpx.AsyncClient, store: Store, do: Do) -> None:
    do(store.present(worker("tower", gpus=1), lifetime_seconds=60))
    texts = [
        (await http.post("/v1/jobs", json=body)).json()["detail"]
        for body in ({"dataset": "x"}, {"preset": "x"}, {"device": "gpu:1"})
    ]
    assert "mnist-10k" in texts[0]
    assert "mnist-99" in texts[1]
    assert "tower: cpu, gpu:0" in texts[2]


async def test_a_gpu_job_is_taken_where_a_gpu_is_or_may_come(
    http: httpx.AsyncClient, submit: Any, store: Store, do: Do
) -> None:
    await submit(device="gpu", wait_for_device=True)
    do(store.present(worker(gpus=2), lifetime_seconds=60))
    await submit(device="gpu")
    await submit(device="gpu:1")
    assert_problem(await http.post("/v1/jobs", json={"device": "gpu:2"}), 422, "device_unavailable")


async def test_fifty_at_once_with_one_key_make_one_job(http: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k-1"}
    body = {"metadata": {"a": "1", "b": "2"}}
    answers = await asyncio.gather(*(http.post("/v1/jobs", json=body, headers=headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert len((await http.get("/v1/jobs")).json()["data"]) == 1


async def test_the_first_answer_is_repeated_whatever_became_of_the_job(
    http: httpx.AsyncClient, claim: Callable[[], Claim], store: Store, do: Do
) -> None:
    do(store.present(worker(gpus=1), lifetime_seconds=60))
    headers = {"Idempotency-Key": '"quoted"'}
    first = await http.post("/v1/jobs", json={"device": "gpu"}, headers=headers)
    claim()
    do(store.absent("w1"))
    again = await http.post("/v1/jobs", json={"device": "gpu"}, headers={"Idempotency-Key": "quoted"})
    assert again.text == first.text


async def test_the_first_answer_is_repeated_by_a_server_with_other_limits_and_defaults(
    settings: Settings, client: redis.Redis, anyio_backend: str
) -> None:
    async def posted(body: dict[str, Any], key: str, **changes: int) -> httpx.Response:
        app = create_app(settings.model_copy(update=changes))
        async with app.router.lifespan_context(app), talk_to(app) as http:
            return await http.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})

    first = await posted({"metadata": {"a": "ä"}}, "default", max_runtime_seconds=3600)
    again = await posted({"metadata": {"a": "ä"}}, "default", max_runtime_seconds=60)
    assert first.json()["spec"]["max_runtime_seconds"] == 3600
    assert (again.status_code, again.text, again.headers["etag"]) == (202, first.text, first.headers["etag"])

    first = await posted({"batch_size": 1000}, "limit")
    again = await posted({"batch_size": 1000}, "limit", max_batch_size=500)
    assert (again.status_code, again.text) == (202, first.text)
    assert_problem(await posted({"batch_size": 1000}, "new", max_batch_size=500), 422, "job_too_large")
    assert_problem(await posted({"batch_size": 2000}, "limit", max_batch_size=500), 422, "idempotency_key_reused")


async def test_the_first_answer_is_repeated_though_what_it_named_is_gone(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "k"}
    with monkeypatch.context() as older:
        older.setitem(presets.PRESETS, "ours", presets.Preset("ours", "A preset.", {"epochs": 3}))
        first = await http.post("/v1/jobs", json={"preset": "ours"}, headers=headers)
    await http.post(f"{first.headers['location']}/cancel")
    await http.delete(first.headers["location"])
    presets._parsed.cache_clear()
    again = await http.post("/v1/jobs", json={"preset": "ours"}, headers=headers)
    assert (again.status_code, again.text) == (202, first.text)
    assert_problem(await http.post("/v1/jobs", json={"preset": "ours"}), 422, "unknown_preset")


async def test_a_request_sent_again_across_an_upgrade_gets_its_first_answer(
    http: httpx.AsyncClient, client: redis.Redis, keys: Keys
) -> None:
    """An older server kept the digest of a resolved spec, and no spec with it."""
    body, headers = {"batch_size": 1000}, {"Idempotency-Key": "k"}
    first = await http.post("/v1/jobs", json=body, headers=headers)
    name = keys.idempotency("", "jobs.create:k")
    answer = json.loads(str(client.get(name)))
    old = {"id": answer["id"], "digest": "9f86d081" * 8, "at": answer["at"], "position": answer["position"]}
    client.set(name, json.dumps(old), ex=60)
    assert (await http.post("/v1/jobs", json=body, headers=headers)).text == first.text
    stricter = {**body, "preset": "gone"}  # what that server accepted this one may refuse
    assert (await http.post("/v1/jobs", json=stricter, headers=headers)).text == first.text
    await http.post(f"{first.headers['location']}/cancel")
    await http.delete(first.headers["location"])
    assert (await http.post("/v1/jobs", json=body, headers=headers)).json()["id"] == first.json()["id"]
    assert_problem(await http.post("/v1/jobs", json=stricter, headers=headers), 422, "unknown_preset")


async def test_a_key_with_another_body_is_refused(http: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k"}
    await http.post("/v1/jobs", json={"epochs": 1}, headers=headers)
    answer = await http.post("/v1/jobs", json={"epochs": 2}, headers=headers)
    assert_problem(answer, 422, "idempotency_key_reused")
    assert len((await http.get("/v1/jobs")).json()["data"]) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ü"])
async def test_a_strange_key_is_refused(http: httpx.AsyncClient, key: str) -> None:
    answer = await http.post("/v1/jobs", headers=[(b"idempotency-key", key.encode("latin-1"))])
    problem = assert_problem(answer, 422, "invalid_parameter")
    assert problem["errors"][0]["parameter"] == "Idempotency-Key"


async def test_pages_follow_each_other(http: httpx.AsyncClient, submit: Any) -> None:
    ids = [(await submit())["id"] for _ in range(5)]
    for order, wanted in (("asc", ids), ("desc", ids[::-1])):
        seen: list[str] = []
        page: dict[str, Any] = {"last_id": "", "has_more": True}
        while page["has_more"]:
            answer = await http.get("/v1/jobs", params={"after": page["last_id"], "limit": 2, "order": order})
            page = answer.json()
            assert (page["object"], page["first_id"]) == ("list", page["data"][0]["id"])
            seen += [job["id"] for job in page["data"]]
        assert seen == wanted


async def test_an_empty_list_says_so(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/jobs")).json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
        "unreadable": [],
    }


async def test_lists_are_filtered(http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim]) -> None:
    old = await submit(metadata={"team": "a", "run": "x y"})
    new = await submit(metadata={"team": "b"})
    claim()

    async def found(query: str) -> list[str]:
        answer = await http.get(f"/v1/jobs?{query}")
        assert answer.status_code == 200, answer.text
        return [job["id"] for job in answer.json()["data"]]

    assert await found("status=running") == [old["id"]]
    assert await found("status=running,queued") == [new["id"], old["id"]]
    assert await found("status=running&status=queued") == [new["id"], old["id"]]
    assert await found("metadata[team]=b") == [new["id"]]
    assert await found("metadata[team]=a&metadata[run]=x+y") == [old["id"]]
    assert await found("metadata%5Bteam%5D=c") == []
    assert await found(f"created_before={old['created_at']}") == []
    assert await found("created_after=2026-01-01T00:00:00%2B01:00") == [new["id"], old["id"]]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1_0", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=1&limit=2", "limit"),
        ("order=newest", "order"),
        ("status=done", "status"),
        ("status=", "status"),
        ("created_after=yesterday", "created_after"),
        ("created_after=1700000000", "created_after"),
        ("created_after=2026-13-01T00:00:00Z", "created_after"),
        ("created_after=2026-01-01T00:00:00+01:00", "created_after"),
        ("metadata=a", "metadata"),
        ("metadata[]=a", "metadata[]"),
        ("metadata[a]=b&metadata[a]=c", "metadata[a]"),
        ("offset=3", "offset"),
        ("&".join(f"metadata[{n}]=x" for n in range(17)), "metadata"),
        ("status=" + "queued," * 100, "status"),
    ],
)
async def test_a_bad_query_names_its_parameter(http: httpx.AsyncClient, query: str, parameter: str) -> None:
    problem = assert_problem(await http.get(f"/v1/jobs?{query}"), 422, "invalid_parameter")
    assert problem["errors"][0]["parameter"] == parameter


async def test_more_parameters_than_anybody_needs_are_refused_uncounted(http: httpx.AsyncClient) -> None:
    problem = assert_problem(await http.get("/v1/jobs?" + "a=1&" * 10_000), 422, "invalid_parameter")
    assert problem["detail"] == "there are more than 100 query parameters"


@pytest.mark.parametrize("cursor", ["nope", "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC", "a:b", "%00", "x" * 3000])
async def test_an_unknown_cursor_is_refused(http: httpx.AsyncClient, submit: Any, cursor: str) -> None:
    await submit()
    problem = assert_problem(await http.get(f"/v1/jobs?after={cursor}"), 422, "invalid_cursor")
    assert problem["errors"][0]["parameter"] == "after"


@pytest.mark.parametrize(
    "job_id", ["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC", "x", "%00", "job:x:events", "%F0%28", "*", "x" * 5000]
)
async def test_an_unknown_job_is_not_found(http: httpx.AsyncClient, job_id: str) -> None:
    for answer in (
        await http.get(f"/v1/jobs/{job_id}"),
        await http.post(f"/v1/jobs/{job_id}/cancel"),
        await http.get(f"/v1/jobs/{job_id}/events"),
        await http.get(f"/v1/jobs/{job_id}/metrics"),
    ):
        assert_problem(answer, 404, "job_not_found")


async def test_a_jobs_events_key_is_not_read_as_a_job(http: httpx.AsyncClient, submit: Any) -> None:
    job = await submit()
    assert_problem(await http.get(f"/v1/jobs/{job['id']}:events"), 404, "job_not_found")


async def test_cancelling_a_queued_job_ends_it_at_once(http: httpx.AsyncClient, submit: Any) -> None:
    job = await submit()
    first = await http.post(f"/v1/jobs/{job['id']}/cancel")
    assert first.status_code == 200
    assert (first.json()["status"], first.json()["status_reason"]) == ("cancelled", "user_requested")
    again = await http.post(f"/v1/jobs/{job['id']}/cancel")
    assert (again.status_code, again.json()) == (200, first.json())


async def test_cancelling_a_running_job_is_under_way_until_its_worker_confirms(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], store: Store, do: Do
) -> None:
    job = await submit()
    fence = claim().fence
    for _ in range(2):
        answer = await http.post(f"/v1/jobs/{job['id']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
    do(store.finish(job["id"], fence, Status.CANCELLED, reason=Reason.USER_REQUESTED))
    assert (await http.post(f"/v1/jobs/{job['id']}/cancel")).status_code == 200


async def test_operations_without_parameters_refuse_them(http: httpx.AsyncClient, submit: Any) -> None:
    job = await submit()
    for answer in (
        await http.get(f"/v1/jobs/{job['id']}?verbose=1"),
        await http.post(f"/v1/jobs/{job['id']}/cancel?force=1"),
        await http.post("/v1/jobs?dryrun=true"),
        await http.post("/v1/jobs?dry_run=yes"),
        await http.get("/v1/workers?x"),
        await http.get("/v1/presets?x="),
        await http.get("/v1/datasets?x=1"),
    ):
        assert_problem(answer, 422, "invalid_parameter")


async def test_a_queued_job_is_paused_and_resumed_at_once(http: httpx.AsyncClient, submit: Any) -> None:
    path = f"/v1/jobs/{(await submit())['id']}"
    for _ in range(2):
        answer = await http.post(f"{path}/pause")
        assert (answer.status_code, answer.json()["status"]) == (200, "paused")
    for _ in range(2):
        answer = await http.post(f"{path}/resume")
        assert (answer.status_code, answer.json()["status"]) == (200, "queued")


async def test_a_running_job_is_pausing_until_its_worker_confirms(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim]
) -> None:
    path = f"/v1/jobs/{(await submit())['id']}"
    claim()
    answer = await http.post(f"{path}/pause")
    assert (answer.status_code, answer.json()["status"]) == (202, "pausing")


async def test_a_final_job_is_neither_paused_nor_resumed(http: httpx.AsyncClient, submit: Any) -> None:
    path = f"/v1/jobs/{(await submit())['id']}"
    await http.post(f"{path}/cancel")
    for verb in ("pause", "resume"):
        assert_problem(await http.post(f"{path}/{verb}"), 409, "not_now")


@pytest.mark.parametrize(
    ("limit", "body", "pointer", "told"),
    [
        ({"max_parameters": 235_145}, {}, "/model", "235,146 parameters; this server allows 235,145"),
        ({"max_batch_size": 127}, {}, "/batch_size", "128 examples in a batch; this server allows 127"),
        ({"max_memory_mb": 1}, {}, "/batch_size", "MiB of memory by estimate; this server allows 1"),
        ({"max_runtime_seconds": 60}, {"max_runtime_seconds": 61}, "/max_runtime_seconds", "61 seconds"),
        ({"max_runtime_seconds": 60, "worker_gflops": 1e-3}, {"epochs": 9}, "/epochs", "a job may run for 60"),
    ],
)
async def test_a_job_that_asks_for_too_much_is_refused_with_the_numbers(
    settings: Settings, client: redis.Redis, anyio_backend: str, limit: Any, body: Any, pointer: str, told: str
) -> None:
    app = create_app(settings.model_copy(update=limit))
    async with app.router.lifespan_context(app), talk_to(app) as http:
        for params in ({}, {"dry_run": "true"}):
            problem = assert_problem(await http.post("/v1/jobs", json=body, params=params), 422, "job_too_large")
            assert problem["errors"][0]["pointer"] == pointer
            assert told in problem["detail"]
        assert (await http.get("/v1/jobs")).json()["data"] == []


async def test_a_job_without_a_deadline_gets_the_servers(submit: Any, settings: Settings) -> None:
    assert (await submit())["spec"]["max_runtime_seconds"] == settings.max_runtime_seconds
    assert (await submit(max_runtime_seconds=7))["spec"]["max_runtime_seconds"] == 7


async def test_a_final_job_can_be_deleted(
    http: httpx.AsyncClient, submit: Any, client: redis.Redis, store: Store, do: Do
) -> None:
    job_id = (await submit())["id"]
    path = f"/v1/jobs/{job_id}"
    assert_problem(await http.delete(path), 409, "not_now")
    await http.post(f"{path}/cancel")
    answer = await http.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    for answer in (await http.delete(path), await http.get(path), await http.get(f"{path}/events")):
        assert_problem(answer, 404, "job_not_found")
    assert (await http.get("/v1/jobs")).json()["data"] == []
    assert (await http.get("/v1/jobs?status=cancelled")).json()["data"] == []
    assert list(client.scan_iter(f"*{job_id}*")) == []
    assert do(store.trash()) == (job_id,)


async def test_a_record_that_cannot_be_read_is_a_problem_and_lists_go_on(
    http: httpx.AsyncClient, submit: Any, client: redis.Redis, keys: Keys
) -> None:
    odd, fine = await submit(), await submit()
    client.hset(keys.job(odd["id"]), "format", "999")
    problem = assert_problem(await http.get(f"/v1/jobs/{odd['id']}"), 409, "unreadable_record")
    assert "format 999" in problem["detail"]
    page = (await http.get("/v1/jobs")).json()
    assert [job["id"] for job in page["data"]] == [fine["id"]]
    assert page["unreadable"] == [odd["id"]]


async def test_a_job_whose_record_was_lost_is_not_found(
    http: httpx.AsyncClient, submit: Any, client: redis.Redis, keys: Keys
) -> None:
    lost, fine = await submit(), await submit()
    client.delete(keys.job(lost["id"]))
    assert_problem(await http.get(f"/v1/jobs/{lost['id']}"), 404, "job_not_found")
    assert [job["id"] for job in (await http.get("/v1/jobs")).json()["data"]] == [fine["id"]]


async def test_a_list_in_brief_says_of_each_job_what_the_whole_one_says(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], store: Store, do: Do
) -> None:
    for n in range(3):
        await submit(metadata={"n": str(n)})
    taken = claim()
    do(store.report(taken.job.id, taken.fence, Report(1, phase=Phase.TRAINING, epochs=(epoch(1),))))
    whole = (await http.get("/v1/jobs")).json()
    brief = (await http.get("/v1/jobs", params={"view": "summary"})).json()
    assert brief.keys() == whole.keys()
    assert [brief[key] for key in ("first_id", "last_id", "has_more")] == [
        whole[key] for key in ("first_id", "last_id", "has_more")
    ]
    for short, job in zip(brief["data"], whole["data"], strict=True):
        assert (short.pop("object"), short.pop("dataset"), short.pop("preset")) == (
            "training.job.summary",
            job["spec"]["dataset"],
            job["spec"]["preset"],
        )
        assert short == {key: job[key] for key in short}
        assert not {"spec", "run", "transitions", "artifacts"} & short.keys()
    assert brief["data"][-1]["metrics"]["latest"]["epoch"] == 1


async def test_jobs_are_listed_by_their_dataset(http: httpx.AsyncClient, submit: Any) -> None:
    await submit(dataset="mnist-10k")
    other = (await submit(dataset="mnist"))["id"]
    for view in ("full", "summary"):
        page = (await http.get("/v1/jobs", params={"dataset": "mnist", "view": view})).json()
        assert [job["id"] for job in page["data"]] == [other]
    assert (await http.get("/v1/jobs", params={"dataset": "nothing"})).json()["data"] == []
    answer = await http.get("/v1/jobs", params={"view": "none"})
    assert_problem(answer, 422, "invalid_parameter")


NETWORKS: list[tuple[dict[str, Any], list[tuple[Any, ...]]]] = [
    (
        {"type": "softmax"},
        [
            ("output_flat", "flatten", ["input"], [784], 0, 0),
            ("output", "dense", ["output_flat"], [10], 7850, 0),
        ],
    ),
    (
        {"type": "cnn", "filters": [4], "dropout": 0.5},
        [
            ("convolution_1", "conv2d", ["input"], [28, 28, 4], 40, 0),
            ("convolution_1_pool", "max_pooling", ["convolution_1"], [14, 14, 4], 0, 0),
            ("output_flat", "flatten", ["convolution_1_pool"], [784], 0, 0),
            ("output_dropout", "dropout", ["output_flat"], [784], 0, 0),
            ("output", "dense", ["output_dropout"], [10], 7850, 0),
        ],
    ),
    (
        {
            "type": "layers",
            "layers": [
                {"type": "conv2d", "name": "a", "filters": 3, "kernel_size": 3, "padding": "same"},
                {"type": "batch_normalization", "name": "b"},
                {"type": "add", "inputs": ["a", "b"]},
                {"type": "flatten"},
                {"type": "dense"},
            ],
        },
        [
            ("a", "conv2d", ["input"], [28, 28, 3], 30, 0),
            ("b", "batch_normalization", ["a"], [28, 28, 3], 6, 6),
            ("add_3", "add", ["a", "b"], [28, 28, 3], 0, 0),
            ("flatten_4", "flatten", ["add_3"], [2352], 0, 0),
            ("dense_5", "dense", ["flatten_4"], [10], 23_530, 0),
        ],
    ),
]


@pytest.mark.parametrize(("model", "layers"), NETWORKS, ids=["softmax", "cnn", "layers"])
async def test_a_dry_run_tells_the_network_layer_by_layer(
    http: httpx.AsyncClient, model: dict[str, Any], layers: list[tuple[Any, ...]]
) -> None:
    answer = (await http.post("/v1/jobs?dry_run=true", json={"model": model, "loss": "cross_entropy"})).json()
    assert [tuple(layer.values()) for layer in answer["layers"]] == layers
    trained, others = (sum(layer[at] for layer in layers) for at in (4, 5))
    assert (answer["parameters"], answer["non_trainable_parameters"]) == (trained, others)
    assert answer["weight_bytes"] == 4 * (trained + others)


async def test_a_wrong_parameter_of_a_layer_is_named_by_its_place(http: httpx.AsyncClient) -> None:
    layers = [{"type": "flatten"}, {"type": "dense", "units": 0}, {"type": "dense", "unit": 3}, {"type": "dens"}]
    answer = await http.post("/v1/jobs", json={"model": {"type": "layers", "layers": layers}})
    problem = assert_problem(answer, 422, "invalid_spec")
    assert [error["pointer"] for error in problem["errors"]] == [
        "/model/layers/1/units",
        "/model/layers/2/unit",
        "/model/layers/3",
    ]
