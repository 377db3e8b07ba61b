"""What the API's tests share: the application on the test's own store, and work done as a worker would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI

from api.app import create_app
from jobs.ids import new_job_id
from jobs.record import Device, EpochMetrics, Worker
from jobs.settings import Settings
from store.jobs import Claim, Store
from store.lanes import Lanes

Do = Callable[[Any], Any]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(settings: Settings, client: redis.Redis, anyio_backend: str) -> AsyncIterator[FastAPI]:
    """The application, started."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with talk_to(app) as http:
        yield http


def talk_to(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def until(condition: Callable[[], object], *, what: str, timeout_seconds: float = 10.0) -> None:
    """Return once `condition` holds, letting the event loop run meanwhile."""
    try:
        async with asyncio.timeout(timeout_seconds):
            while not condition():  # noqa: ASYNC110 (the condition lies outside this process)
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"waited {timeout_seconds} s in vain for: {what}")


@pytest.fixture
def submit(http: httpx.AsyncClient) -> Callable[..., Any]:
    """Submit a job of these fields over HTTP; gives the answered job."""

    async def submit(**fields: Any) -> dict[str, Any]:
        answer = await http.post("/v1/jobs", json=fields)
        assert answer.status_code == 202, answer.text
        return answer.json()

    return submit


@pytest.fixture
def claim(store: Store, do: Do) -> Callable[[], Claim]:
    """Take the next job as a worker."""

    def claim() -> Claim:
        taken = do(store.claim("w1", token=new_job_id(), lanes=Lanes.served_by(gpus=1)))
        assert taken
        return taken

    return claim


def epoch(number: int, **changes: Any) -> EpochMetrics:
    """What one epoch measured."""
    values = {
        "epoch": number,
        "step": number * 5,
        "loss": 1 / number,
        "accuracy": 0.5,
        "val_loss": 1.0,
        "val_accuracy": 0.5,
        "learning_rate": 0.1,
        "seconds": 0.1,
        "examples_per_second": 1.0,
    }
    return EpochMetrics.model_validate({**values, **changes})


def worker(name: str = "w1", *, gpus: int = 0) -> Worker:
    """A live worker."""
    devices = [Device(name="/device:CPU:0", kind="cpu", model="CPU")]
    devices += [Device(name=f"/device:GPU:{n}", kind="gpu", model="GPU", memory_growth=True) for n in range(gpus)]
    return Worker.model_validate(
        {
            "name": name,
            "host": "here",
            "pid": 1,
            "devices": tuple(devices),
            "threads": 2,
            "tensorflow": "2.21.0",
            "status": "idle",
            "started_at": "2026-11-24T00:00:00Z",
            "last_heartbeat_at": "2026-11-24T00:00:00Z",
        }
    )


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is a complete problem of this kind; gives its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() - {"errors", "faults", "faults_total"} == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "request_id",
    }
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems/{code}")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["instance"] == answer.request.url.raw_path.decode().partition("?")[0][:500]
    return body
