"""Jobs whose training hangs for real: in a read of a named pipe that nobody ever writes to."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import wait_until
from tests.e2e.conftest import LONG, Stack

MakeStack = Callable[..., Stack]

pytestmark = pytest.mark.slow  # each waits for limits to pass, a minute in all


def resumed_into_a_hang(stack: Stack, **fields: Any) -> str:
    """A job that hangs: it was paused, and its checkpoint is now such a pipe."""
    job_id = stack.submit(**LONG, **fields)
    wait_until(lambda: stack.job(job_id)["progress"]["step"] > 0, what="training")
    stack.http.post(f"/v1/jobs/{job_id}/pause")
    paused = stack.wait(job_id, "paused")
    file = Path(stack.folder, "artifacts", job_id, paused["checkpoint"]["name"])
    file.rename(file.with_suffix(".kept"))
    os.mkfifo(file)
    stack.http.post(f"/v1/jobs/{job_id}/resume")
    wait_until(lambda: stack.job(job_id)["phase"] == "loading_data", what="the hang")
    return job_id


def mend(stack: Stack, job_id: str) -> None:
    """Put the checkpoint back."""
    (kept,) = Path(stack.folder, "artifacts", job_id).glob("*.kept")
    kept.replace(kept.with_suffix(".npz"))


def test_a_hang_is_ended_and_the_next_attempt_goes_on(make_stack: MakeStack) -> None:
    stack = make_stack(stall_seconds="2", upkeep_seconds="0.2")
    stack.start_api()
    worker = stack.start_worker("w")
    job_id = resumed_into_a_hang(stack)
    step = stack.job(job_id)["checkpoint"]["step"]
    mend(stack, job_id)
    wait_until(lambda: stack.job(job_id)["progress"]["step"] > step, what="the next attempt", timeout_seconds=60)
    job = stack.job(job_id)
    assert [t["reason"] for t in job["transitions"]].count("stalled") == 1
    assert (job["status"], job["attempt"]) == ("running", 3)
    assert worker.popen.poll() is None


def test_a_job_that_always_hangs_fails_in_the_end(make_stack: MakeStack) -> None:
    stack = make_stack(stall_seconds="1", upkeep_seconds="0.2")
    stack.start_api()
    stack.start_worker("w")
    job = stack.wait(resumed_into_a_hang(stack, max_attempts=2), timeout_seconds=90)
    assert (job["status"], job["status_reason"], job["error"]["code"]) == ("failed", "stalled", "stalled")
    assert "1 seconds" in job["error"]["detail"]
    assert stack.wait(stack.submit(epochs=1))["status"] == "succeeded"


def test_a_cancel_is_enforced_on_a_hang(make_stack: MakeStack) -> None:
    stack = make_stack(grace_seconds="1")
    stack.start_api()
    stack.start_worker("w")
    job_id = resumed_into_a_hang(stack)
    stack.http.post(f"/v1/jobs/{job_id}/cancel")
    assert stack.wait(job_id)["status"] == "cancelled"
    assert stack.wait(stack.submit(epochs=1))["status"] == "succeeded"


def test_a_worker_stops_in_time_although_its_job_hangs(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.start_api()
    worker = stack.start_worker("w")
    job_id = resumed_into_a_hang(stack)
    trainer = stack.workers()["w"]["pid"]
    worker.stop()
    assert not psutil.pid_exists(trainer)
    job = stack.job(job_id)
    assert (job["status"], job["status_reason"]) == ("queued", "worker_drained")


def test_a_frozen_trainer_is_killed_and_its_worker_goes_on(make_stack: MakeStack) -> None:
    stack = make_stack(lease_seconds="2", beat_seconds="0.4", upkeep_seconds="0.2")
    stack.start_api()
    stack.start_worker("w")
    job_id = stack.submit(**LONG)
    wait_until(lambda: stack.job(job_id)["progress"]["step"] > 0, what="training")
    trainer = stack.workers()["w"]["pid"]
    os.kill(trainer, signal.SIGSTOP)
    wait_until(lambda: stack.job(job_id)["attempt"] == 2, what="a second attempt", timeout_seconds=60)
    assert not psutil.pid_exists(trainer)
    wait_until(lambda: stack.job(job_id)["status"] == "running", what="it to run")
    assert stack.workers()["w"]["pid"] != trainer
