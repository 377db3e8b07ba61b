"""What becomes of jobs when workers come, stop and die."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis

from store.keys import Keys
from tests.conftest import wait_until
from tests.e2e.conftest import LONG, Stack

MakeStack = Callable[..., Stack]
BROKEN = Path(__file__).parent / "broken"
"""On PYTHONPATH, a `tensorflow` that cannot be imported."""
DEADLY = Path(__file__).parent / "deadly"
"""The same, one that kills whoever imports it."""


@pytest.mark.slow
def test_sigterm_gives_the_job_back_and_another_worker_goes_on(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.start_api()
    first = stack.start_worker("first")
    job_id = stack.submit(**LONG)
    wait_until(lambda: stack.job(job_id)["phase"] == "training", what="training")
    stack.start_worker("second")
    trainer = stack.workers()["first"]["pid"]
    first.stop()
    assert first.popen.returncode == 0, first.log.read_text()
    assert not psutil.pid_exists(trainer)
    wait_until(lambda: stack.job(job_id)["worker"] == "second", what="the second worker to take over")
    job = stack.job(job_id)
    assert (job["status"], job["attempt"]) == ("running", 2)
    assert [t["reason"] for t in job["transitions"]] == [None, None, "worker_drained", None]
    assert list(stack.workers()) == ["second"]


@pytest.mark.slow
def test_a_killed_worker_loses_its_job_to_another(make_stack: MakeStack) -> None:
    stack = make_stack(lease_seconds="2", beat_seconds="0.4", upkeep_seconds="0.2")
    stack.start_api()
    first = stack.start_worker("first")
    job_id = stack.submit(**LONG)
    wait_until(lambda: stack.job(job_id)["phase"] == "training", what="training")
    stack.start_worker("second")
    trainer = stack.workers()["first"]["pid"]
    first.stop(signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(trainer), what="the trainer to die with its main process")
    wait_until(lambda: stack.job(job_id)["worker"] == "second", what="the second worker to take over")
    assert "worker_lost" in [t["reason"] for t in stack.job(job_id)["transitions"]]


@pytest.mark.slow
def test_a_lost_bell_strands_no_job(make_stack: MakeStack, redis_url: str) -> None:
    stack = make_stack(upkeep_seconds="0.2")
    stack.start_api()
    job_id = stack.submit(epochs=1)
    keys = Keys(stack.namespace)
    with redis.Redis.from_url(redis_url) as client:
        wait_until(lambda: client.llen(keys.wake_queue("bells")), what="the bell")
        client.delete(keys.wake_queue("bells"))
    stack.start_worker("late")
    assert stack.wait(job_id)["status"] == "succeeded"


def test_a_worker_that_must_have_a_gpu_refuses_to_start_without(make_stack: MakeStack) -> None:
    process = make_stack(device="gpu").start("worker", CUDA_VISIBLE_DEVICES="")
    assert process.popen.wait(30) == 2
    assert "no NVIDIA card" in process.log.read_text()


@pytest.mark.slow
def test_a_worker_whose_trainer_cannot_start_ends(make_stack: MakeStack) -> None:
    process = make_stack().start("worker", PYTHONPATH=str(BROKEN))
    process.popen.wait(60)
    assert "trainer_not_started" in process.log.read_text()


@pytest.mark.slow
def test_a_worker_whose_trainers_die_before_they_are_ready_ends_and_says_so(make_stack: MakeStack) -> None:
    process = make_stack().start("worker", PYTHONPATH=str(DEADLY))
    assert process.popen.wait(60) == 1
    said = process.log.read_text()
    assert said.count("signal 4") == 3, said
    assert "event=trainer_never_ready starts=3" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_two_stacks_on_one_server_do_not_meet(make_stack: MakeStack) -> None:
    one, other = make_stack(), make_stack()
    for stack in (one, other):
        stack.start_api()
    one.start_worker("one")
    job_id = other.submit(epochs=1)
    assert one.http.get(f"/v1/jobs/{job_id}").status_code == 404
    assert other.workers() == {}
    assert one.wait(one.submit(epochs=1))["status"] == "succeeded"
    assert other.job(job_id)["status"] == "queued"


@pytest.mark.slow
def test_a_killed_job_ends_in_the_same_bits(make_stack: MakeStack) -> None:
    stack = make_stack(lease_seconds="2", beat_seconds="0.4", upkeep_seconds="0.2", checkpoint_seconds="0.2")
    stack.start_api()
    first = stack.start_worker("first")
    spec = {
        "epochs": 60,
        "model": {"type": "mlp", "hidden": [32]},
        "optimizer": {"type": "adam"},
        "loss": "cross_entropy",
    }
    killed = stack.submit(**spec)
    wait_until(lambda: stack.events(killed, "checkpoint"), what="a checkpoint")
    first.stop(signal.SIGKILL)
    stack.start_worker("second")
    after = stack.wait(killed)
    whole = stack.wait(stack.submit(**spec))
    assert (after["attempt"], whole["attempt"]) == (2, 1)
    assert after["artifacts"][0] == whole["artifacts"][0]  # the weights
    series = [[bits(event["data"]) for event in stack.events(job["id"], "metric")] for job in (after, whole)]
    assert series[0] == series[1]
    assert [metrics["epoch"] for metrics in series[0]] == list(range(1, 61))


def bits(metrics: dict[str, float]) -> dict[str, float]:
    """What must not depend on when and where an epoch ran."""
    return {name: value for name, value in metrics.items() if name not in {"seconds", "examples_per_second"}}


@pytest.mark.slow
def test_a_paused_job_goes_on_from_its_step(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.start_api()
    stack.start_worker("only")
    job_id = stack.submit(**LONG)
    wait_until(lambda: stack.job(job_id)["phase"] == "training", what="training")
    assert stack.http.post(f"/v1/jobs/{job_id}/pause").status_code == 202
    paused = stack.wait(job_id, "paused")
    step = paused["checkpoint"]["step"]
    assert step > 0
    assert stack.http.post(f"/v1/jobs/{job_id}/pause").status_code == 200
    assert stack.http.post(f"/v1/jobs/{job_id}/resume").status_code in {200, 202}
    wait_until(lambda: stack.job(job_id)["progress"]["step"] > step, what="training to go on")
    stack.http.post(f"/v1/jobs/{job_id}/cancel")
    stack.wait(job_id)
    assert stack.http.post(f"/v1/jobs/{job_id}/pause").status_code == 409


@pytest.mark.slow
def test_a_job_whose_dataset_does_not_come_is_cancelled_at_once(make_stack: MakeStack) -> None:
    stack = make_stack()
    (stack.folder / "datasets").mkdir()
    os.mkfifo(stack.folder / "datasets" / "mnist.npz")  # reading it waits for a writer who never comes
    stack.start_api()
    stack.start_worker("w")
    trainer = stack.workers()["w"]["pid"]
    job_id = stack.submit(dataset="mnist")
    wait_until(lambda: stack.job(job_id)["phase"] == "loading_data", what="loading")
    stack.http.post(f"/v1/jobs/{job_id}/cancel")
    assert stack.wait(job_id, timeout_seconds=10)["status"] == "cancelled"
    assert stack.wait(stack.submit(epochs=1))["status"] == "succeeded"
    assert stack.workers()["w"]["pid"] == trainer


@pytest.mark.slow
@pytest.mark.parametrize(("limit_mb", "trainers"), [("256", 2), ("8192", 1)])
def test_a_trainer_that_holds_much_is_replaced_between_jobs(
    make_stack: MakeStack, limit_mb: str, trainers: int
) -> None:
    stack = make_stack(recycle_above_mb=limit_mb)
    stack.start_api()
    stack.start_worker("worker")
    pids: set[int] = set()
    for _ in range(2):
        job_id = stack.submit(epochs=1)
        wait_until(lambda job_id=job_id: stack.job(job_id)["status"] == "succeeded", what="the job's end")
        pids.add(stack.workers()["worker"]["pid"])
        if trainers > 1:
            wait_until(lambda: {w["pid"] for w in stack.workers().values()} - pids, what="another trainer")
    assert len(pids) == trainers
