"""API keys over HTTP: who is let in, what each may do, and that nobody learns of another's jobs."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import redis
import structlog
from fastapi import FastAPI
from pydantic import SecretStr
from structlog.testing import capture_logs

from api.app import create_app
from api.routes import jobs as routes
from jobs.api_keys import KeyLimits, Scope, entry_of, new_key, new_secret
from jobs.ids import new_job_id
from jobs.settings import Settings
from store.api_keys import KeyRing
from store.jobs import Claim, Store
from store.keys import Keys
from tests.api.conftest import Do, assert_problem, talk_to, until, worker
from tests.conftest import free_port

pytestmark = pytest.mark.anyio

OPEN = ("/healthz", "/readyz", "/problems", "/problems/unauthorized", "/docs", "/openapi.json", "/")
GivenKey = Callable[..., dict[str, str]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings under which everybody needs a key."""
    return settings.model_copy(update={"auth": "required"})


@pytest.fixture
def ring(settings: Settings) -> KeyRing:
    return KeyRing.of(settings)


@pytest.fixture
def key(ring: KeyRing, do: Do) -> GivenKey:
    """Make a key; gives the header that carries it."""

    def make(owner: str, *scopes: Scope, **limits: int) -> dict[str, str]:
        secret = new_secret()
        do(
            ring.create(
                new_key(secret, owner=owner, scopes=scopes or (Scope.READ, Scope.SUBMIT), limits=KeyLimits(**limits))
            )
        )
        return {"Authorization": f"Bearer {secret}"}

    return make


