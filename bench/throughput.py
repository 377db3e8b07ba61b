"""Requests per second that one API process answers, beside bare FastAPI routes."""

import json
import subprocess
import sys

import httpx

from bench.figure import Figure, Spread
from bench.options import Options
from bench.stack import HOST, ROOT, Broken, running
from gradientd.local.machine import claim_port

NOTE = """\
api: answers per second from one process, asked over 16 connections by a process of its own; store, API and asker
share the cores. GET reads a job that waits in the queue; the peer's route reads the same Redis hash and answers its
fields. POST submits a job with a validated body; the peer validates a body of four fields and sends three Redis
commands in one transaction. The store is synchronous on disk, for both, as `gradientd up` runs it.
A constant is the most that FastAPI answers."""

CONNECTIONS = 16
BODY = json.dumps({"model": {"type": "mlp", "hidden": [256, 128]}, "epochs": 3, "metadata": {"team": "bench"}})


def run(options: Options) -> list[Figure]:
    """Measure."""
    with running(options, worker=False) as stack:
        port = claim_port(HOST, 0)
        serve = ["uvicorn", "bench.peers.bare:api", "--port", str(port), "--no-access-log", "--loop", "uvloop"]
        stack.processes.start("bare", [sys.executable, "-m", *serve], {"BARE_REDIS_URL": stack.redis_url})
        stack.processes.wait_until(lambda: answers(port), what="the bare API")
        job_id = stack.submit(**json.loads(BODY))
        routes = {
            "get": (stack.port, "GET", f"/v1/jobs/{job_id}"),
            "bare get": (port, "GET", f"/jobs/{stack.keys.job(job_id)}"),
            "constant": (port, "GET", "/constant"),
            "post": (stack.port, "POST", "/v1/jobs", BODY),
            "bare post": (port, "POST", "/jobs", BODY),
        }
        taken: dict[str, list[float]] = {name: [] for name in routes}
        for _ in range(options.rounds(5)):
            for name, (at, *request) in routes.items():
                taken[name].append(ask(at, *request, seconds=0.5 if options.quick else 3))
    spreads = {name: Spread.of(values) for name, values in taken.items()}
    return [
        Figure("GET a job", "1/s", spreads["get"], "bare: HGETALL", spreads["bare get"], higher_is_better=True),
        Figure("GET a job", "1/s", spreads["get"], "bare: a constant", spreads["constant"], higher_is_better=True),
        Figure("POST a job", "1/s", spreads["post"], "bare: 3 commands", spreads["bare post"], higher_is_better=True),
    ]


def ask(port: int, *request: str, seconds: float) -> float:
    command = [sys.executable, "-m", "bench.load", HOST, str(port), str(seconds), str(CONNECTIONS), *request]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + 60)
    if done.returncode:
        raise Broken(f"{' '.join(request[:2])}: {done.stderr}")
    return float(done.stdout)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/constant", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
