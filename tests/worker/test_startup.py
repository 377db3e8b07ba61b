"""What a worker waits for before it begins."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import redis
from pydantic import SecretStr
from structlog.testing import capture_logs

from jobs.settings import Settings
from tests.conftest import free_port, wait_until
from worker import startup
from worker.startup import await_store

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "RETRY_SECONDS", 0.01)


@contextmanager
def once_told(logs: Sequence[object], what: Callable[[], object]) -> Iterator[None]:
    """Do `what` in a thread when the first line has been logged."""

    def do() -> None:
        wait_until(lambda: logs, what="a line")
        what()

    thread = threading.Thread(target=do)
    thread.start()
    yield
    thread.join()


def test_a_store_that_takes_writes_is_not_waited_for(settings: Settings, client: redis.Redis) -> None:
    with capture_logs() as logs:
        assert await_store(settings)
    assert logs == []
    assert client.exists(f"{settings.namespace}:nothing") == 0


def test_a_full_store_is_waited_for_and_told_of_once(settings: Settings, client: redis.Redis) -> None:
    client.config_set("maxmemory", "1mb")
    try:
        with capture_logs() as logs, once_told(logs, lambda: client.config_set("maxmemory", "0")):
            assert await_store(settings)
    finally:
        client.config_set("maxmemory", "0")
    assert [(entry["event"], entry.get("error")) for entry in logs] == [
        ("store_away", "the store takes no writes: its memory is full (maxmemory)"),
        ("store_back", None),
    ]


def test_a_database_that_is_not_there_is_told_of_and_a_signal_ends_the_wait(settings: Settings) -> None:
    url = settings.redis_url.get_secret_value().removesuffix("/0") + "/99"
    beyond = settings.model_copy(update={"redis_url": SecretStr(url)})
    before = signal.getsignal(signal.SIGTERM)
    with capture_logs() as logs, once_told(logs, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        assert not await_store(beyond)
    assert [entry["error"] for entry in logs] == [
        "the store cannot be used as GRADIENTD_REDIS_URL says: DB index is out of range"
    ]
    assert signal.getsignal(signal.SIGTERM) == before


def test_believing_anybody_is_told_of(settings: Settings) -> None:
    url = f"rediss://localhost:{free_port()}?ssl_cert_reqs=none"
    nobody = settings.model_copy(update={"redis_url": SecretStr(url)})
    with capture_logs() as logs, once_told(logs, lambda: os.kill(os.getpid(), signal.SIGINT)):
        assert not await_store(nobody)
    assert logs[0] == {
        "event": "store_not_verified",
        "log_level": "warning",
        "detail": nobody.store_address.unverified,
    }
