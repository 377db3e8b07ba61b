"""What becomes of jobs when workers come, stop and die."""

import signal
from collections.abc import Callable

import psutil
import redis

from jobs.keys import Keys
from tests.conftest import wait_until
from tests.e2e.conftest import LONG, Stack

MakeStack = Callable[..., Stack]


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


def test_a_lost_bell_strands_no_job(make_stack: MakeStack, redis_url: str) -> None:
    stack = make_stack(upkeep_seconds="0.2")
    stack.start_api()
    job_id = stack.submit(epochs=1)
    keys = Keys(stack.namespace)
    with redis.Redis.from_url(redis_url) as client:
        wait_until(lambda: client.llen(keys.bells("bells")), what="the bell")
        client.delete(keys.bells("bells"))
    stack.start_worker("late")
    assert stack.wait(job_id)["status"] == "succeeded"


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
