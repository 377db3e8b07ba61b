"""How the fixture beside this file was made: run once, with the Python of a checkout of commit 7067b95.

    PYTHON_OF_THAT_CHECKOUT make.py FOLDER

starts `gradientd up` there with keys switched on, has jobs end in each way there is, pauses one amid its training,
leaves two queued and one running, asks the API for all it has to tell, and kills everything at once. Then it has a copy
of the data go on with that same code, and notes how the paused job ends.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

GRADIENTD = Path(sys.executable).with_name("gradientd")
PORT = 18077
ENVIRONMENT = {"GRADIENTD_AUTH": "required", "GRADIENTD_THREADS": "1", "GRADIENTD_CHECKPOINT_SECONDS": "0.3"}
# Final jobs outlive every future test run.
ENVIRONMENT["GRADIENTD_RETENTION_SECONDS"] = str(90 * 365 * 24 * 3600)
SMALL = {"type": "mlp", "hidden": [16]}
PAUSED = {"model": SMALL, "execution": "graph", "epochs": 60, "seed": 3, "optimizer": {"type": "adam"}}
FINAL = {"succeeded", "failed", "cancelled"}


@contextmanager
def running(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A stack on this data; killed at the end, all of it at once."""
    log = data.with_suffix(".log")
    command = [str(GRADIENTD), "up", "--port", str(PORT), "--data-dir", str(data)]
    with log.open("wb") as output:
        stack = subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}, stdout=output, stderr=output)
        until(lambda: "is up at" in log.read_text())
        yield stack
        for process in [psutil.Process(stack.pid), *psutil.Process(stack.pid).children(recursive=True)]:
            process.send_signal(signal.SIGKILL)
        stack.wait()
    time.sleep(1)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def create_key(data: Path, owner: str, *options: str) -> dict[str, Any]:
    command = [str(GRADIENTD), "keys", "create", "--owner", owner, "--data-dir", str(data), "--json", *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def client(secret: str) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{PORT}", headers={"Authorization": f"Bearer {secret}"}, timeout=90)


def submit(http: httpx.Client, **spec: Any) -> str:
    return http.post("/v1/jobs", json={"dataset": "mnist-10k", **spec}).raise_for_status().json()["id"]


def job(http: httpx.Client, job_id: str) -> dict[str, Any]:
    return http.get(f"/v1/jobs/{job_id}").raise_for_status().json()


def make_jobs(alice: httpx.Client, bob: httpx.Client) -> dict[str, str]:
    """Jobs of every kind, by what they are."""
    common = {"model": SMALL, "execution": "graph"}
    early = {"monitor": "val_loss", "patience": 1, "min_delta": 10.0}
    ids = {
        "succeeded": submit(alice, **common, epochs=3, metadata={"team": "a", "note": "größer"}),
        "early_stopped": submit(alice, **common, epochs=9, validation_split=0.1, early_stopping=early),
        "every_epoch": submit(alice, **common, epochs=2, checkpoint={"every_epochs": 1}),
        "softmax": submit(bob, model={"type": "softmax"}, execution="eager", epochs=1, batch_size=1000),
        "failed": submit(alice, model={"type": "softmax"}, loss="mse", optimizer={"type": "sgd", "learning_rate": 1e6}),
        "expired": submit(alice, **common, epochs=10_000, batch_size=8, max_runtime_seconds=1),
    }
    for job_id in ids.values():
        until(lambda job_id=job_id: job(bob if job_id == ids["softmax"] else alice, job_id)["status"] in FINAL)
    ids["cancelled"] = submit(alice, **common, epochs=10_000)
    until(lambda: job(alice, ids["cancelled"])["progress"]["epoch"] > 2)
    alice.post(f"/v1/jobs/{ids['cancelled']}/cancel").raise_for_status()
    until(lambda: job(alice, ids["cancelled"])["status"] in FINAL)
    ids["paused"] = submit(alice, **PAUSED)
    until(lambda: job(alice, ids["paused"])["progress"]["epoch"] > 20)
    alice.post(f"/v1/jobs/{ids['paused']}/pause").raise_for_status()
    until(lambda: job(alice, ids["paused"])["status"] == "paused")
    ids["running"] = submit(alice, **common, epochs=400)
    until(lambda: job(alice, ids["running"])["checkpoint"])
    ids["queued"] = submit(alice, **common, epochs=1, priority=5)
    ids["queued_of_bob"] = submit(bob, **common, epochs=1)
    return ids


def answers(clients: dict[str, httpx.Client], ids: dict[str, str]) -> list[dict[str, Any]]:
    """What the API tells, to whom."""
    paths = ["/v1/jobs", "/v1/jobs?order=asc&limit=3", "/v1/jobs?status=failed", "/v1/jobs?metadata[team]=a"]
    for job_id in ids.values():
        paths += [f"/v1/jobs/{job_id}{part}" for part in ("", "/events", "/metrics", "/checkpoints")]
    found = []
    for name, http in clients.items():
        for path in paths:
            answer = http.get(path)
            found.append({"key": name, "path": path, "status": answer.status_code, "body": answer.json()})
    return found


def ending(data: Path, secret: str, job_id: str) -> tuple[dict[str, Any], bytes]:
    """How the job ends, resumed there if it is paused."""
    with running(data), client(secret) as http:
        http.post(f"/v1/jobs/{job_id}/resume")
        until(lambda: job(http, job_id)["status"] in FINAL)
        record = job(http, job_id)
    return record, (data / "artifacts" / job_id / "weights.npz").read_bytes()


def main(folder: Path) -> None:
    data = folder / "data"
    folder.mkdir(parents=True)
    with running(data):
        limits = ("--max-jobs", "50", "--requests-per-minute", "6000")
        keys = {
            "alice": create_key(data, "alice", *limits),
            "bob": create_key(data, "bob"),
            "admin": create_key(data, "root", "--scopes", "admin"),
            "revoked": create_key(data, "alice"),
        }
        command = [str(GRADIENTD), "keys", "revoke", keys["revoked"]["id"], "--data-dir", str(data)]
        subprocess.run(command, check=True, capture_output=True)
        clients = {name: client(key["secret"]) for name, key in keys.items()}
        ids = make_jobs(clients["alice"], clients["bob"])
        told = answers(clients, ids)
    endings = []
    for number in range(2):
        copy = folder / f"copy-{number}"
        shutil.copytree(data, copy)
        record, weights = ending(copy, keys["alice"]["secret"], ids["paused"])
        endings.append((record, hashlib.sha256(weights).hexdigest()))
        (folder / "weights.npz").write_bytes(weights)
        shutil.rmtree(copy)
    whole = folder / "whole"
    with running(whole):
        secret = create_key(whole, "alice")["secret"]
        with client(secret) as http:
            uninterrupted = submit(http, **PAUSED)
            until(lambda: job(http, uninterrupted)["status"] in FINAL)
            in_one = job(http, uninterrupted)["artifacts"][0]["sha256"]
    if {digest for _, digest in endings} != {in_one}:
        raise SystemExit("the paused job does not end in the same bits each time")
    cpu = next(
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    )
    record, digest = endings[0]
    facts = {
        "commit": "7067b95",
        "environment": ENVIRONMENT,
        "cpu": cpu,
        "jobs": ids,
        "keys": {name: {"id": key["id"], "secret": key["secret"]} for name, key in keys.items()},
        "paused_ends": {"sha256": digest, "metrics": record["metrics"], "run": record["run"]},
        "answers": told,
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True))
    with tarfile.open(folder / "data.tar.gz", "w:gz") as archive:
        archive.add(data, "data")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
