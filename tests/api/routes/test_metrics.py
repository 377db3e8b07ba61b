"""`/metrics`: what Prometheus is told, and who may ask."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from api.app import create_app
from api.http.connections import Bounds, Cause, Connections
from jobs.api_keys import Scope, new_key, new_secret
from jobs.ids import new_job_id
from jobs.report import Report
from jobs.settings import Settings
from jobs.states import Reason, Status
from store.api_keys import KeyRing
from store.jobs import Claim, Store
from tests.api.conftest import Do, assert_problem, epoch, talk_to, until, worker
from tests.api.models import CUSTOMERS, succeed
from tests.conftest import free_port

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text("utf-8")
STRANGE = "strange-name-that-somebody-made-up"
Numbers = dict[str, float]


async def scrape(http: httpx.AsyncClient, **more: Any) -> str:
    answer = await http.get("/metrics", **more)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def families(text: str) -> dict[str, Metric]:
    """What was told, by the names that Prometheus gives its families."""
    found = list(text_string_to_metric_families(text))
    assert len({family.name for family in found}) == len(found)
    return {family.name: family for family in found}


def numbers(text: str) -> Numbers:
    """Each sample, as `name{label=value,…}`."""
    found: Numbers = {}
    for family in families(text).values():
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def told(http: httpx.AsyncClient) -> Numbers:
    return numbers(await scrape(http))


def histograms(text: str) -> Iterator[tuple[str, dict[str, str], list[tuple[str, float]]]]:
    """Each histogram: its name, its labels, and its samples."""
    for family in families(text).values():
        if family.type != "histogram":
            continue
        kinds = {tuple(sorted((n, v) for n, v in sample.labels.items() if n != "le")) for sample in family.samples}
        for kind in kinds:
            rows = [
                (sample.name.removeprefix(family.name) + sample.labels.get("le", ""), sample.value)
                for sample in family.samples
                if dict(kind).items() <= sample.labels.items()
            ]
            yield family.name, dict(kind), rows


async def test_the_life_of_a_job_is_told(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], store: Store, do: Do
) -> None:
    jobs = [await submit(dataset="mnist-10k", validation_split=0.1) for _ in range(3)]
    held = claim()
    do(store.report(held.job.id, held.fence, Report(1, epochs=(epoch(1), epoch(2, seconds=0.2)))))
    do(store.finish(held.job.id, held.fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    do(store.cancel(jobs[1]["id"]))
    found = await told(http)
    assert found["gradientd_store_up"] == 1
    assert found["gradientd_jobs{status=queued}"] == found["gradientd_queued_jobs{lane=any}"] == 1
    assert found["gradientd_jobs{status=succeeded}"] == found["gradientd_jobs{status=cancelled}"] == 1
    assert found["gradientd_jobs_submitted_total"] == 3
    assert found["gradientd_jobs_finished_total{reason=completed,status=succeeded}"] == 1
    assert found["gradientd_jobs_finished_total{reason=user_requested,status=cancelled}"] == 1
    assert found["gradientd_jobs_finished_total{reason=out_of_memory,status=failed}"] == 0
    assert found["gradientd_lease_losses_total{reason=worker_lost}"] == 0
    assert found["gradientd_trained_examples_total"] == 2 * 8100
    assert found["gradientd_epoch_duration_seconds_bucket{le=0.1}"] == 1
    assert found["gradientd_epoch_duration_seconds_bucket{le=+Inf}"] == 2
    assert found["gradientd_epoch_duration_seconds_sum"] == pytest.approx(0.3)
    assert found["gradientd_queue_wait_seconds_count"] == 1
    assert found["gradientd_job_duration_seconds_count{status=succeeded}"] == 1
    assert found["gradientd_job_duration_seconds_count{status=cancelled}"] == 0


async def test_every_process_tells_the_same_of_the_store_and_only_its_own_beside(
    settings: Settings, http: httpx.AsyncClient, submit: Any
) -> None:
    await submit()
    app = create_app(settings)
    async with app.router.lifespan_context(app), talk_to(app) as other:
        found = await told(other)
    assert found["gradientd_jobs_submitted_total"] == 1
    assert "gradientd_http_requests_total{method=POST,route=/v1/jobs,status=2xx}" not in found
    assert (await told(http))["gradientd_http_requests_total{method=POST,route=/v1/jobs,status=2xx}"] == 1


async def test_buckets_rise_and_the_last_is_the_count(http: httpx.AsyncClient, submit: Any) -> None:
    await submit()
    seen = 0
    for name, labels, rows in histograms(await scrape(http)):
        buckets = [value for part, value in rows if part.startswith("_bucket")]
        (count,) = [value for part, value in rows if part == "_count"]
        assert buckets == sorted(buckets), (name, labels)
        assert len(buckets) > 10
        assert buckets[-1] == count
        seen += 1
    assert seen >= 6


async def test_workers_are_told_while_they_live(
    app: FastAPI, http: httpx.AsyncClient, store: Store, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.fleet.KEPT_SECONDS", 0)
    spoke = datetime.now(UTC) - timedelta(seconds=7)
    busy = worker("w2", gpus=1).model_copy(update={"status": "busy", "last_heartbeat_at": spoke})
    gpu = busy.devices[1].model_copy(update={"memory_bytes": 5, "memory_peak_bytes": 9, "memory_bytes_total": 100})
    do(store.present(worker("w1"), lifetime_seconds=60))
    do(store.present(busy.model_copy(update={"devices": (busy.devices[0], gpu)}), lifetime_seconds=60))
    found = await told(http)
    at = "{host=here,worker=w2}"
    assert found["gradientd_worker_up{host=here,worker=w1}"] == found[f"gradientd_worker_up{at}"] == 1
    assert found["gradientd_worker_busy{host=here,worker=w1}"] == 0
    assert found[f"gradientd_worker_busy{at}"] == 1
    assert 7 <= found[f"gradientd_worker_heartbeat_age_seconds{at}"] < 60
    sizes = {name: value for name, value in found.items() if name.startswith("gradientd_worker_device_memory")}
    device = "{device=/device:GPU:0,host=here,worker=w2}"
    assert sizes == {
        f"gradientd_worker_device_memory_used_bytes{device}": 5,
        f"gradientd_worker_device_memory_peak_bytes{device}": 9,
        f"gradientd_worker_device_memory_limit_bytes{device}": 100,
    }
    do(store.absent("w2"))
    assert f"gradientd_worker_up{at}" not in await told(http)


async def test_requests_are_told_by_route_and_the_scrape_is_in_flight(http: httpx.AsyncClient, submit: Any) -> None:
    job = await submit()
    for _ in range(3):
        await http.get(f"/v1/jobs/{job['id']}")
    await http.get(f"/v1/jobs/{new_job_id()}")
    await http.head("/v1/jobs")
    await http.put("/v1/jobs")
    await http.request("BREW", "/v1/jobs")
    await http.get("/healthz")
    found = await told(http)
    requests = {
        name.removeprefix("gradientd_http_requests_total"): value
        for name, value in found.items()
        if name.startswith("gradientd_http_requests_total")
    }
    assert requests == {
        "{method=POST,route=/v1/jobs,status=2xx}": 1,
        "{method=GET,route=/v1/jobs/{job_id},status=2xx}": 3,
        "{method=GET,route=/v1/jobs/{job_id},status=4xx}": 1,
        "{method=HEAD,route=/v1/jobs,status=2xx}": 1,
        "{method=PUT,route=/v1/jobs,status=4xx}": 1,
        "{method=other,route=/v1/jobs,status=4xx}": 1,
        "{method=GET,route=/healthz,status=2xx}": 1,
    }
    assert found["gradientd_http_request_duration_seconds_count{method=GET,route=/v1/jobs/{job_id}}"] == 4
    assert found["gradientd_http_requests_in_flight"] == 1
    assert (await told(http))["gradientd_http_requests_total{method=GET,route=/metrics,status=2xx}"] == 1


async def test_a_request_that_waits_is_in_flight(app: FastAPI, http: httpx.AsyncClient, submit: Any) -> None:
    job = await submit()
    waiting = asyncio.create_task(http.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=60"}))
    await until(lambda: app.state.traffic.in_flight == 1, what="the long poll")
    assert (await told(http))["gradientd_http_requests_in_flight"] == 2
    await http.post(f"/v1/jobs/{job['id']}/cancel")
    await waiting
    assert (await told(http))["gradientd_http_requests_in_flight"] == 1


async def test_a_fault_of_ours_is_counted(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("store.jobs.Store.get", fail)
    assert_problem(await http.get(f"/v1/jobs/{new_job_id()}"), 500, "internal_error")
    found = await told(http)
    assert found["gradientd_http_requests_total{method=GET,route=/v1/jobs/{job_id},status=5xx}"] == 1


async def test_predictions_are_counted_by_the_instance(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], settings: Settings, store: Store, do: Do
) -> None:
    await submit()
    path = f"/v1/jobs/{succeed(claim(), CUSTOMERS, settings=settings, store=store, do=do)}/predict"
    assert (await http.post(path, json={"instances": [[31, "Bern"]] * 3})).status_code == 200
    assert (await http.post(path, json={"instances": [["no number", "Bern"]] * 5})).status_code == 422
    assert (await http.post(path, json={"instances": [[31, "Bern"]]})).status_code == 200
    assert (await told(http))["gradientd_predictions_total"] == 4


async def test_uploads_are_told_while_they_are_under_way(app: FastAPI, http: httpx.AsyncClient) -> None:
    may_end = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"x,word\n"
        await may_end.wait()
        yield b"".join(b"%d,%d\n" % (n, n % 2) for n in range(20))

    upload = asyncio.create_task(http.put("/v1/datasets/t", content=parts()))
    await until(lambda: app.state.services.intake.under_way, what="the upload")
    found = await told(http)
    assert (found["gradientd_uploads_under_way"], found["gradientd_uploads_checking"]) == (1, 0)
    may_end.set()
    await until(lambda: app.state.services.intake.checking, what="the check")
    found = await told(http)
    assert (found["gradientd_uploads_under_way"], found["gradientd_uploads_checking"]) == (1, 1)
    assert (await upload).status_code == 201
    found = await told(http)
    assert (found["gradientd_uploads_under_way"], found["gradientd_uploads_checking"]) == (0, 0)


async def test_connections_are_told_under_our_own_server(app: FastAPI, http: httpx.AsyncClient) -> None:
    assert "gradientd_connections_open" not in await told(http)
    app.state.connections = connections = Connections(Bounds())
    connections.count = 7
    connections.note_ended(Cause.ANSWER_UNREAD)
    found = await told(http)
    assert found["gradientd_connections_open"] == 7
    assert found["gradientd_connections_ended_total{cause=answer_unread}"] == 1
    assert found["gradientd_connections_ended_total{cause=made_room}"] == 0


async def test_the_process_is_told_as_the_library_does(http: httpx.AsyncClient) -> None:
    found = await told(http)
    assert found["process_resident_memory_bytes"] > 10e6
    assert found["process_cpu_seconds_total"] > 0
    assert found["gradientd_build_info{version=0.1.0}"] == 1


async def test_no_label_is_what_a_stranger_made_up(
    http: httpx.AsyncClient, submit: Any, claim: Callable[[], Claim], store: Store, do: Do
) -> None:
    job = await submit(metadata={STRANGE: STRANGE})
    held = claim()
    do(store.report(held.job.id, held.fence, Report(1, epochs=(epoch(1),))))
    for path in (f"/{STRANGE}", f"/v1/jobs/{STRANGE}", f"/v1/datasets/{STRANGE}", f"/problems/{STRANGE}", "/docs/x"):
        for method in ("GET", "PUT", "DELETE", STRANGE.upper()):
            await http.request(method, path, params={STRANGE: STRANGE}, headers={STRANGE: STRANGE})
    text = await scrape(http)
    assert STRANGE not in text.lower()
    assert job["id"] not in text
    for family in families(text).values():
        assert len(family.samples) < 1000


async def test_what_is_told_does_not_grow_with_what_is_asked(http: httpx.AsyncClient, submit: Any) -> None:
    async def ask() -> int:
        for n in range(20):
            await submit(metadata={"n": str(n)})
            await http.get(f"/nothing/{n}")
            await http.get(f"/v1/jobs/{new_job_id()}")
        return len((await scrape(http)).splitlines())

    await ask()
    assert await ask() == await ask()


async def test_while_the_store_is_away_the_process_speaks_for_itself(settings: Settings) -> None:
    away = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    app = create_app(away)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        await http.get("/v1/jobs")
        found = await told(http)
    assert found["gradientd_store_up"] == 0
    assert found["gradientd_http_requests_total{method=GET,route=/v1/jobs,status=5xx}"] == 1
    assert not [name for name in found if name.startswith(("gradientd_job", "gradientd_worker", "gradientd_queue"))]


async def test_keys_without_the_scope_are_refused_everybodys_numbers(
    settings: Settings, client: redis.Redis, do: Do
) -> None:
    settings = settings.model_copy(update={"auth": "required"})
    ring = KeyRing.of(settings)

    def key(*scopes: Scope) -> dict[str, str]:
        secret = new_secret()
        do(ring.create(new_key(secret, owner="a", scopes=scopes)))
        return {"Authorization": f"Bearer {secret}"}

    app = create_app(settings)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        assert_problem(await http.get("/metrics"), 401, "unauthorized")
        for scopes in ([Scope.READ], [Scope.READ, Scope.SUBMIT, Scope.PREDICT]):
            answer = await http.get("/metrics", headers=key(*scopes))
            assert "lacks the scope 'metrics'" in assert_problem(answer, 403, "insufficient_scope")["detail"]
            assert 'scope="metrics"' in answer.headers["www-authenticate"]
        admin, prometheus = key(Scope.ADMIN), key(Scope.METRICS)
        for allowed in (admin, prometheus):
            assert numbers(await scrape(http, headers=allowed))["gradientd_store_up"] == 1
        assert_problem(await http.get("/v1/jobs", headers=prometheus), 403, "insufficient_scope")
        assert (await http.head("/metrics", headers=admin)).status_code == 200


async def test_without_keys_no_foreign_page_reads_them(http: httpx.AsyncClient) -> None:
    answer = await http.get("/metrics", headers={"Host": "evil.example"})
    assert_problem(answer, 403, "foreign_request")


async def test_parameters_are_refused(http: httpx.AsyncClient) -> None:
    assert_problem(await http.get("/metrics?x=1"), 422, "invalid_parameter")


async def test_names_follow_prometheus_conventions_and_are_documented(
    app: FastAPI, http: httpx.AsyncClient, store: Store, do: Do
) -> None:
    app.state.connections = Connections(Bounds())
    do(store.present(worker(gpus=1), lifetime_seconds=60))
    told_of = {}
    for family in families(await scrape(http)).values():
        assert family.documentation
        if family.name.startswith("process_"):
            continue
        assert re.fullmatch(r"gradientd_[a-z_]+", family.name)
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", "_ms", "_milliseconds"))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        told_of[name] = family.type
    assert dict(re.findall(r"^\| `(gradientd_\w+)` \| (\w+) \|", PAGE, re.MULTILINE)) == told_of


@pytest.fixture
def promtool() -> Callable[..., tuple[int, str]]:
    """Run Prometheus' own check of something; gives its exit code and what it says."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("there is no promtool")

    def run(*arguments: str, said: str = "") -> tuple[int, str]:
        ran = subprocess.run([found, "check", *arguments], input=said, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    return run


async def test_promtool_finds_nothing_to_say(
    app: FastAPI,
    http: httpx.AsyncClient,
    submit: Any,
    claim: Callable[[], Claim],
    store: Store,
    do: Do,
    promtool: Callable[..., tuple[int, str]],
) -> None:
    app.state.connections = Connections(Bounds())
    do(store.present(worker(gpus=1), lifetime_seconds=60))
    await submit()
    held = claim()
    do(store.report(held.job.id, held.fence, Report(1, epochs=(epoch(1),))))
    assert promtool("metrics", said=await scrape(http)) == (0, "")


def proposed_alerts() -> str:
    """The rules in docs/metrics.md."""
    (rules,) = re.findall(r"```yaml\n(groups:.*?)```", PAGE, re.DOTALL)
    return rules


def test_the_proposed_alerts_name_what_is_told() -> None:
    named = {re.sub("_(bucket|count)$", "", name) for name in re.findall(r"gradientd_\w+", proposed_alerts())}
    assert len(named) > 5
    assert named <= set(re.findall(r"^\| `(gradientd_\w+)`", PAGE, re.MULTILINE))


def test_promtool_reads_the_proposed_alerts(promtool: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(proposed_alerts())
    code, said = promtool("rules", str(rules))
    assert code == 0, said
