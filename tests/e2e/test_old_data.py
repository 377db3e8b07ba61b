"""A data directory of an older version: all of it reads as before, its jobs go on, to the same bits."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.conftest import free_port, wait_until
from tests.e2e.conftest import FINAL

RENAMED = {"images_per_second": "examples_per_second", "train_images": "train_examples", "test_images": "test_examples"}
"""What answers of older versions call otherwise."""

ERRORS = ("mae", "rmse", "r2")
ADDED = {
    *("skipped_steps", "rounding", "choices", "score", "class_weights", "export", "webhook", "estimated_start_at"),
    *("freeze", "init_from", "reinitialize", "initial_weights", "non_trainable_parameters"),
    *(f"{part}{name}" for part in ("", "val_", "test_") for name in ERRORS),
    *(f"test_{name}" for name in ("precision", "recall", "f1")),
}
"""What older versions did not tell."""

FIXTURES = Path(__file__).parents[1] / "old_data"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Site:
    """A running stack on the old data."""

    def __init__(self, url: str, facts: dict[str, Any], data: Path) -> None:
        self.url, self.facts, self.data = url, facts, data

    def get(self, path: str, *, key: str = "admin") -> httpx.Response:
        secret = self.facts["keys"][key]["secret"]
        return httpx.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {secret}"}, timeout=30)

    def post(self, path: str, *, key: str) -> httpx.Response:
        secret = self.facts["keys"][key]["secret"]
        return httpx.post(f"{self.url}{path}", headers={"Authorization": f"Bearer {secret}"}, timeout=30)

    def ended(self, name: str) -> dict[str, Any]:
        """The job of this name once it is final."""
        path = f"/v1/jobs/{self.facts['jobs'][name]}"
        wait_until(lambda: self.get(path).json()["status"] in FINAL, what=f"{name} to end", timeout_seconds=120)
        return self.get(path).json()


@contextmanager
def running(fixture: Path, folder: Path) -> Iterator[Site]:
    with tarfile.open(fixture / "data.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    facts = json.loads(current_names((fixture / "facts.json").read_text()))
    port, data = free_port(), folder / "data"
    command = [sys.executable, "-m", "gradientd", "up", "--port", str(port), "--data-dir", str(data)]
    with (folder / "up.log").open("wb") as log:
        stack = subprocess.Popen(command, env={**os.environ, **facts["environment"]}, stdout=log, stderr=log)
    site = Site(f"http://127.0.0.1:{port}", facts, data)
    try:
        up = partial(_is_up, folder / "up.log")
        wait_until(lambda: stack.poll() is not None or up(), what="gradientd up", timeout_seconds=120)
        assert up(), (folder / "up.log").read_text()
        yield site
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.wait(60)


def current_names(answers: str) -> str:
    for old, new in RENAMED.items():
        answers = answers.replace(old, new)
    return answers


def without_added(told: Any) -> Any:
    """An answer as an older version gave it."""
    if isinstance(told, dict):
        return {name: without_added(value) for name, value in told.items() if name not in ADDED}
    if isinstance(told, list):
        return [without_added(value) for value in told if not (isinstance(value, str) and value in ADDED)]
    return told


def _is_up(log: Path) -> bool:
    return "gradientd is up at" in log.read_text()


def settled(facts: dict[str, Any]) -> set[str]:
    """Ids of the jobs that nothing changes by itself."""
    return {job_id for name, job_id in facts["jobs"].items() if name not in {"running", "queued", "queued_of_bob"}}


def only(body: dict[str, Any], ids: set[str]) -> dict[str, Any]:
    """The answer, a list's without the jobs that go on meanwhile, with what older versions did not tell."""
    body = {name: value for name, value in body.items() if name != "unreadable"}
    if body.get("object") == "training.job":
        return job_as_before(body)
    if body.get("object") == "list" and body["data"] and "at" in body["data"][0]:
        # Older versions told the end by its status alone.
        events = [{**event, "object": "training.event"} for event in body["data"] if event["type"] != "done"]
        return {**body, "object": "list", "data": events, "last_id": events[-1]["id"]}
    if body.get("object") != "list" or not body["data"] or "spec" not in body["data"][0]:
        return body
    return {"data": [job_as_before(job) for job in body["data"] if job["id"] in ids]}


def job_as_before(job: dict[str, Any]) -> dict[str, Any]:
    """A job as all versions tell it. Older ones told when one that no longer runs should have been done."""
    progress = {name: value for name, value in job["progress"].items() if name != "estimated_finish_at"}
    return {"transitions_omitted": 0, **job, "progress": progress}


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("*/")), ids=lambda fixture: fixture.name)
def test_old_data_reads_as_before_and_goes_on_to_the_same_bits(fixture: Path, tmp_path: Path) -> None:
    with running(fixture, tmp_path) as site:
        facts, ids = site.facts, settled(site.facts)
        for told in facts["answers"]:
            if "/job_" in told["path"] and told["path"].split("/")[3] not in ids:
                continue
            answer = site.get(told["path"], key=told["key"])
            assert answer.status_code == told["status"], told["path"]
            if answer.is_success:
                assert only(without_added(answer.json()), ids) == only(told["body"], ids), told["path"]
            else:
                assert answer.json()["code"] == told["body"]["code"]

        for name in ("running", "queued", "queued_of_bob"):
            assert site.ended(name)["status"] == "succeeded"

        paused = facts["jobs"]["paused"]
        assert site.post(f"/v1/jobs/{paused}/resume", key="alice").is_success
        job = site.ended("paused")
        assert job["status"] == "succeeded"
        assert job["attempt"] == 2
        before, now = facts["paused_ends"]["run"], job["run"]
        weights = (site.data / "artifacts" / paused / "weights.npz").read_bytes()
        if all(before[name] == now[name] for name in ("device_name", "threads", "tensorflow", "execution")):
            assert job["artifacts"][0]["sha256"] == facts["paused_ends"]["sha256"]
        else:  # another processor or TensorFlow adds in another order
            expected, found = np.load(fixture / "weights.npz"), np.load(io.BytesIO(weights))
            assert expected.files == found.files
            for name in expected.files:
                np.testing.assert_allclose(found[name], expected[name], atol=1e-3)