def operations(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of each operation that asks for a key."""
    for path, found in app.openapi()["paths"].items():
        if path.startswith("/v1/"):
            yield from ((method.upper(), path) for method in found)


async def test_every_operation_asks_for_a_key(app: FastAPI, http: httpx.AsyncClient) -> None:
    seen = list(operations(app))
    assert len(seen) >= 11
    for method, path in seen:
        for headers in ({}, {"Authorization": f"Bearer {new_secret()}"}):
            answer = await http.request(method, path.replace("{job_id}", new_job_id()), headers=headers)
            assert_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith('Bearer realm="gradientd"')
            assert ("invalid_token" in answer.headers["www-authenticate"]) == bool(headers)


async def test_what_stays_open(http: httpx.AsyncClient) -> None:
    for path in OPEN:
        assert (await http.get(path)).status_code in (200, 307), path


@pytest.mark.parametrize(
    "lines",
    [
        ["Basic Z2Q6Z2Q="],
        ["Bearer"],
        ["Bearer "],
        ["Bearer gd_short"],
        ["gd_" + "x" * 43],
        ["Bearer " + "x" * 10_000],
        ["Bearer gd_" + "x" * 43, "Bearer gd_" + "x" * 43],
    ],
)
async def test_a_strange_header_is_refused(http: httpx.AsyncClient, lines: list[str]) -> None:
    answer = await http.get("/v1/jobs", headers=[("Authorization", line) for line in lines])
    assert_problem(answer, 401, "unauthorized")


async def test_a_revoked_key_is_refused_from_the_next_request_on(
    http: httpx.AsyncClient, key: GivenKey, ring: KeyRing, do: Do
) -> None:
    headers = key("a")
    assert (await http.get("/v1/jobs", headers=headers)).status_code == 200
    ((listed, _),) = do(ring.list())
    do(ring.revoke(listed.id))
    assert_problem(await http.get("/v1/jobs", headers=headers), 401, "unauthorized")


async def test_a_long_poll_ends_with_its_key(
    http: httpx.AsyncClient,
    key: GivenKey,
    ring: KeyRing,
    do: Do,
    client: redis.Redis,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routes, "CHECK_KEY_SECONDS", 0.05)
    headers = key("a")
    ((listed, _),) = do(ring.list())
    job = (await http.post("/v1/jobs", headers=headers)).json()
    waiting = asyncio.create_task(http.get(f"/v1/jobs/{job['id']}", headers={**headers, "Prefer": "wait=60"}))
    await until(lambda: client.pubsub_numsub(keys.changes(job["id"]))[0][1] == 1, what="the subscription")
    do(ring.revoke(listed.id))
    answer = await asyncio.wait_for(waiting, 5)
    assert_problem(answer, 401, "unauthorized")
    assert "invalid_token" in answer.headers["www-authenticate"]


def test_a_long_poll_looks_at_its_key_every_few_seconds() -> None:
    assert routes.CHECK_KEY_SECONDS <= 5


async def test_a_long_poll_counts_as_one_request(
    http: httpx.AsyncClient, key: GivenKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "CHECK_KEY_SECONDS", 0.05)
    headers = key("a", requests_per_minute=2)
    job = (await http.post("/v1/jobs", headers=headers)).json()
    answer = await http.get(f"/v1/jobs/{job['id']}", headers={**headers, "Prefer": "wait=1"})
    assert answer.status_code == 200


async def test_nothing_is_changed_under_a_condition_that_is_not_looked_at(
    app: FastAPI, http: httpx.AsyncClient, key: GivenKey
) -> None:
    headers = key("a")
    job = (await http.post("/v1/jobs", headers=headers)).json()
    conditional = {**headers, "If-Match": '"7.0.."'}
    changes = [(method, path) for method, path in operations(app) if method != "GET"]
    assert len(changes) >= 5
    for method, path in changes:
        answer = await http.request(method, path.replace("{job_id}", job["id"]), headers=conditional)
        assert "If-Match" in assert_problem(answer, 412, "precondition_failed")["detail"]
    listed = (await http.get("/v1/jobs", headers=conditional)).json()["data"]
    assert [(it["id"], it["status"]) for it in listed] == [(job["id"], "queued")]


async def test_a_missing_scope_is_named(app: FastAPI, http: httpx.AsyncClient, key: GivenKey) -> None:
    only = {Scope.READ: key("a", Scope.READ), Scope.SUBMIT: key("a", Scope.SUBMIT)}
    admin = key("root", Scope.ADMIN)
    for method, path in operations(app):
        if path.endswith("/predict"):
            continue
        needed = Scope.READ if method == "GET" else Scope.SUBMIT
        lacking = Scope.SUBMIT if method == "GET" else Scope.READ
        url = path.replace("{job_id}", new_job_id())
        answer = await http.request(method, url, headers=only[lacking])
        problem = assert_problem(answer, 403, "insufficient_scope")
        assert f"lacks the scope '{needed}'" in problem["detail"]
        assert f'scope="{needed}"' in answer.headers["www-authenticate"]
        for headers in (only[needed], admin):
            assert (await http.request(method, url, headers=headers)).status_code not in (401, 403)
    assert_problem(await http.post("/v1/jobs?dry_run=true", headers=only[Scope.READ]), 403, "insufficient_scope")
    assert (await http.head("/v1/jobs", headers=only[Scope.READ])).status_code == 200


async def test_a_key_may_do_nothing_but_predict(app: FastAPI, http: httpx.AsyncClient, key: GivenKey) -> None:
    headers = key("a", Scope.PREDICT)
    for method, path in operations(app):
        answer = await http.request(method, path.replace("{job_id}", new_job_id()), headers=headers)
        if path.endswith("/predict"):
            assert_problem(answer, 404, "job_not_found")
        else:
            assert_problem(answer, 403, "insufficient_scope")


async def test_what_reads_or_changes_jobs_may_have_them_predict(http: httpx.AsyncClient, key: GivenKey) -> None:
    for scope in (Scope.READ, Scope.SUBMIT, Scope.ADMIN):
        answer = await http.post(f"/v1/jobs/{new_job_id()}/predict", headers=key("a", scope))
        assert_problem(answer, 404, "job_not_found")


async def test_a_key_has_caps_of_its_own_on_uploads(http: httpx.AsyncClient, key: GivenKey) -> None:
    content = b"x,word\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(150_000))
    bounded, larger, other = key("a", max_upload_mb=1), key("a", max_stored_mb=1), key("b")
    for headers, code in ((bounded, "upload_too_large"), (larger, "storage_full")):
        assert_problem(await http.put("/v1/datasets/wide", content=content, headers=headers), 413, code)
    assert (await http.put("/v1/datasets/wide", content=content, headers=other)).status_code == 201


async def test_anothers_job_is_as_if_it_did_not_exist(
    app: FastAPI, http: httpx.AsyncClient, key: GivenKey, claim: Callable[[], Claim]
) -> None:
    alice, bob, admin = key("alice"), key("bob"), key("root", Scope.ADMIN)
    job = (await http.post("/v1/jobs", headers=alice)).json()
    claim()
    absent = new_job_id()
    of_a_job = [
        (method, path.replace("{name}", "model.onnx")) for method, path in operations(app) if "{job_id}" in path
    ]
    assert len(of_a_job) >= 6
    for method, path in of_a_job:
        told = []
        for job_id in (job["id"], absent):
            answer = await http.request(
                method, path.replace("{job_id}", job_id), headers={**bob, "X-Request-Id": "r", "If-None-Match": "*"}
            )
            assert_problem(answer, 404, "job_not_found")
            told.append((answer.text.replace(job_id, "ID"), sorted(answer.headers.items())))
        assert told[0] == told[1], path
    cursors = [await http.get(f"/v1/jobs?after={job_id}", headers=bob) for job_id in (job["id"], absent)]
    for answer in cursors:
        assert assert_problem(answer, 422, "invalid_cursor")["errors"][0]["parameter"] == "after"
    assert (await http.get("/v1/jobs", headers=bob)).json()["data"] == []
    assert (await http.get("/v1/jobs?status=running", headers=bob)).json()["data"] == []
    for headers in (alice, admin):
        assert [found["id"] for found in (await http.get("/v1/jobs", headers=headers)).json()["data"]] == [job["id"]]
        assert (await http.get(f"/v1/jobs/{job['id']}", headers=headers)).json()["status"] == "running"
    assert (await http.post(f"/v1/jobs/{job['id']}/cancel", headers=admin)).json()["status"] == "cancelling"


async def test_idempotency_keys_of_two_owners_are_two_keys(http: httpx.AsyncClient, key: GivenKey) -> None:
    alice, bob, second = key("alice"), key("bob"), key("alice")
    again = {"Idempotency-Key": "k"}
    first = await http.post("/v1/jobs", json={"epochs": 1}, headers={**alice, **again})
    other = await http.post("/v1/jobs", json={"epochs": 2}, headers={**bob, **again})
    assert other.status_code == 202
    assert other.json()["id"] != first.json()["id"]
    repeated = await http.post("/v1/jobs", json={"epochs": 1}, headers={**second, **again})
    assert repeated.text == first.text


async def test_every_post_takes_an_idempotency_key_of_the_same_form(http: httpx.AsyncClient, key: GivenKey) -> None:
    alice = key("alice")
    path = f"/v1/jobs/{(await http.post('/v1/jobs', headers=alice)).json()['id']}"
    for verb in ("pause", "resume", "cancel"):
        for _ in range(2):
            answer = await http.post(f"{path}/{verb}", headers={**alice, "Idempotency-Key": "k"})
            assert answer.status_code == 200
        refused = await http.post(f"{path}/{verb}", headers={**alice, "Idempotency-Key": "two words"})
        assert assert_problem(refused, 422, "invalid_parameter")["errors"][0]["parameter"] == "Idempotency-Key"


async def test_workers_do_not_tell_of_anothers_job(
    http: httpx.AsyncClient, key: GivenKey, store: Store, do: Do
) -> None:
    alice, bob, admin = key("alice"), key("bob"), key("root", Scope.ADMIN)
    job_id = (await http.post("/v1/jobs", headers=alice)).json()["id"]
    busy = worker().model_copy(update={"status": "busy", "job_id": job_id})
    do(store.present(busy, lifetime_seconds=60))
    shown = [(await http.get("/v1/workers", headers=headers)).json()["data"][0] for headers in (alice, admin, bob)]
    assert [entry["job_id"] for entry in shown] == [job_id, job_id, None]
    assert shown[2]["status"] == "busy"


async def test_a_priority_above_the_keys_highest_is_refused(http: httpx.AsyncClient, key: GivenKey) -> None:
    plain, higher, admin = key("alice"), key("bob", max_priority=5), key("root", Scope.ADMIN)
    for headers, least, most in ((plain, -100, 0), (higher, -100, 5), (admin, -100, 100)):
        for priority in (least, most):
            answer = await http.post("/v1/jobs?dry_run=true", json={"priority": priority}, headers=headers)
            assert answer.status_code == 200
        if most < 100:
            answer = await http.post("/v1/jobs", json={"priority": most + 1}, headers=headers)
            problem = assert_problem(answer, 422, "priority_too_high")
            assert f"highest, {most}" in problem["detail"]
            assert problem["errors"][0]["pointer"] == "/priority"
    assert (await http.get("/v1/jobs", headers=plain)).json()["data"] == []


async def test_resuming_counts_against_the_queued(http: httpx.AsyncClient, key: GivenKey) -> None:
    capped = key("alice", max_queued=1)
    path = f"/v1/jobs/{(await http.post('/v1/jobs', headers=capped)).json()['id']}"
    assert (await http.post(f"{path}/pause", headers=capped)).status_code == 200
    assert (await http.post("/v1/jobs", headers=capped)).status_code == 202
    answer = await http.post(f"{path}/resume", headers=capped)
    assert "has 1 queued jobs; the key's limit is 1" in assert_problem(answer, 429, "too_many_jobs")["detail"]
    assert (await http.get(path, headers=capped)).json()["status"] == "paused"


async def test_caps_and_rates_are_429_with_retry_after(http: httpx.AsyncClient, key: GivenKey) -> None:
    capped, hurried = key("alice", max_jobs=1), key("bob", requests_per_minute=2)
    assert (await http.post("/v1/jobs", headers=capped)).status_code == 202
    answer = await http.post("/v1/jobs", headers=capped)
    assert "has 1 unfinished jobs; the key's limit is 1" in assert_problem(answer, 429, "too_many_jobs")["detail"]
    assert answer.headers["retry-after"] == "10"
    assert (await http.post("/v1/jobs?dry_run=true", headers=capped)).status_code == 200
    for _ in range(2):
        assert (await http.get("/v1/presets", headers=hurried)).status_code == 200
    answer = await http.get("/v1/presets", headers=hurried)
    assert "2 requests a minute" in assert_problem(answer, 429, "too_many_requests")["detail"]
    assert 28 <= int(answer.headers["retry-after"]) <= 30
    assert (await http.get("/v1/presets", headers=capped)).status_code == 200


async def test_a_keys_longest_body_is_its_own(http: httpx.AsyncClient, key: GivenKey) -> None:
    headers = key("alice", max_body_bytes=50)
    assert (await http.post("/v1/jobs", json={"epochs": 1}, headers=headers)).status_code == 202
    answer = await http.post("/v1/jobs", json={"metadata": {"a": "b" * 50}}, headers=headers)
    assert "50 bytes" in assert_problem(answer, 413, "body_too_large")["detail"]


async def test_an_audit_line_names_the_key_the_owner_and_the_request(
    http: httpx.AsyncClient, key: GivenKey, ring: KeyRing, do: Do
) -> None:
    alice = key("alice")
    ((listed, _),) = do(ring.list())
    with capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        job = (await http.post("/v1/jobs", headers={**alice, "X-Request-Id": "first"})).json()
        await http.post(f"/v1/jobs/{job['id']}/cancel", headers={**alice, "X-Request-Id": "second"})
        await http.post(f"/v1/jobs/{job['id']}/cancel", headers={**alice, "X-Request-Id": "third"})
    lines = [line for line in logged if line["event"] == "job_status"]
    assert [(line["request_id"], line["before"], line["after"]) for line in lines] == [
        ("first", "", "queued"),
        ("second", "queued", "cancelled"),
    ]
    assert {(line["key_id"], line["owner"], line["job_owner"], line["job_id"]) for line in lines} == {
        (listed.id, "alice", "alice", job["id"])
    }


async def test_the_secret_is_nowhere_to_be_found(
    app: FastAPI,
    http: httpx.AsyncClient,
    key: GivenKey,
    client: redis.Redis,
    keys: Keys,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault of ours")

    headers = key("alice", requests_per_minute=60)
    secret = headers["Authorization"].removeprefix("Bearer ")
    unknown = new_secret()
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        for method, path in operations(app):
            for sent in (headers, {"Authorization": f"Bearer {unknown}"}, {"Authorization": f"Basic {unknown}"}):
                answer = await http.request(method, path.replace("{job_id}", new_job_id()), headers=sent)
                told += [answer.text, str(answer.headers)]
        monkeypatch.setattr("store.jobs.Store.workers", fail)
        told.append((await http.get("/v1/workers", headers=headers)).text)
    read = {
        "hash": client.hgetall,
        "set": client.smembers,
        "string": client.get,
        "list": lambda name: client.lrange(name, 0, -1),
    }
    read |= {"zset": lambda name: client.zrange(name, 0, -1), "stream": client.xrange}
    told += [name + str(read[str(client.type(name))](name)) for name in client.scan_iter(f"{keys.namespace}:*")]
    told += [json.dumps(logged, default=str), caplog.text]
    assert len(told) > 40
    for hidden in (secret, unknown):
        assert not any(hidden in text or hidden.removeprefix("gd_") in text for text in told)


async def test_a_store_that_is_away_is_503_and_not_401(settings: Settings, ring: KeyRing) -> None:
    away = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    app = create_app(away)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        answer = await http.get("/v1/presets", headers={"Authorization": f"Bearer {new_secret()}"})
        assert_problem(answer, 503, "store_unavailable")
        assert_problem(await http.get("/v1/presets"), 401, "unauthorized")


@pytest.fixture
async def given(settings: Settings, anyio_backend: str) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A client of an application whose settings hold one key, and the key's secret."""
    secret = new_secret()
    entry = entry_of(new_key(secret, owner="env", scopes=[Scope.READ]))
    app = create_app(settings.model_copy(update={"auth": "auto", "api_keys": SecretStr(entry)}))
    async with app.router.lifespan_context(app), talk_to(app) as http:
        yield http, secret


async def test_keys_of_the_settings_switch_keys_on(given: tuple[httpx.AsyncClient, str], client: redis.Redis) -> None:
    http, secret = given
    assert_problem(await http.get("/v1/jobs"), 401, "unauthorized")
    headers = {"Authorization": f"bearer {secret}"}
    assert (await http.get("/v1/jobs", headers=headers)).status_code == 200
    assert_problem(await http.post("/v1/jobs", headers=headers), 403, "insufficient_scope")


async def test_without_keys_nobody_is_served_at_an_address_that_others_reach(settings: Settings) -> None:
    """As with `uvicorn --factory api.app:create --host 0.0.0.0`, of which no setting tells."""
    for insecure in (False, True):
        app = create_app(settings.model_copy(update={"auth": "auto", "insecure": insecure}))
        async with app.router.lifespan_context(app):
            for host, served in (("10.0.0.7", insecure), ("fd00::1", insecure), ("127.0.0.1", True), ("::1", True)):
                address = f"http://[{host}]" if ":" in host else f"http://{host}"
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=address) as http:
                    answer = await http.get("/v1/presets")
                    if served:
                        assert answer.status_code == 200
                    else:
                        assert host in assert_problem(answer, 401, "unauthorized")["detail"]
                    assert (await http.get("/healthz")).status_code == 200


