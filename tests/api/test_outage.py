"""When the store is away, and when it is back."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import redis
from pydantic import SecretStr

from api.app import create_app
from api.background.doorbell_sender import DoorbellSender
from api.background.upkeep import sweep
from jobs.ids import new_job_id
from jobs.settings import Settings
from jobs.spec import Spec
from store.calls import aconnect, arun
from store.doorbell import Doorbell, make_celery
from store.jobs import Store
from store.keys import Keys
from tests.api.conftest import assert_problem, talk_to, until
from tests.conftest import free_port

pytestmark = pytest.mark.anyio


class Line:
    """A line to the store that can be cut. Made of threads: an asyncio server that is closed amid an accept leaks."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self._to_port = to_port
        self._lock = threading.Lock()
        self._whole = False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def join(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self._whole, self._sockets = True, [listener]
        self._start(self._accept, listener)

    def cut(self) -> None:
        with self._lock:
            self._whole = False
        for end in self._sockets:
            _shut(end)
        while self._threads:
            self._threads.pop().join()

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener, contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                with self._lock:
                    if not self._whole:  # cut since the connection was made
                        near.close()
                        return
                    far = socket.create_connection(("127.0.0.1", self._to_port))
                    self._sockets += [near, far]
                    self._start(self._serve, near, far)

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            back = threading.Thread(target=_pump, args=(far, near))
            back.start()
            _pump(near, far)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    _shut(source)
    _shut(sink)


def _shut(end: socket.socket) -> None:
    """End all traffic, and whatever waits for some."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(client: redis.Redis) -> Iterator[Line]:
    line = Line(client.connection_pool.connection_kwargs["port"])
    line.join()
    yield line
    line.cut()


@pytest.fixture
def far_settings(settings: Settings, line: Line) -> Settings:
    """Settings of a process that reaches the store over the line."""
    url = SecretStr(f"redis://127.0.0.1:{line.port}/0")
    return settings.model_copy(update={"redis_url": url, "upkeep_seconds": 0.05})


@pytest.fixture
async def http(far_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(far_settings)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        yield http


async def test_away_is_503_with_retry_after_and_back_is_back(http: httpx.AsyncClient, submit: Any, line: Line) -> None:
    job = await submit()
    line.cut()
    for answer in (
        await http.post("/v1/jobs"),
        await http.get(f"/v1/jobs/{job['id']}"),
        await http.get("/v1/jobs"),
        await http.post(f"/v1/jobs/{job['id']}/cancel"),
        await http.get("/v1/workers"),
        await http.get("/v1/datasets"),
        await http.put("/v1/datasets/iris", content=b"a,b\n1,2\n"),
        await http.get("/readyz"),
    ):
        assert_problem(answer, 503, "store_unavailable")
        assert answer.headers["retry-after"] == "2"
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/v1/presets")).status_code == 200
    line.join()
    assert (await http.get("/readyz")).status_code == 200
    assert (await http.get(f"/v1/jobs/{job['id']}")).json() == job
    await submit()


async def test_a_waiting_reader_is_told_of_an_outage(
    http: httpx.AsyncClient, submit: Any, line: Line, client: redis.Redis, keys: Keys
) -> None:
    job = await submit()
    task = asyncio.create_task(http.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=30"}))
    await until(lambda: client.pubsub_numsub(keys.changes(job["id"]))[0][1] == 1, what="the subscription")
    line.cut()
    assert_problem(await asyncio.wait_for(task, 10), 503, "store_unavailable")


async def test_an_outage_is_logged_once(
    http: httpx.AsyncClient, line: Line, client: redis.Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, words = [], []

    async def counted(*arguments: Any, **options: Any) -> None:
        tries.append(1)
        await sweep(*arguments, **options)

    class Log:
        def warning(self, event: str, **_: Any) -> None:
            words.append(event)

        info = warning

    monkeypatch.setattr("api.background.upkeep.log", Log())
    monkeypatch.setattr("api.background.upkeep.sweep", counted)
    line.cut()
    await until(lambda: words, what="word of the outage")
    tries.clear()
    await until(lambda: len(tries) > 5, what="several sweeps in vain")
    line.join()
    await until(lambda: len(words) > 1, what="word of the store's return")
    assert words == ["store_away", "store_back"]


async def test_a_store_that_may_drop_jobs_is_warned_of_at_the_start(
    settings: Settings, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[str] = []

    class Log:
        def warning(self, event: str, **_: Any) -> None:
            words.append(event)

    monkeypatch.setattr("api.background.upkeep.log", Log())
    client.config_set("maxmemory-policy", "volatile-ttl")
    app = create_app(settings)
    try:
        async with app.router.lifespan_context(app):
            await until(lambda: words, what="a warning")
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    assert words == ["store_may_lose_jobs"]


async def test_a_sweep_rings_what_is_missing(
    settings: Settings, store: Store, client: redis.Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    doorbell_sender = DoorbellSender(Doorbell(make_celery(settings)))
    async with aconnect(settings) as connection:
        await arun(connection, store.create(new_job_id(), Spec(), steps=1))
        for _ in range(3):
            assert client.llen(keys.wake_queue("bells")) == 0
            await sweep(connection, store, doorbell_sender, every_seconds=0)
        await doorbell_sender.aclose()
    assert client.llen(keys.wake_queue("bells")) == 1


async def test_a_deleted_data_directory_takes_no_jobs(http: httpx.AsyncClient, settings: Settings) -> None:
    assert (await http.post("/v1/jobs", json={})).status_code == 202
    kept = settings.data_dir.rename(settings.data_dir.with_name("kept"))
    settings.data_dir.mkdir()
    for answer in (await http.post("/v1/jobs", json={}), await http.get("/readyz")):
        assert_problem(answer, 503, "store_unavailable")
        assert "the data directory is gone" in answer.json()["detail"]
        assert "retry-after" in answer.headers
    settings.data_dir.rmdir()
    kept.rename(settings.data_dir)
    assert (await http.post("/v1/jobs", json={})).status_code == 202
    assert (await http.get("/readyz")).status_code == 200
