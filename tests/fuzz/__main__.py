"""`python -m tests.fuzz`: a real API process over a real store, under schemathesis; exit code 0 if it found nothing."""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx

from gradientd.local import parent_death
from gradientd.local.machine import claim_port
from gradientd.local.valkey import EmbeddedStore
from jobs.api_keys import Scope, entry_of, new_key, new_secret
from jobs.ids import new_job_id
from jobs.settings import Settings
from store.calls import connect, run
from store.jobs import Store
from store.lanes import Lanes
from tests.api.evaluations import of_classes
from tests.api.models import CUSTOMERS, DIGITS, succeed
from tests.fuzz import known

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
START_SECONDS = 60.0
REQUEST_SECONDS = 20.0
EXCLUDED = ("positive_data_acceptance",)
"""Checks that are left out: a spec that the schema allows can still name a device or a dataset that is not there."""
EXCLUDED_WITH_KEY = (*EXCLUDED, "missing_required_header")
"""With a key this one sends the key even where it means to leave it out; `ignored_auth` does leave it out."""


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="repeats a run")
    parser.add_argument("--examples", type=int, default=400, help="for each operation, at most (%(default)s)")
    parser.add_argument("--least-cases", type=int, default=0, help="fail below so many cases in all")
    parser.add_argument("--auth", action="store_true", help="the API asks for keys, and is sent one")
    options = parser.parse_args()
    secret = new_secret() if options.auth else None
    print(f"fuzz: seed {options.seed}, {'keys required' if secret else 'no keys'}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    with tempfile.TemporaryDirectory(prefix="gradientd-fuzz-") as name, ExitStack() as exits:
        folder = Path(name)
        url = exits.enter_context(api(folder, secret))
        began = time.monotonic()
        code = schemathesis(url, folder, options, secret)
        cases = count_cases(folder)
        print(f"fuzz: seed {options.seed}, {cases} cases in {time.monotonic() - began:.0f} s, exit code {code}")
        if httpx.get(f"{url}/readyz", trust_env=False).status_code != 200:
            print("fuzz: the API is not ready any more")
            return 1
        if cases < options.least_cases:
            print(f"fuzz: fewer than {options.least_cases} cases")
            return 1
    return code


def schemathesis(url: str, folder: Path, options: argparse.Namespace, secret: str | None) -> int:
    """All phases over the whole document, stateful links included."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
    command += ["--checks", "all", "--exclude-checks", ",".join(EXCLUDED_WITH_KEY if secret else EXCLUDED)]
    command += ["--max-examples", str(options.examples), "--seed", str(options.seed)]
    command += ["--request-timeout", str(REQUEST_SECONDS), "--continue-on-failure"]
    command += ["--report", "ndjson", "--report-ndjson-path", str(folder / "cases.ndjson")]
    if secret:
        command += ["--header", f"Authorization:Bearer {secret}"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


def count_cases(folder: Path) -> int:
    """Requests that were sent and judged."""
    cases = 0
    with (folder / "cases.ndjson").open() as lines:
        for line in lines:
            for scenario in json.loads(line).values():
                cases += len(scenario.get("recorder", {}).get("cases", {})) if isinstance(scenario, dict) else 0
    return cases


def fill(url: str, settings: Settings, secret: str | None) -> None:
    """Have something there to be found: datasets, and jobs that have succeeded with a model, named in `known`."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=REQUEST_SECONDS) as http:
        http.put(f"/v1/datasets/{known.DATASET}", content=known.TABLE).raise_for_status()
        http.put(f"/v1/datasets/{known.PICTURES}", content=known.archive()).raise_for_status()
        for _ in (known.JOB, known.PICTURE_JOB):
            http.post("/v1/jobs", json={"dataset": "mnist-10k"}).raise_for_status()
    with connect(settings) as client:
        store, do = Store.of(settings), partial(run, client)
        for name, dataset in ((known.JOB, CUSTOMERS), (known.PICTURE_JOB, DIGITS)):
            claim = do(store.claim("fuzz", token=new_job_id(), lanes=Lanes.served_by(gpus=0)))
            if claim is None:
                raise SystemExit("fuzz: a job that was to succeed cannot be claimed")
            evaluation = of_classes(dataset.classes).model_dump_json().encode()
            os.environ[name] = succeed(claim, dataset, settings=settings, store=store, do=do, evaluation=evaluation)


@contextmanager
def api(folder: Path, secret: str | None) -> Iterator[str]:
    """The URL of an API process of its own, on a store of its own, which may ask for a key.

    No worker: jobs stay queued, but for one that has a model.
    """
    with open(os.devnull, "rb") as nothing, ExitStack() as exits:
        store = EmbeddedStore(folder, port=claim_port(HOST, 0), lock_fd=nothing.fileno())
        launch = store.launch()
        exits.enter_context(running("store", launch.command, launch.environment, folder, fds=launch.pass_fds))
        port = claim_port(HOST, 0)
        environment = {
            "GRADIENTD_REDIS_URL": store.url,
            "GRADIENTD_DATA_DIR": str(folder),
            "GRADIENTD_PORT": str(port),
            "GRADIENTD_LOG_LEVEL": "warning",
            "PYTHONPATH": str(ROOT),
        }
        if secret:
            key = new_key(secret, owner="fuzzer", scopes=(Scope.READ, Scope.SUBMIT))
            environment["GRADIENTD_API_KEYS"] = entry_of(key)
        exits.enter_context(running("api", (sys.executable, "-m", "api"), environment, folder))
        url = f"http://{HOST}:{port}"
        deadline = time.monotonic() + START_SECONDS
        while not is_ready(url):
            if time.monotonic() > deadline:
                raise SystemExit((folder / "api.log").read_text()[-3000:])
            time.sleep(0.05)
        fill(url, Settings.model_validate({"redis_url": store.url, "data_dir": folder}), secret)
        yield url
        said = (folder / "api.log").read_text()
        if "Traceback" in said:
            raise SystemExit(f"fuzz: the API logged a traceback:\n{said[-5000:]}")


@contextmanager
def running(
    name: str, command: tuple[str, ...], environment: Mapping[str, str], folder: Path, *, fds: tuple[int, ...] = ()
) -> Iterator[None]:
    """A process that ends with the body, or with this process."""
    tie = [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), str(int(signal.SIGKILL))]
    with (folder / f"{name}.log").open("wb") as out:
        started = subprocess.Popen(
            [*tie, *command], env={**os.environ, **environment}, stdout=out, stderr=out, pass_fds=fds
        )
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def is_ready(url: str) -> bool:
    """Whether the API takes jobs."""
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    sys.exit(main())
