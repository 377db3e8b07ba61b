"""A private gradientd: Valkey as `gradientd up` runs it, the API and a worker as processes, in a folder of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import redis

from bench import INHERITED
from bench.options import Options
from gradientd.local.machine import claim_port
from gradientd.local.valkey import EmbeddedStore
from jobs.api_keys import Scope, new_key, new_secret
from store.api_keys import KeyRing
from store.calls import run
from store.keys import Keys
from worker.datasets.memory import PACKAGED, packaged
from worker.datasets.mnist import DROPPED, obtain

ROOT = Path(__file__).parent.parent
START_SECONDS = 120.0
JOB_SECONDS = 600.0
QUICK_IMAGES = 1024
"""What the peers train on in a quick run."""
HOST = "127.0.0.1"


class Broken(Exception):
    """A process of the bench ended or did not become ready; the message says which and shows its last words."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a run keeps its files."""

    path: Path

    @property
    def arrays(self) -> Path:
        """The dataset as the peers load it: an uncompressed npz in Keras' layout."""
        return self.path / "arrays.npz"


@contextmanager
def folder(options: Options) -> Iterator[Folder]:
    """A folder with the dataset in it, for the service and for the peers."""
    with tempfile.TemporaryDirectory(prefix="gradientd-bench-") as name:
        made = Folder(Path(name))
        datasets = made.path / "datasets"
        datasets.mkdir()
        if options.mnist:
            shutil.copyfile(options.mnist, datasets / DROPPED)
        arrays = packaged(PACKAGED) if options.quick else obtain(datasets)
        if options.quick:
            arrays = {name: array[:QUICK_IMAGES] for name, array in arrays.items()}
        np.savez(made.arrays, allow_pickle=False, **arrays)
        yield made


