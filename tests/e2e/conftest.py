"""A real stack: Valkey, the API and workers as processes, seen through HTTP."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import free_port, wait_until

FINAL = {"succeeded", "failed", "cancelled"}


@dataclass
class Process:
    """A part of the stack and where its output goes."""

    popen: subprocess.Popen[bytes]
    log: Path

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Signal the process and wait for its end."""
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        self.popen.wait(30)


@dataclass
class Stack:
    """A running stack. `extra` settings reach every process."""

    redis_url: str
    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    http: httpx.Client = field(default_factory=httpx.Client)

    def __post_init__(self) -> None:
        self.namespace = f"t{uuid.uuid4().hex[:12]}"
        self.port = free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a part."""
        return {
            **os.environ,
            "GRADIENTD_REDIS_URL": self.redis_url,
            "GRADIENTD_NAMESPACE": self.namespace,
            "GRADIENTD_DATA_DIR": str(self.folder),
            "GRADIENTD_PORT": str(self.port),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **self.extra,
            **more,
        }

    def start(self, module: str, **more: str) -> Process:
        """Start `python -m module`."""
        log = self.folder / f"{module}-{len(self.processes)}.log"
        with log.open("wb") as out:
            popen = subprocess.Popen(
                [sys.executable, "-m", module], env=self.environment(**more), stdout=out, stderr=out
            )
        process = Process(popen, log)
        self.processes.append(process)
        return process

    def start_api(self) -> Process:
        """Start the API and wait until it is ready."""
        process = self.start("api")

        def ready() -> bool:
            try:
                return self.http.get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(ready, what="the API to be ready")
        return process

    def start_worker(self, name: str, **more: str) -> Process:
        """Start a worker and wait until it is listed."""
        process = self.start("worker", GRADIENTD_WORKER_NAME=name, **more)
        wait_until(lambda: name in self.workers(), what=f"worker {name}", timeout_seconds=60)
        return process

    def workers(self) -> dict[str, Any]:
        """Live workers by name."""
        return {worker["name"]: worker for worker in self.http.get("/v1/workers").json()["data"]}

    def submit(self, **spec: Any) -> str:
        """Submit a job; its id."""
        answer = self.http.post("/v1/jobs", json=spec)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def job(self, job_id: str) -> dict[str, Any]:
        """A job as it is now."""
        return self.http.get(f"/v1/jobs/{job_id}").json()

    def wait(self, job_id: str, *statuses: str, timeout_seconds: float = 60) -> dict[str, Any]:
        """The job once it has one of the statuses (by default, a final one)."""
        wanted = set(statuses) or FINAL
        wait_until(
            lambda: self.job(job_id)["status"] in wanted,
            what=f"{job_id} to be {wanted}",
            timeout_seconds=timeout_seconds,
        )
        return self.job(job_id)

    def events(self, job_id: str, kind: str) -> list[dict[str, Any]]:
        """All events of a kind."""
        found: list[dict[str, Any]] = []
        after = {}
        while True:
            page = self.http.get(f"/v1/jobs/{job_id}/events", params={"limit": 100, **after}).json()
            found += [event for event in page["data"] if event["type"] == kind]
            if not page["has_more"]:
                return found
            after = {"after": page["last_id"]}

    def close(self) -> None:
        """Stop all, the newest first."""
        for process in reversed(self.processes):
            process.stop(signal.SIGKILL)
        self.http.close()


@pytest.fixture
def make_stack(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Make stacks of one's own."""
    stacks: list[Stack] = []

    def make(**extra: str) -> Stack:
        folder = tmp_path / f"stack-{len(stacks)}"
        folder.mkdir()
        stacks.append(Stack(redis_url, folder, {f"GRADIENTD_{name.upper()}": value for name, value in extra.items()}))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.close()


@pytest.fixture(scope="session")
def stack(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with one worker, shared by tests that leave it as they found it."""
    stack = Stack(redis_url, tmp_path_factory.mktemp("stack"))
    try:
        stack.start_api()
        stack.start_worker("shared")
        yield stack
    finally:
        stack.close()


LONG = {"epochs": 10_000, "model": {"type": "softmax"}, "loss": "cross_entropy"}
"""A job that does not end by itself within a test."""
