"""`gradientd up`, `train` and `demo` as a person runs them: the whole service out of one command."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from rich.console import Console

from gradientd.cli import demo
from jobs.settings import Settings
from tests.conftest import wait_until
from tests.disk import fill
from tests.e2e.conftest import LONG

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "gradientd"]
QUICK = {"GRADIENTD_LEASE_SECONDS": "3", "GRADIENTD_BEAT_SECONDS": "0.5", "GRADIENTD_UPKEEP_SECONDS": "0.2"}


class Up:
    """A running `gradientd up`."""

    def __init__(self, folder: Path, *, cwd: Path | None = None, **variables: str) -> None:
        self.log = folder.with_suffix(".log")
        with self.log.open("wb") as out:
            self.popen = subprocess.Popen(
                [*COMMAND, "up", "--port", "0", "--data-dir", str(folder)],
                cwd=cwd,
                env={**os.environ, **QUICK, **variables},
                stdout=out,
                stderr=out,
            )
        wait_until(lambda: self.popen.poll() is not None or self._address(), what="gradientd up", timeout_seconds=90)
        address = self._address()
        assert address, self.log.read_text()
        self.url = address[1]
        self.parts = psutil.Process(self.popen.pid).children(recursive=True)

    def _address(self) -> re.Match[str] | None:
        return re.search(r"gradientd is up at (http://[\d.:]+)", self.log.read_text())

    def gradientd(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command against it."""
        return subprocess.run(
            [*COMMAND, *arguments, "--url", self.url], capture_output=True, text=True, timeout=90, check=False
        )

    def job(self, job_id: str) -> dict[str, Any]:
        """A job as it is now."""
        return httpx.get(f"{self.url}/v1/jobs/{job_id}", trust_env=False).json()

    def submit(self) -> str | None:
        """Submit a small job; its id, or None where it is refused as it should be."""
        spec = {"epochs": 1, "model": {"type": "softmax"}}
        answer = httpx.post(f"{self.url}/v1/jobs", json=spec, timeout=30, trust_env=False)
        assert answer.status_code in {202, 503}, answer.text
        return answer.json()["id"] if answer.status_code == 202 else None

    def is_ready(self) -> bool:
        """Whether it takes jobs."""
        return httpx.get(f"{self.url}/readyz", timeout=30, trust_env=False).is_success

    def left(self) -> list[psutil.Process]:
        """Parts that still run."""
        return [part for part in self.parts if part.is_running() and part.status() != psutil.STATUS_ZOMBIE]

    def close(self) -> None:
        """End it, at once."""
        self.popen.kill()
        self.popen.wait(30)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[[], Up]]:
    """Start the service in the test's data directory."""
    started: list[Up] = []

    def up() -> Up:
        started.append(Up(tmp_path / "data"))
        return started[-1]

    yield up
    for each in started:
        each.close()


@pytest.mark.slow
def test_a_killed_stack_leaves_nothing_running_and_nothing_undone(up: Callable[[], Up]) -> None:
    first = up()
    job_id = first.gradientd("train", "--detach", *settings_of(LONG)).stdout.strip()
    wait_until(lambda: first.job(job_id)["phase"] == "training", what="training")
    assert len(first.parts) >= 4  # store, API, worker, trainer
    first.popen.kill()
    wait_until(lambda: not first.left(), what="the end of every part", timeout_seconds=15)

    second = up()
    wait_until(lambda: second.job(job_id)["attempt"] == 2, what="the job's second attempt")
    assert second.gradientd("cancel", job_id, "--wait").stdout == f"{job_id} cancelled\n"

    trained = second.gradientd("train", "--epochs", "2", "--json")
    assert trained.returncode == 0, trained.stderr
    documents = [json.loads(line) for line in trained.stdout.splitlines()]
    assert [document["data"]["epoch"] for document in documents if document.get("type") == "metric"] == [1, 2]
    assert documents[-1]["status"] == "succeeded"

    second.popen.send_signal(signal.SIGINT)
    assert second.popen.wait(30) == 0
    assert second.left() == []
    spoken = [line for line in second.log.read_text().splitlines() if line.startswith("worker-1 | ")]
    assert spoken
    assert [line for line in spoken if "event=" not in line and "Warm shutdown" not in line and line[11:].strip()] == []


@pytest.mark.slow
def test_the_demo_trains_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SPEC", {"epochs": 1})
    others = psutil.Process().children()
    settings = Settings(data_dir=tmp_path / "demo", port=0)
    with (tmp_path / "said").open("w") as said:
        assert demo.run(settings, keep=False, console=Console(file=said)) == 0
    assert re.search(r"test accuracy \d\d\.\d\d%", (tmp_path / "said").read_text())
    assert set(psutil.Process().children()) <= set(others)


@pytest.mark.slow
def test_a_folder_with_modules_of_ones_own_changes_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("jobs", "store", "worker", "api", "redis", "celery", "numpy", "tensorflow", "json", "celeryconfig"):
        (mine / f"{name}.py").write_text(f"open({str(mine / 'executed')!r}, 'a').write('{name}\\n')\n")
    # As the installed command runs: only `python -m` itself looks in the current directory.
    others = {
        "PYTHONPATH": str(ROOT),
        "PYTHONSAFEPATH": "1",
        "BROKER_URL": "redis://x/0",
        "CELERY_BROKER_URL": "x://",
        "APP": "jobs",
    }
    up = Up(tmp_path / "data", cwd=mine, **others, DJANGO_SETTINGS_MODULE="worker.settings")
    try:
        trained = up.gradientd("train", "--epochs", "1", "--json")
        assert trained.returncode == 0, trained.stderr + up.log.read_text()
        up.popen.send_signal(signal.SIGINT)
        assert up.popen.wait(30) == 0
    finally:
        up.close()
    assert {file.suffix for file in mine.iterdir()} == {".py"}, "something of the folder was executed"


@pytest.mark.slow
def test_a_full_disk_refuses_jobs_and_loses_none(small_disk: Path) -> None:
    up = Up(small_disk)
    try:
        accepted = [up.submit()]
        fill(small_disk)
        answers = [up.submit() for _ in range(200)]
        assert None in answers, "all were accepted with no room to keep them"
        accepted += answers[: answers.index(None)]
        wait_until(lambda: not up.is_ready(), what="the API to say that it is not ready")
        (small_disk / "filler").unlink()
        wait_until(up.is_ready, what="the stack to come back", timeout_seconds=60)
        for job_id in filter(None, [*accepted, *answers]):
            wait_until(lambda i=job_id: up.job(i)["status"] == "succeeded", what="a job's end", timeout_seconds=120)
        up.popen.send_signal(signal.SIGINT)
        assert up.popen.wait(30) == 0
        assert "Traceback" not in up.log.read_text()
    finally:
        up.close()


def settings_of(spec: dict[str, Any]) -> list[str]:
    """The spec as `--set` options."""
    return [word for name, value in spec.items() for word in ("--set", f"{name}={json.dumps(value)}")]
