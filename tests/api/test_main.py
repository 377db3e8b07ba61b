"""`python -m api` as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import redis

from jobs.settings import Settings
from store.keys import Keys
from tests.conftest import free_port, wait_until


@contextmanager
def serving(
    settings: Settings, *, descriptors: int | None = None, port: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real server on the test's store, and its address; with so many file descriptors, if that is given."""
    port = port or free_port()
    environment = {
        **os.environ,
        "GRADIENTD_REDIS_URL": settings.redis_url.get_secret_value(),
        "GRADIENTD_NAMESPACE": settings.namespace,
    }
    limited = ["prlimit", f"--nofile={descriptors}:{descriptors}"] if descriptors else []
    command = [*limited, sys.executable, "-m", "api", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(url), what="the server's first answer", timeout_seconds=60)
            yield server, url
        finally:
            server.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False


def test_serves_and_ends_in_order(settings: Settings, client: redis.Redis, keys: Keys) -> None:
    json_type = {"Content-Type": "application/json"}
    with serving(settings) as (server, url), httpx.Client(base_url=url, timeout=30) as http:
        path = http.post("/v1/jobs", json={"epochs": 1}).headers["location"]
        long = b" " * (2 << 20)
        assert http.post("/v1/jobs", content=long, headers=json_type).status_code == 413
        assert http.post("/v1/jobs", content=iter([long]), headers=json_type).status_code == 413
        assert http.head("/healthz").headers["content-type"] == "application/json"
        assert http.get(path).json()["status"] == "queued"

        channel = keys.changes(path.rpartition("/")[2])
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(httpx.get, f"{url}{path}", headers={"Prefer": "wait=60"}, timeout=70)
            wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 1, what="a waiting reader")
            server.send_signal(signal.SIGTERM)
            assert waiting.result(10).status_code == 200
        _, logged = server.communicate(timeout=10)
    assert server.returncode == 0, logged
    assert "Traceback" not in logged
    assert "event=request method=POST path=/v1/jobs status=202" in logged


def test_importing_the_api_leaves_the_worker_and_tensorflow_out() -> None:
    code = (
        "import api.app, api.__main__, sys; "
        "print([name for name in sys.modules if name.split('.')[0] in ('tensorflow', 'keras', 'worker')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_refuses_to_be_open_to_other_machines() -> None:
    command = [sys.executable, "-m", "api", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("python -m api: will not listen on '0.0.0.0'")
    assert "GRADIENTD_AUTH=required" in done.stderr


def test_refuses_keys_that_it_cannot_read_without_repeating_them() -> None:
    environment = {**os.environ, "GRADIENTD_API_KEYS": "alice:read:gd_a-secret"}
    command = [sys.executable, "-m", "api", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("python -m api: entry 1 of GRADIENTD_API_KEYS is not OWNER:SCOPES:SHA256")
    assert "gd_a-secret" not in done.stderr