HERE = {"Host": "127.0.0.1:8000"}


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"Host": "evil.example"}, "evil.example"),  # bent to 127.0.0.1: DNS rebinding
        ({"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}, "evil.example"),
        ({"Host": "10.0.0.7:8000"}, "10.0.0.7"),
        ({"Host": "[fd00::1]:8000"}, "fd00::1"),
        ({"Host": "[broken"}, "[broken"),
        ({**HERE, "Origin": "https://evil.example"}, "https://evil.example"),
        ({**HERE, "Origin": "null"}, "null"),
        ({**HERE, "Origin": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000"),  # somebody else's page here
        ({**HERE, "Sec-Fetch-Site": "cross-site"}, "cross-site"),  # no body, and from some browsers no Origin
        ({**HERE, "Sec-Fetch-Site": "same-site"}, "same-site"),  # another port of this machine
        ({**HERE, "Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"}, "cross-site"),
    ],
)
async def test_without_keys_no_foreign_page_is_served(
    settings: Settings, headers: dict[str, str], word: str, client: redis.Redis
) -> None:
    settings = settings.model_copy(update={"auth": "auto"})
    app = create_app(settings)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        for method, path in (("POST", "/v1/jobs"), ("GET", "/v1/jobs")):
            problem = assert_problem(await http.request(method, path, headers=headers), 403, "foreign_request")
            assert word in problem["detail"]
        assert (await http.get("/v1/jobs", headers=HERE)).json()["data"] == []
        assert (await http.get("/v1/jobs", headers={**HERE, "Origin": "http://127.0.0.1:8000"})).status_code == 200
        assert (await http.get("/v1/jobs", headers={"Host": "[::1]:8000"})).status_code == 200
        for site in ("same-origin", "none"):
            assert (await http.get("/v1/jobs", headers={**HERE, "Sec-Fetch-Site": site})).status_code == 200
        assert (await http.get("/healthz", headers=headers)).status_code == 200
    app = create_app(settings.model_copy(update={"insecure": True}))
    async with app.router.lifespan_context(app), talk_to(app) as http:
        assert (await http.get("/v1/jobs", headers=headers)).status_code == 200


async def test_a_link_from_elsewhere_may_be_followed_but_not_posted(settings: Settings, client: redis.Redis) -> None:
    followed = {**HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    app = create_app(settings.model_copy(update={"auth": "auto"}))
    async with app.router.lifespan_context(app), talk_to(app) as http:
        assert_problem(await http.post("/v1/jobs", headers=followed), 403, "foreign_request")
        assert (await http.get("/v1/jobs", headers=followed)).json()["data"] == []


async def test_with_keys_a_key_is_all_that_counts(given: tuple[httpx.AsyncClient, str], client: redis.Redis) -> None:
    http, secret = given
    headers = {"Authorization": f"Bearer {secret}", "Host": "gradientd.example", "Origin": "https://ui.example"}
    assert (await http.get("/v1/jobs", headers=headers)).status_code == 200


async def test_the_document_tells_whether_keys_are_asked_for(settings: Settings) -> None:
    for auth, security in (("required", [{"apiKey": []}]), ("auto", [{}, {"apiKey": []}])):
        document = create_app(settings.model_copy(update={"auth": auth})).openapi()
        assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
        for path, operations in document["paths"].items():
            for operation in operations.values():
                guarded = path.startswith("/v1/") or path == "/metrics"
                assert operation["security"] == (security if guarded else [])
                assert guarded <= ({"401", "403", "429"} <= operation["responses"].keys())
        refused = document["paths"]["/v1/jobs"]["post"]["responses"]["429"]["content"]["application/problem+json"]
        assert refused["examples"].keys() == {"too_many_jobs", "too_many_requests"}
