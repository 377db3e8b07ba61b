"""Requests per second that one API process answers, beside bare FastAPI routes."""

import json
import os
import subprocess
import sys

import httpx

from bench.figure import Figure, Spread, Target
from bench.options import Options
from bench.stack import HOST, ROOT, Broken, running
from gradientd.local.machine import claim_port

NOTE = """\
api: answers per second from one process, asked over 16 connections by a process of its own; store, API and asker
share the cores. Ours asks for an API key, which it looks up in the store, and counts each request; the peers ask for
none. GET reads a job that waits in the queue; the peers' routes answer the very same bytes, kept in Redis as a string,
and the fields of the same Redis hash. POST submits a job with a validated body; the peer validates a body of four
fields and sends three Redis commands in one transaction. The store is synchronous on disk, for both, as `gradientd up`
runs it. A constant is the most that FastAPI answers."""

CONNECTIONS = 16
BODY = json.dumps({"model": {"type": "mlp", "hidden": [256, 128]}, "epochs": 3, "metadata": {"team": "bench"}})


def run(options: Options) -> list[Figure]:
    """Measure."""
    with running(options, worker=False, keyed=True) as stack:
        port = claim_port(HOST, 0)
        serve = ["uvicorn", "bench.peers.bare:api", "--port", str(port), "--no-access-log", "--loop", "uvloop"]
        stack.processes.start("bare", [sys.executable, "-m", *serve], {"BARE_REDIS_URL": stack.redis_url})
        stack.processes.wait_until(lambda: answers(port), what="the bare API")
        job_id = stack.submit(**json.loads(BODY))
        stack.store.set("bare:job", stack.http.get(f"/v1/jobs/{job_id}").content)
        routes = {
            "get": (stack.port, "GET", f"/v1/jobs/{job_id}"),
            "bare get": (port, "GET", "/bytes/bare:job"),
            "bare hash": (port, "GET", f"/jobs/{stack.keys.job(job_id)}"),
            "constant": (port, "GET", "/constant"),
            "post": (stack.port, "POST", "/v1/jobs", BODY),
            "bare post": (port, "POST", "/jobs", BODY),
        }
        taken: dict[str, list[float]] = {name: [] for name in routes}
        for _ in range(options.rounds(5)):
            for name, (at, *request) in routes.items():
                taken[name].append(ask(at, *request, seconds=0.5 if options.quick else 3, secret=stack.secret))
    spreads = {name: Spread.of(values) for name, values in taken.items()}
    enough = Target("ratio at least", 0.7)
    return [
        Figure(
            "GET a job",
            "1/s",
            spreads["get"],
            "bare: its bytes",
            spreads["bare get"],
            higher_is_better=True,
            target=enough,
        ),
        Figure("GET a job", "1/s", spreads["get"], "bare: HGETALL", spreads["bare hash"], higher_is_better=True),
        Figure("GET a job", "1/s", spreads["get"], "bare: a constant", spreads["constant"], higher_is_better=True),
        Figure(
            "POST a job",
            "1/s",
            spreads["post"],
            "bare: 3 commands",
            spreads["bare post"],
            higher_is_better=True,
            target=enough,
        ),
    ]


def ask(port: int, *request: str, seconds: float, secret: str = "") -> float:
    """Answers per second, to requests with this API key."""
    command = [sys.executable, "-m", "bench.load", HOST, str(port), str(seconds), str(CONNECTIONS), *request]
    environment = {**os.environ, "BENCH_API_KEY": secret}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + 60, env=environment
    )
    if done.returncode:
        raise Broken(f"{' '.join(request[:2])}: {done.stderr}")
    return float(done.stdout)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/constant", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
