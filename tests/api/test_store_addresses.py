"""Where the store may be: behind a Unix socket or TLS as well, for the API, for workers and for Celery."""

import gc
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.app import create_app
from jobs.errors import StoreUnavailable
from jobs.settings import Settings
from store.calls import connect, run
from store.doorbell import Doorbell, make_celery
from store.jobs import Store
from store.lanes import Lanes
from tests.api.conftest import talk_to, until
from tests.conftest import _server_binary, free_port, wait_until
from tests.tls import UNCLOSED, Authority, tls_before

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60), *UNCLOSED]
SECRET = "p@ss word"


@contextmanager
def _server(folder: Path, *options: str, url: str) -> Iterator[str]:
    """A store with these options, once it answers at `url`."""
    command = [_server_binary(), "--dir", str(folder), "--save", "", "--requirepass", SECRET, *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    settings = Settings(redis_url=SecretStr(url))

    def answers() -> bool:
        assert process.poll() is None
        try:
            with connect(settings) as client:
                run(client, Store.of(settings).check_health())
        except StoreUnavailable:
            return False
        return True

    try:
        wait_until(answers, what=f"an answer at {url}")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def _behind_a_socket(folder: Path) -> Iterator[str]:
    path = folder / "store 1.sock"
    options = ("--port", "0", "--unixsocket", str(path))
    with _server(folder, *options, url=f"unix://:p%40ss%20word@{str(path).replace(' ', '%20')}?db=3") as url:
        yield url


@contextmanager
def _behind_tls(folder: Path) -> Iterator[str]:
    port, authority = free_port(), Authority(folder)
    with tls_before(port, authority.certificate()) as tls_port:
        url = f"rediss://:p%40ss%20word@localhost:{tls_port}/2?ssl_ca_certs={authority.file}"
        with _server(folder, "--port", str(port), "--bind", "127.0.0.1", url=url):
            yield url


@pytest.fixture(params=[_behind_a_socket, _behind_tls], ids=["unix", "rediss"])
def elsewhere(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Settings of a store that is not to be had over plain TCP."""
    # A socket's path is short: pytest's own folders may be too deep.
    with tempfile.TemporaryDirectory(prefix="gd-") as folder, request.param(Path(folder)) as url:
        yield settings.model_copy(update={"redis_url": SecretStr(url)})
    gc.collect()


async def test_the_api_takes_jobs_and_rings(elsewhere: Settings) -> None:
    app = create_app(elsewhere)
    store = Store.of(elsewhere)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        assert (await http.get("/readyz")).status_code == 200
        job = (await http.post("/v1/jobs")).json()
        with connect(elsewhere) as client:
            bells = store.keys.wake_queue(Lanes.WAKE_QUEUES[Lanes.ANY])
            await until(lambda: client.llen(bells), what="a bell")
            claim = run(client, store.claim("w", token="t", lanes=(Lanes.ANY,)))
        assert claim
        # A change is told of over the subscriber's connection.
        waiting = await http.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=1"})
        assert waiting.json()["status"] == "running"


def test_celery_hears_a_bell(elsewhere: Settings) -> None:
    celery = make_celery(elsewhere)
    queue = next(queue for queue in celery.conf.task_queues if queue.name == Lanes.WAKE_QUEUES[Lanes.ANY])
    heard: list[Any] = []
    doorbell = Doorbell(celery)
    try:
        with celery.connection() as connection, connection.Consumer(queue, callbacks=[_into(heard)]):
            doorbell.ring(queue.name)
            connection.drain_events(timeout=20)
    finally:
        doorbell.close()
    assert len(heard) == 1


def _into(heard: list[Any]) -> Callable[[Any, Any], None]:
    def hear(body: Any, message: Any) -> None:
        heard.append(body)
        message.ack()

    return hear


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://127.0.0.1:6380/1", "redis://127.0.0.1:6380/1"),
        ("redis://h?db=4", "redis://h:6379/4"),
        ("redis://a:p%2Fq@h:1/2", "redis://a:p%2Fq@h:1/2"),
        ("redis://[::1]:6379/0", "redis://%3A%3A1:6379/0"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock?virtual_host=0"),
    ],
)
def test_celery_is_told_of_the_same_database(url: str, broker: str) -> None:
    assert make_celery(Settings(redis_url=SecretStr(url))).conf.broker_url == broker
