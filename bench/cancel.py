"""How soon a running job is cancelled."""

import random
import time
from typing import Any

from bench.figure import Figure, Spread, Target
from bench.options import Options
from bench.stack import Stack, running

NOTE = """\
cancel: from before POST …/cancel is sent until the bench has seen `cancelled` in the job's Redis stream, by a
blocking read. Jobs run, on the training set, for 50 to 500 ms before they are cancelled, so that the cancel meets
them anywhere: in a chunk, in an evaluation, between two epochs. No peer: Celery does not stop a running task but by
killing its process."""


def run(options: Options) -> list[Figure]:
    """Measure."""
    mlp: dict[str, Any] = {"dataset": options.dataset, "epochs": 10_000}
    cnn = {**mlp, "model": {"type": "cnn"}, "loss": "cross_entropy"}
    with running(options) as stack:
        moments = random.Random(0)
        many, some = (5, 2) if options.quick else (100, 30)
        factor = options.runs or 1
        latencies = {
            "MLP": _cancel(stack, mlp, many * factor, moments),
            "CNN": _cancel(stack, cnn, some * factor, moments),
        }
    return [line for name, spread in latencies.items() for line in _lines(name, spread)]


def _cancel(stack: Stack, spec: dict[str, Any], jobs: int, moments: random.Random) -> Spread:
    """Milliseconds of each cancel, after a first one that is dropped."""
    taken = [_one(stack, spec, moments.uniform(0.05, 0.5)) for _ in range(jobs + 1)]
    return Spread.of(taken[1:])


def _one(stack: Stack, spec: dict[str, Any], ran_seconds: float) -> float:
    job_id = stack.submit(**spec)
    stack.until_status(job_id, "running")
    time.sleep(ran_seconds)
    began = time.perf_counter()
    stack.cancel(job_id)
    return (stack.until_status(job_id, "cancelled") - began) * 1000


def _lines(name: str, spread: Spread) -> list[Figure]:
    p99 = Spread.of([spread.percentile(99)])
    return [
        Figure(f"cancel {name}, {len(spread.values)} jobs, median", "ms", spread),
        Figure(f"cancel {name}, p99", "ms", p99, target=Target("at most", 250)),
    ]
