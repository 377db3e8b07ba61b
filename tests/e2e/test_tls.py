"""A stack whose store is behind TLS, as processes: it trains where the certificate is trusted, or sends nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.e2e.conftest import Stack
from tests.tls import Authority, Listener, tls_before

SECRET = "s3cr3t"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stack(redis_url: str, authority: Authority, tmp_path: Path) -> Iterator[Stack]:
    """One that trusts the authority; its `redis_url` is still to be had."""
    stack = Stack(redis_url, tmp_path / "data", {"GRADIENTD_REDIS_CA": str(authority.file)})
    stack.folder.mkdir()
    yield stack
    stack.close()


def port_of(redis_url: str) -> int:
    return int(redis_url.rpartition(":")[2].partition("/")[0])


@pytest.mark.slow
def test_a_job_trains_over_tls(stack: Stack, authority: Authority) -> None:
    with tls_before(port_of(stack.redis_url), authority.certificate()) as port:
        stack.redis_url = f"rediss://localhost:{port}/0"
        stack.start_api()
        stack.start_worker("tls")
        assert stack.wait(stack.submit(epochs=1, model={"type": "softmax"}))["status"] == "succeeded"
        stack.close()
    assert "Traceback" not in "".join(process.log.read_text() for process in stack.processes)


@pytest.mark.slow
def test_nothing_is_sent_to_a_server_that_nobody_vouches_for(
    stack: Stack, authority: Authority, tmp_path: Path
) -> None:
    sentence = "its certificate is signed by nobody but itself; where that is meant, GRADIENTD_REDIS_CA names it"
    with Listener(authority.unsigned()) as listener:
        stack.redis_url = f"rediss://:{SECRET}@localhost:{listener.port}/0"
        up = subprocess.run(
            [sys.executable, "-m", "gradientd", "up", "--port", "0", "--data-dir", str(tmp_path / "up")],
            env={**stack.environment(), "COLUMNS": "1000"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        parts = [stack.start("api"), stack.start("worker")]
        for part in parts:
            wait_until(lambda log=part.log: sentence in log.read_text(), what="a complaint")
        assert stack.http.get("/readyz").status_code == 503
        for part in parts:
            part.popen.send_signal(signal.SIGTERM)
        assert [part.popen.wait(30) for part in parts] == [0, 0]
    assert up.returncode == 2
    assert f"the store at localhost:{listener.port} does not answer: {sentence}" in up.stderr
    assert listener.connections >= 3
    assert listener.heard == []
    said = up.stderr + "".join(part.log.read_text() for part in parts)
    assert "Traceback" not in said
    assert SECRET not in said
    worker_lines = parts[1].log.read_text().splitlines()
    assert len([line for line in worker_lines if "store_away" in line]) == 1, worker_lines


@pytest.mark.parametrize("part", ["api", "worker"])
def test_a_part_names_an_option_that_it_does_not_know(part: str) -> None:
    environment = {**os.environ, "GRADIENTD_REDIS_URL": f"rediss://:{SECRET}@h?ssl_cert_reqs=perhaps"}
    command = [sys.executable, "-m", part]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"python -m {part}: a setting cannot be used: GRADIENTD_REDIS_URL: the option ssl_cert_reqs must be "
        "required, or none to believe anybody, not 'perhaps'\n"
    )