@dataclass
class Processes:
    """Processes started together, each with its output in a file."""

    folder: Path
    started: list[tuple[str, subprocess.Popen[str], Path]] = field(default_factory=list)

    def start(
        self, name: str, command: list[str], environment: Mapping[str, str], *, talks: bool = False, fds: tuple = ()
    ) -> subprocess.Popen[str]:
        """Start one. With `talks` its standard input and output are pipes."""
        log = self.folder / f"{len(self.started)}-{name}.log"
        pipe = subprocess.PIPE if talks else None
        with log.open("w") as out:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**INHERITED, "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or out,
                stderr=out,
                text=True,
                pass_fds=fds,
            )
        self.started.append((name, process, log))
        return process

    def wait_until(self, condition: Callable[[], object], *, what: str, seconds: float = START_SECONDS) -> None:
        """Return once the condition holds. Raises Broken when it does not in time or a process ends before."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise Broken(f"waited {seconds:.0f} s in vain for {what}")
            time.sleep(0.01)

    def check(self) -> None:
        """Raises Broken if one has ended."""
        for name, process, log in self.started:
            if process.poll() is not None:
                words = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                raise Broken(f"{name} ended with {process.returncode}:\n{words}")

    def stop(self) -> None:
        """End all, the newest first."""
        for _, process, _ in reversed(self.started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Stack:
    """A running service, seen through HTTP and through its store."""

    def __init__(self, folder: Folder, processes: Processes, *, keyed: bool = False) -> None:
        self.folder = folder
        self.secret = new_secret() if keyed else ""
        """The API key to send, where the service asks for one."""
        self.processes = processes
        self._fd = os.open(os.devnull, os.O_RDONLY)
        self._valkey = EmbeddedStore(folder.path, port=claim_port(HOST, 0), lock_fd=self._fd)
        self.port = claim_port(HOST, 0)
        self.keys = Keys("bench")
        self.redis_url = self._valkey.url
        self.store = redis.Redis.from_url(self.redis_url, decode_responses=True)
        self.http = httpx.Client(base_url=f"http://{HOST}:{self.port}", timeout=30, trust_env=False)
        if keyed:
            self.http.headers["Authorization"] = f"Bearer {self.secret}"

    def start(self, *, worker: bool) -> None:
        """Start the store, the API and, if wanted, a worker, and wait until they are ready."""
        launch = self._valkey.launch()
        self.processes.start("valkey", list(launch.command), launch.environment, fds=launch.pass_fds)
        self.processes.wait_until(self._store_answers, what="the store")
        if self.secret:
            key = new_key(self.secret, owner="bench", scopes=frozenset({Scope.READ, Scope.SUBMIT}))
            run(self.store, KeyRing(self.keys).create(key))
        self.processes.start("api", [sys.executable, "-m", "api"], self._environment)
        self.processes.wait_until(self._api_is_ready, what="the API")
        if worker:
            self.start_worker({})

    def start_worker(self, environment: Mapping[str, str]) -> None:
        """Start a worker, with some settings of its own, and wait until it is ready."""
        self.processes.start("worker", [sys.executable, "-m", "worker"], {**self._environment, **environment})
        self.processes.wait_until(self._workers, what="the worker")

    def close(self) -> None:
        """Close connections. Processes are stopped by whoever started them."""
        self.http.close()
        self.store.close()
        os.close(self._fd)

    # --- jobs -------------------------------------------------------------------------------------

    def submit(self, **spec: Any) -> str:
        """Submit a job; its id."""
        answer = self.http.post("/v1/jobs", json=spec)
        if answer.status_code != 202:
            raise Broken(f"POST /v1/jobs answered {answer.status_code}: {answer.text}")
        return answer.json()["id"]

    def cancel(self, job_id: str) -> None:
        """Ask for a job's end."""
        self.http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()

    def until_status(self, job_id: str, status: str) -> float:
        """When, on `time.perf_counter`, the job was seen to have reached a status."""
        return self._until(job_id, lambda kind, data: kind == "status" and data["status"] == status)

    def until_first_epoch(self, job_id: str) -> float:
        """When, on `time.perf_counter`, the metrics of a first epoch were seen."""
        return self._until(job_id, lambda kind, _: kind == "metric")

    def epochs(self, job_id: str) -> list[dict[str, Any]]:
        """The metrics of each epoch, once the job has succeeded."""
        self.until_status(job_id, "succeeded")
        answer = self.http.get(f"/v1/jobs/{job_id}/events", params={"limit": 100})
        return [event["data"] for event in answer.json()["data"] if event["type"] == "metric"]

    def _until(self, job_id: str, wanted: Callable[[str, dict[str, Any]], bool]) -> float:
        def seen(row: dict[str, str]) -> bool:
            data = json.loads(row["data"])
            if wanted(row["type"], data):
                return True
            if row["type"] == "status" and data["status"] in {"succeeded", "failed", "cancelled"}:
                raise Broken(f"job {job_id} ended otherwise than expected: {data}")
            return False

        return watch(self.store, self.keys.events(job_id), seen)

    def renew_trainer(self) -> None:
        """End the worker's trainer process, and return once the next one is ready."""
        (worker,) = self._workers()
        os.kill(worker["pid"], signal.SIGTERM)
        self.processes.wait_until(lambda: self._pids() - {worker["pid"]}, what="the next trainer")

    def _pids(self) -> set[int]:
        return {worker["pid"] for worker in self._workers()}

    # --- readiness --------------------------------------------------------------------------------

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "GRADIENTD_REDIS_URL": self.redis_url,
            "GRADIENTD_NAMESPACE": self.keys.namespace,
            "GRADIENTD_DATA_DIR": str(self.folder.path),
            "GRADIENTD_PORT": str(self.port),
            "GRADIENTD_LOG_LEVEL": "warning",
            "GRADIENTD_AUTH": "required" if self.secret else "auto",
        }

    def _store_answers(self) -> bool:
        try:
            return bool(self.store.ping())
        except redis.ConnectionError:
            return False

    def _api_is_ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _workers(self) -> list[Any]:
        return self.http.get("/v1/workers").json()["data"]


def watch(store: "redis.Redis", stream: str, wanted: Callable[[dict[str, str]], bool]) -> float:
    """When, on `time.perf_counter`, a wanted entry was seen in a Redis stream.

    A blocking read sees an entry one local round trip after it was written, some 0.2 ms, and burdens nobody
    meanwhile, as a poll over HTTP would.
    """
    last = "0-0"
    deadline = time.monotonic() + JOB_SECONDS
    while time.monotonic() < deadline:
        answer: Any = store.xread({stream: last}, block=2000)
        now = time.perf_counter()
        for _, rows in answer:
            for entry, row in rows:
                last = entry
                if wanted(row):
                    return now
    raise Broken(f"waited {JOB_SECONDS:.0f} s in vain for an entry of {stream}")


@contextmanager
def running(options: Options, *, worker: bool = True, keyed: bool = False) -> Iterator[Stack]:
    """A started stack; peers may be started beside it through its `processes`."""
    with ExitStack() as exits:
        place = exits.enter_context(folder(options))
        processes = Processes(place.path)
        exits.callback(processes.stop)
        stack = Stack(place, processes, keyed=keyed)
        exits.callback(stack.close)
        stack.start(worker=worker)
        yield stack
