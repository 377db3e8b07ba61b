"""How soon a submitted job runs, and shows its first epoch's metrics, beside Celery with Keras `fit`."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from bench.figure import Figure, Spread, Target
from bench.options import Options
from bench.stack import HOST, Stack, running, watch
from gradientd.local.machine import claim_port

NOTE = """\
latency: from before POST is sent until the bench, which reads the job's Redis stream with a blocking read, has seen
the entry (some 0.2 ms after it was written). Running: one job after the other on an idle, warm worker. First epoch:
the MLP on the training set; 'new program' is one that the worker has not traced yet (a label smoothing of its own),
'known program' one that it has; 'program of another process' one that a trainer compiled which has ended since, beside
a new one, both with XLA asked for. Peer: a FastAPI route that sends a Celery task, which calls Keras `fit`, on the same
store; its worker is warm (Keras imported, data in memory), its 'running' is the task's first line, its first epoch a
Keras callback. Its model is built and traced anew in each task, as such a task does."""

PEER = "Celery + Keras fit"

SETTLE_SECONDS = 0.5
"""For a trainer to keep what it compiled, after its job has ended."""


@dataclass(frozen=True, slots=True)
class FitService:
    """The peer, started."""

    stack: Stack
    http: httpx.Client

    def submit(self, *, train: bool) -> str:
        """Send a task; its id."""
        answer = self.http.post("/jobs", json={"train": train, "epochs": 1})
        answer.raise_for_status()
        return answer.json()["id"]

    def until(self, job_id: str, event: str) -> float:
        """When the task was seen to have come there."""
        return watch(self.stack.store, f"fit:{job_id}", lambda row: row["event"] == event)


def run(options: Options) -> list[Figure]:
    """Measure."""
    with running(options) as stack:
        fit = _start_fit(stack)
        our_running, fit_running = _running(stack, fit, jobs=options.rounds(5) * (5 if options.quick else 40))
        new, known, fit_epoch = _first_epochs(stack, fit, options)
        compiled, inherited = _first_epochs_over_processes(stack, options)
        fit.http.close()
    return [
        Figure("POST → running, median", "ms", our_running, PEER, fit_running, target=Target("at most", 25)),
        Figure(
            "POST → running, p99",
            "ms",
            Spread.of([our_running.percentile(99)]),
            PEER,
            Spread.of([fit_running.percentile(99)]),
            target=Target("at most", 100),
        ),
        Figure("POST → first epoch, new program", "s", new, PEER, fit_epoch, target=Target("at most", 1.2)),
        Figure("POST → first epoch, known program", "s", known, PEER, fit_epoch, target=Target("at most", 1.2)),
        Figure(
            "POST → first epoch, program of another process",
            "s",
            inherited,
            "new program with XLA",
            compiled,
            target=Target("ratio at least", 1.25),
        ),
    ]


def _start_fit(stack: Stack) -> FitService:
    port = claim_port(HOST, 0)
    environment = {"FIT_REDIS_URL": stack.redis_url, "FIT_ARRAYS": str(stack.folder.arrays)}
    python = [sys.executable, "-m"]
    serve = ["uvicorn", "bench.peers.celery_fit:api", "--port", str(port), "--no-access-log"]
    work = ["celery", "-A", "bench.peers.celery_fit", "worker", "--loglevel", "warning"]
    stack.processes.start("fit-api", [*python, *serve], environment)
    stack.processes.start("fit-worker", [*python, *work], environment)
    http = httpx.Client(base_url=f"http://{HOST}:{port}", timeout=30, trust_env=False)
    fit = FitService(stack, http)

    def answers() -> bool:
        try:
            return http.get("/docs").status_code == 200
        except httpx.TransportError:
            return False

    stack.processes.wait_until(answers, what="the peer's API")
    fit.until(fit.submit(train=True), "done")
    return fit


def _running(stack: Stack, fit: FitService, *, jobs: int) -> tuple[Spread, Spread]:
    """Milliseconds from POST to running, ours and the peer's in turn, each begun when the last was over."""

    def ours() -> float:
        began = time.perf_counter()
        job_id = stack.submit(dataset="mnist-10k", model={"type": "softmax"}, loss="cross_entropy", epochs=1)
        seen = stack.until_status(job_id, "running")
        stack.until_status(job_id, "succeeded")
        return seen - began

    def theirs() -> float:
        began = time.perf_counter()
        task_id = fit.submit(train=False)
        seen = fit.until(task_id, "running")
        fit.until(task_id, "done")
        return seen - began

    return _in_turn(ours, theirs, rounds=jobs, factor=1000)


def _first_epochs(stack: Stack, fit: FitService, options: Options) -> tuple[Spread, Spread, Spread]:
    """Seconds from POST to the first epoch's metrics: new program, known program, peer, in turn."""
    smoothings = iter(range(1, 1000))

    def ours(smoothing: float) -> float:
        return _first_epoch(stack, dataset=options.dataset, label_smoothing=smoothing)

    def theirs() -> float:
        began = time.perf_counter()
        task_id = fit.submit(train=True)
        seen = fit.until(task_id, "epoch")
        fit.until(task_id, "done")
        return seen - began

    ours(0.0)
    taken = [(ours(next(smoothings) / 10_000), ours(0.0), theirs()) for _ in range(options.rounds(7))]
    new, known, fits = zip(*taken, strict=True)
    return Spread.of(new), Spread.of(known), Spread.of(fits)


def _first_epochs_over_processes(stack: Stack, options: Options) -> tuple[Spread, Spread]:
    """Seconds from POST to the first epoch's metrics with XLA: of a new program, then of it in the next process."""
    taken: list[tuple[float, float]] = []
    for number in range(options.rounds(5)):
        spec = {"dataset": options.dataset, "label_smoothing": 0.2 + number / 10_000, "execution": "xla"}
        # The worker's process is new in each round; its first job also loads the data.
        _first_epoch(stack, dataset=options.dataset)
        new = _first_epoch(stack, **spec)
        time.sleep(SETTLE_SECONDS)
        stack.renew_trainer()
        _first_epoch(stack, dataset=options.dataset)
        taken.append((new, _first_epoch(stack, **spec)))
    new, inherited = zip(*taken, strict=True)
    return Spread.of(new), Spread.of(inherited)


def _first_epoch(stack: Stack, **spec: Any) -> float:
    """Seconds from POST to the metrics of a job's only epoch; waits for its end."""
    began = time.perf_counter()
    job_id = stack.submit(**spec, epochs=1)
    seen = stack.until_first_epoch(job_id)
    stack.until_status(job_id, "succeeded")
    return seen - began


def _in_turn(
    ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int, factor: float
) -> tuple[Spread, Spread]:
    ours()
    theirs()
    taken = [(ours() * factor, theirs() * factor) for _ in range(rounds)]
    mine, peers = zip(*taken, strict=True)
    return Spread.of(mine), Spread.of(peers)
