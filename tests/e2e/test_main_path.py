"""From a submission over HTTP to a trained network, through real processes."""

import hashlib
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import wait_until
from tests.e2e.conftest import FINAL, LONG, Stack


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_an_empty_spec_trains_the_textbook_network(stack: Stack) -> None:
    job = stack.wait(stack.submit())
    assert (job["status"], job["status_reason"], job["attempt"]) == ("succeeded", "completed", 1)
    assert job["metrics"]["test_accuracy"] > 0.85
    assert job["run"]["execution"] == "xla"
    assert job["run"]["device"] == "/device:CPU:0"
    assert set(job["run"]["variables"].values()) == {"/device:CPU:0"}
    assert job["progress"]["percent"] == 100
    assert [event["data"]["epoch"] for event in stack.events(job["id"], "metric")] == list(range(1, 11))
    weights = next(artifact for artifact in job["artifacts"] if artifact["name"] == "weights.npz")
    content = (stack.folder / "artifacts" / job["id"] / "weights.npz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == weights["sha256"]


def test_the_same_spec_gives_the_same_bits(stack: Stack) -> None:
    jobs = [stack.wait(stack.submit(epochs=1, seed=7, model={"type": "mlp", "hidden": [16]})) for _ in range(2)]
    weights = [artifact for job in jobs for artifact in job["artifacts"] if artifact["name"] == "weights.npz"]
    assert len({artifact["sha256"] for artifact in weights}) == 1


def test_a_running_job_stops_soon_after_it_is_cancelled(stack: Stack) -> None:
    job_id = stack.submit(**LONG)
    wait_until(lambda: stack.job(job_id)["phase"] == "training", what="training")
    began = time.monotonic()
    answer = stack.http.post(f"/v1/jobs/{job_id}/cancel")
    assert answer.status_code == 202
    job = stack.wait(job_id)
    assert (job["status"], job["status_reason"]) == ("cancelled", "user_requested")
    # Not a benchmark: only that it does not wait for the next beat (3 s).
    assert time.monotonic() - began < 2.5


def test_a_loss_that_turns_non_finite_fails_at_its_step(stack: Stack) -> None:
    job = stack.wait(stack.submit(optimizer={"type": "sgd", "learning_rate": 1e9}))
    assert (job["status"], job["status_reason"]) == ("failed", "non_finite_loss")
    assert 0 < job["error"]["step"] < 20
    assert str(job["error"]["step"]) in job["error"]["detail"]


def test_a_job_that_takes_too_long_fails_with_that_reason(stack: Stack) -> None:
    job = stack.wait(stack.submit(**LONG, max_runtime_seconds=1))
    assert (job["status"], job["status_reason"]) == ("failed", "deadline_exceeded")


@pytest.mark.slow
def test_what_a_job_tells_of_its_time_can_be_believed(stack: Stack) -> None:
    job_id = stack.submit(model={"type": "cnn"}, epochs=6)
    seen: list[dict[str, Any]] = []

    def ended() -> bool:
        seen.append(stack.job(job_id))
        return seen[-1]["status"] in FINAL

    wait_until(ended, what="the end", timeout_seconds=120)
    assert (seen[-1]["status"], seen[-1]["progress"]["estimated_finish_at"]) == ("succeeded", None)
    running = [job for job in seen if job["status"] == "running"]
    shares = [job["progress"]["percent"] for job in running]
    assert shares == sorted(shares)
    assert all(job["responding"] for job in running)
    told = [job for job in running if job["progress"]["estimated_finish_at"]]
    # Once told it stays told, while the model is tested and exported too.
    assert running[-len(told) :] == told
    assert told[-1]["phase"] == "exporting"
    # Not a benchmark: only that it is no other kind of number.
    half = next(job for job in told if job["progress"]["percent"] >= 50)
    rest = instant(seen[-1]["finished_at"]) - instant(half["last_heartbeat_at"])
    error = abs(instant(half["progress"]["estimated_finish_at"]) - instant(seen[-1]["finished_at"]))
    assert error < 2 * rest + timedelta(seconds=1)


@pytest.mark.slow
def test_a_jobs_log_tells_of_it_from_its_claim_to_its_files(stack: Stack) -> None:
    job = stack.wait(stack.submit(epochs=1, execution="xla"))
    lines = [event["data"]["message"] for event in stack.events(job["id"], "log")]
    assert {event["data"]["level"] for event in stack.events(job["id"], "log")} == {"info"}
    begun = (
        f"claimed by {job['worker']}, attempt 1: ",
        "mnist-10k is loaded in ",
        "compiled by XLA ",
        "kept best-1-",
        "wrote ",
    )
    assert [line[: len(start)] for line, start in zip(lines, begun, strict=True)] == list(begun)


def test_a_failed_jobs_log_says_why_and_what_to_do(stack: Stack) -> None:
    job = stack.wait(stack.submit(optimizer={"type": "sgd", "learning_rate": 1e9}))
    last = stack.events(job["id"], "log")[-1]["data"]
    assert last["level"] == "error"
    assert job["error"]["detail"] in last["message"]
    assert "a lower learning rate usually helps" in last["message"]


def test_early_stopping_is_success_with_a_reason(stack: Stack) -> None:
    spec = {
        "epochs": 50,
        "validation_split": 0.1,
        "model": {"type": "softmax"},
        "loss": "cross_entropy",
        "early_stopping": {"monitor": "val_loss", "patience": 1, "min_delta": 1.0},
    }
    job = stack.wait(stack.submit(**spec))
    assert (job["status"], job["status_reason"]) == ("succeeded", "early_stopped")
    assert job["metrics"]["latest"]["epoch"] < 50


def test_a_queued_job_is_cancelled_at_once(stack: Stack) -> None:
    blocker = stack.submit(**LONG)
    stack.wait(blocker, "running")
    queued = stack.submit()
    assert stack.job(queued)["queue_position"] == 0
    answer = stack.http.post(f"/v1/jobs/{queued}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    stack.http.post(f"/v1/jobs/{blocker}/cancel")
    stack.wait(blocker)


def test_only_the_trainer_process_has_tensorflow(stack: Stack) -> None:
    trainer = stack.workers()["shared"]["pid"]
    main = psutil.Process(trainer).ppid()
    assert "libtensorflow" in Path(f"/proc/{trainer}/maps").read_text()
    assert "libtensorflow" not in Path(f"/proc/{main}/maps").read_text()
