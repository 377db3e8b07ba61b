"""The stack under attack, as the harness holds it: starts it again when its supervisor dies, and leaves nothing."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import redis

from gradientd.local import parent_death
from gradientd.local.machine import claim_port
from store.keys import Keys
from tests.chaos.line import Line
from tests.disk import fill

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
LEASE_SECONDS = 3.0
WORKERS = 2
START_SECONDS = 180.0
FEW_BYTES = 512


class Stuck(Exception):
    """Something that had to happen did not."""


def until(condition: Callable[[], object], *, what: str, seconds: float) -> None:
    """Return once the condition holds. Raises Stuck naming `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Stuck(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)


class Complaints:
    """What was seen that must not be, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seen: list[str] = []

    def add(self, text: str) -> None:
        """Note it, and print it at once."""
        with self._lock:
            self.seen.append(text)
        print(f"  VIOLATION {text}", flush=True)


class Stack:
    """Use it as a context; start it on the main thread."""

    def __init__(self, folder: Path, *, mutation: str = "", small_disk: bool = False, **settings: str) -> None:
        self.folder = folder
        self._small_disk = small_disk
        self.keys = Keys("chaos")
        self.complaints = Complaints()
        self._line = Line(self._store_port)
        self._ports = [claim_port(LOOPBACK, 0) for _ in range(2)]
        self._http = httpx.Client(timeout=20, trust_env=False, limits=httpx.Limits(max_connections=64))
        self._up: subprocess.Popen[bytes] | None = None
        self._admin: tuple[str, redis.Redis] | None = None
        for name in ("armed", "fired", "data"):
            (folder / name).mkdir(exist_ok=True)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GRADIENTD_")},
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "CUDA_VISIBLE_DEVICES": "-1",
            "CHAOS_DIR": str(folder),
            "CHAOS_MUTATION": mutation,
            "CHAOS_LINE_PORT": str(self._line.port),
            "CHAOS_SECOND_PORT": str(self._ports[1]),
            "GRADIENTD_PORT": str(self._ports[0]),
            "GRADIENTD_NAMESPACE": self.keys.namespace,
            "GRADIENTD_DATA_DIR": str(folder / "data"),
            "GRADIENTD_DEVICE": "cpu",
            "GRADIENTD_LEASE_SECONDS": str(LEASE_SECONDS),
            "GRADIENTD_BEAT_SECONDS": "0.5",
            "GRADIENTD_UPKEEP_SECONDS": "0.5",
            "GRADIENTD_CHECKPOINT_SECONDS": "0.2",
            "GRADIENTD_STALL_SECONDS": "15",
            **{f"GRADIENTD_{name.upper()}": value for name, value in settings.items()},
        }

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()
        self._line.close()
        self._http.close()

    # --- running ----------------------------------------------------------------------------------

    @property
    def log(self) -> Path:
        """What all parts write."""
        return self.folder / "stack.log"

    def start(self) -> None:
        """Start the supervisor, tied to this process' life."""
        command = [sys.executable, "-P", "-m", "tests.chaos.up"]
        tie = [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), str(int(signal.SIGKILL))]
        with self.log.open("ab") as out:
            self._up = subprocess.Popen(
                [*tie, *command], env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def wait_ready(self) -> None:
        """Return once the store, both APIs and all workers are there."""
        until(self._is_ready, what="the stack to be ready", seconds=START_SECONDS)

    def _is_ready(self) -> bool:
        self.revive()
        answers = [self.ask("GET", "/readyz", api=n) for n in range(2)]
        if not all(answer is not None and answer.status_code == 200 for answer in answers):
            return False
        return len(self.workers()) >= WORKERS

    def revive(self) -> None:
        """Start the supervisor again if it has ended. On the main thread."""
        if self._up is None or self._up.poll() is not None:
            until(lambda: not self._survivors(), what="the old stack's end", seconds=30)
            self.start()

    def kill_supervisor(self, how: signal.Signals = signal.SIGKILL) -> bool:
        """End the supervisor, start another once nothing of the old one is left."""
        assert self._up
        self.thaw()
        self._up.send_signal(how)
        self._up.wait(60)
        self.revive()
        return True

    def kill_all(self) -> None:
        """Leave nothing: every process that carries this stack's folder in its environment."""
        if self._up and self._up.poll() is None:
            self._up.kill()
            self._up.wait(30)
        for process in self._survivors():
            with suppress(psutil.Error):
                process.kill()
        until(lambda: not self._survivors(), what="the stack's end", seconds=30)

    def _survivors(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("CHAOS_DIR") == str(self.folder) and process.pid != os.getpid():
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    found.append(process)
        return found

    # --- its processes ----------------------------------------------------------------------------

    def parts(self, kind: str) -> list[psutil.Process]:
        """The live processes of a kind: `valkey`, `api`, `worker` (Celery's main) or `trainer`."""
        if self._up is None or self._up.poll() is not None:
            return []
        found: list[psutil.Process] = []
        with suppress(psutil.Error):
            for process in psutil.Process(self._up.pid).children(recursive=True):
                with suppress(psutil.Error):
                    if _kind(process) == kind and process.status() != psutil.STATUS_ZOMBIE:
                        found.append(process)
        return found

    def any_part(self, kind: str, rng: random.Random) -> psutil.Process | None:
        """One of them."""
        found = self.parts(kind)
        return rng.choice(found) if found else None

    def api_at(self, api: int) -> psutil.Process | None:
        """The process of one of the two APIs."""
        for process in self.parts("api"):
            with suppress(psutil.Error):
                if process.environ().get("GRADIENTD_PORT") == str(self._ports[api]):
                    return process
        return None

    def checks(self) -> list[psutil.Process]:
        """The processes that check an upload now."""
        found: list[psutil.Process] = []
        for process in self._survivors():
            with suppress(psutil.Error):
                if "api.uploads.check" in process.cmdline():
                    found.append(process)
        return found

    def trainer_of(self, job_id: str) -> psutil.Process | None:
        """The process that trains a job, as the list of workers has it."""
        for worker in self.workers():
            if worker["job_id"] == job_id:
                with suppress(psutil.Error):
                    process = psutil.Process(worker["pid"])
                    return process if _kind(process) == "trainer" else None
        return None

    def thaw(self) -> None:
        """Let everything that was stopped go on."""
        for process in self._survivors():
            with suppress(psutil.Error):
                if process.status() == psutil.STATUS_STOPPED:
                    process.resume()

    # --- its disk -----------------------------------------------------------------------------------

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Meanwhile the data directory's disk has no room (ENOSPC).

        Where it is no disk of its own, nothing that the supervisor runs, or starts meanwhile, may write more than the
        first bytes of a file (EFBIG, or the end of a process that does not expect that).
        """
        if self._small_disk:
            filler = fill(self.folder / "data")
            try:
                yield
            finally:
                filler.unlink(missing_ok=True)
            return
        self._limit_files(FEW_BYTES)
        try:
            yield
        finally:
            self._limit_files(None)
            time.sleep(0.5)
            self._limit_files(None)  # of what was just being started

    def _limit_files(self, most_bytes: int | None) -> None:
        for process in self._survivors():
            with suppress(OSError, ValueError):
                _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
                soft = hard if most_bytes is None else most_bytes
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    # --- its store --------------------------------------------------------------------------------

    def _store_url(self) -> str:
        try:
            return (self.folder / "store").read_text()
        except OSError:
            return ""

    def _store_port(self) -> int:
        return urlsplit(self._store_url()).port or 0

    @property
    def admin(self) -> redis.Redis:
        """A connection that the line does not cut. For faults only: no verdict comes from here."""
        url = self._store_url()
        if self._admin is None or self._admin[0] != url:
            self._admin = (url, redis.Redis.from_url(url, decode_responses=True, socket_timeout=3))
        return self._admin[1]

    @property
    def store_url(self) -> str:
        """The store's address for clients: through the line."""
        real = urlsplit(self._store_url())
        return f"redis://:{real.password}@{LOOPBACK}:{self._line.port}/0"

    @property
    def line(self) -> Line:
        """The line to the store."""
        return self._line

    # --- points -----------------------------------------------------------------------------------

    def arm(self, point: str, verb: str, *words: str) -> str:
        """Have something happen at the next passage of a point. The token tells of it in `fired`."""
        token = uuid.uuid4().hex
        draft = self.folder / "armed" / f".{token}"
        draft.write_text(" ".join([verb, token, *words]))
        draft.replace(self.folder / "armed" / point)
        return token

    def disarm(self, point: str) -> None:
        """Have nothing happen there any more."""
        (self.folder / "armed" / point).unlink(missing_ok=True)

    def fired(self, token: str, *, seconds: float) -> tuple[int, str] | None:
        """Pid and job of whoever passed the point, or None when nobody did in time."""
        note = self.folder / "fired" / token
        with suppress(Stuck):
            until(note.exists, what="the point", seconds=seconds)
            pid, job_id = note.read_text().split()
            return int(pid), job_id
        return None

    # --- HTTP -------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, *, api: int | None = None, **options: Any) -> httpx.Response | None:
        """A request to one of the two APIs, or None when it could not be had. A 5xx but 503 is a violation."""
        port = self._ports[random.randrange(2) if api is None else api]
        try:
            answer = self._http.request(method, f"http://{LOOPBACK}:{port}{path}", **options)
        except httpx.TransportError:
            return None
        if answer.status_code >= 500 and answer.status_code != 503:
            self.complaints.add(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer

    def ask_until_answered(self, method: str, path: str, *, seconds: float = 60.0, **options: Any) -> httpx.Response:
        """The answer to a request that is sent until it has one, which is not that something is away (503)."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.ask(method, path, **options)
            if answer is not None and answer.status_code != 503:
                return answer
            if time.monotonic() > deadline:
                raise Stuck(f"{method} {path} was not answered in {seconds:.0f} s: {answer and answer.text}")
            time.sleep(0.1)

    def get(self, path: str, *, seconds: float = 60.0, **options: Any) -> Any:
        """The JSON behind a path, asked for until it is had; None for a 404."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.ask("GET", path, **options)
            if answer is not None and answer.status_code == 404:
                return None
            if answer is not None and answer.status_code == 200:
                return answer.json()
            if time.monotonic() > deadline:
                raise Stuck(f"GET {path} was not answered in {seconds:.0f} s: {answer and answer.text}")
            time.sleep(0.1)

    def workers(self) -> list[dict[str, Any]]:
        """Live workers, or none when nobody tells."""
        answer = self.ask("GET", "/v1/workers")
        return answer.json()["data"] if answer is not None and answer.status_code == 200 else []

    def submit(self, spec: dict[str, Any], *, key: str, seconds: float = 120.0) -> str:
        """Submit until it is accepted; the id."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.ask("POST", "/v1/jobs", json=spec, headers={"Idempotency-Key": key})
            if answer is not None and answer.status_code == 202:
                return answer.json()["id"]
            if answer is not None and answer.status_code != 503:
                raise Stuck(f"a submission was answered {answer.status_code}: {answer.text}")
            if time.monotonic() > deadline:
                raise Stuck(f"a submission was not accepted in {seconds:.0f} s")
            time.sleep(0.1)

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """All events of a job."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = self.get(f"/v1/jobs/{job_id}/events", params={"limit": 100, **after})
            found += page["data"]
            if not page["has_more"]:
                return found
            after = {"after": page["last_id"]}

    def artifact(self, job_id: str, name: str) -> bytes | None:
        """A file of the artifact store."""
        try:
            return (self.folder / "data" / "artifacts" / job_id / name).read_bytes()
        except OSError:
            return None


def _kind(process: psutil.Process) -> str:
    command = process.cmdline()
    if "tests.chaos.api_main" in command:
        return "api"
    if "tests.chaos.worker_main" in command:
        return "worker"
    if any("spawn_main" in word for word in command):
        return "trainer"
    # Valkey writes its address behind its name.
    return "valkey" if command and Path(command[0].partition(" ")[0]).name.endswith("-server") else ""


def digest_of(document: Any) -> str:
    """A document as one line, for messages."""
    return json.dumps(document, sort_keys=True)[:300]
