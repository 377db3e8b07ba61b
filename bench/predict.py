"""Predictions that one API process makes over HTTP, beside a bare FastAPI route that calls ONNX Runtime."""

import json
import subprocess
import sys
import time

import numpy as np

from bench.figure import Figure, Spread, Target
from bench.options import Options
from bench.stack import HOST, ROOT, Broken, running
from bench.throughput import answers, ask
from gradientd.local.machine import claim_port

NOTE = """\
predict: rows of 20 numbers, told by an MLP 64-64 over HTTP; asked over 16 connections by a process of its own, which
shares the cores with the API and the store. The peer is a bare FastAPI route that validates encoded rows and calls ONNX
Runtime in one thread, spinning off. The p99 is of requests that come at 70 % of the rate that was just measured."""

COLUMNS = 20
LOAD = 0.7


def run(options: Options) -> list[Figure]:
    """Measure."""
    rng = np.random.default_rng(0)
    with running(options, worker=True) as stack:
        rows = rng.normal(size=(1000, COLUMNS)).round(3)
        classes = (rows[:, :3].sum(axis=1) > 0).astype(int)
        names = [f"x{n}" for n in range(COLUMNS)]
        lines = [
            ",".join([*names, "y"]),
            *(",".join(map(str, [*row, y])) for row, y in zip(rows, classes, strict=True)),
        ]
        answer = stack.http.put("/v1/datasets/rows", content="\n".join(lines).encode())
        if answer.status_code != 201:
            raise Broken(answer.text)
        job_id = stack.submit(dataset="rows", epochs=2)
        stack.processes.wait_until(
            lambda: stack.http.get(f"/v1/jobs/{job_id}").json()["status"] == "succeeded", what="the job"
        )
        graph = stack.folder.path / "artifacts" / job_id / "model.onnx"
        port = claim_port(HOST, 0)
        serve = ["uvicorn", "bench.peers.bare:api", "--port", str(port), "--no-access-log", "--loop", "uvloop"]
        environment = {"BARE_REDIS_URL": stack.redis_url, "BARE_MODEL": str(graph)}
        stack.processes.start("bare", [sys.executable, "-m", *serve], environment)
        stack.processes.wait_until(lambda: answers(port), what="the bare API")
        one, many = (json.dumps({"instances": rows[:count].tolist()}) for count in (1, 1000))
        path = f"/v1/jobs/{job_id}/predict"
        seconds = 0.5 if options.quick else 3
        ours: list[float] = []
        bare: list[float] = []
        patience: list[float] = []
        for _ in range(options.rounds(5)):
            ours.append(ask(stack.port, "POST", path, one, seconds=seconds))
            bare.append(ask(port, "POST", "/predict", one, seconds=seconds))
            patience.append(_p99(stack.port, "POST", path, one, seconds=seconds, rate=LOAD * ours[-1]))
        thousand = []
        for _ in range(3 if options.quick else 30):
            began = time.perf_counter()
            stack.http.post(path, content=many, headers={"content-type": "application/json"}).raise_for_status()
            thousand.append(time.perf_counter() - began)
    peer = "bare: ONNX Runtime"
    rate = Spread.of(ours)
    return [
        Figure("predict a row", "1/s", rate, peer, Spread.of(bare), True, Target("ratio at least", 0.7)),
        Figure("predict a row", "1/s", rate, target=Target("at least", 1500)),
        Figure("predict a row, p99 at 70 %", "ms", Spread.of(patience).scaled(1e3), target=Target("at most", 20)),
        Figure("predict 1,000 rows at once", "ms", Spread.of(thousand).scaled(1e3), target=Target("at most", 50)),
    ]


def _p99(port: int, *request: str, seconds: float, rate: float) -> float:
    where = [HOST, str(port), str(seconds), "16", *request]
    command = [sys.executable, "-m", "bench.load", "--rate", str(rate), *where]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + 60)
    if done.returncode:
        raise Broken(f"{' '.join(request[:2])}: {done.stderr}")
    return float(done.stdout)
