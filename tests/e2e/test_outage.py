"""A store that is away for longer than a lease costs a running job time, and no attempt."""

import signal
from pathlib import Path

import psutil
import pytest

from gradientd import Client
from tests.conftest import wait_until
from tests.e2e.test_up import Up


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_job_goes_on_where_it_was(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    spec = {"dataset": "mnist-10k", "epochs": 400, "model": {"type": "softmax"}, "max_attempts": 1}
    try:
        (store,) = [part for part in psutil.Process(up.popen.pid).children() if "valkey" in part.name()]
        with Client(up.url) as client:
            job_id = client.submit(spec).id
            wait_until(lambda: client.get(job_id).progress.epoch > 3, what="some epochs", timeout_seconds=60)
            store.send_signal(signal.SIGSTOP)
            wait_until(lambda: "training_waits" in up.log.read_text(), what="the wait", timeout_seconds=60)
            store.send_signal(signal.SIGCONT)
            job = client.wait(job_id, timeout=120)
            logs = [event.data["message"] for event in client.history(job_id, limit=1000) if event.type == "log"]
    finally:
        up.close()
    assert (job.status, job.attempt) == ("succeeded", 1)
    (waited,) = [line for line in logs if line.startswith("waited ")]
    assert waited.endswith(" s for the store, which was away, and goes on")
