"""Drives a real stack: builds it, trains on it, scales it, stops it and has it come back.

Called by `run.sh`, which chooses the engine and the project's name and tears down. Standard library only.
"""

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

COMPOSE = shlex.split(os.environ["COMPOSE"])
TAG = os.environ["GRADIENTD_TAG"]
SERVICES = ("api", "worker", "redis")
USER = "10001"
"""Of our own images; Redis' has one that it names."""
FINAL = {"succeeded", "failed", "cancelled"}
SANE_ACCURACY = 0.85
TABLE = "docs/iris.csv"
SANE_TABLE_ACCURACY = 0.8
LONG_JOB = {"epochs": 10_000}
SHORT_JOB = {"epochs": 150, "seed": 11}
"""Long enough to be killed amid training, some 15 s, and short enough to be waited for."""
GRACEFUL_SECONDS = 20.0
"""Stopping waits for a chunk of training, not for a job; Docker would kill only after 60 s."""

log = logging.getLogger("compose-test")
http = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # straight to the port, whatever proxy is set


class Failed(Exception):
    """The stack does not do what it must."""


class Unreachable(Failed):
    """The API does not answer, or says that it cannot now."""


def main() -> int:
    """Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="compose-test: %(message)s", stream=sys.stdout)
    began = time.monotonic()
    try:
        build()
        inspect_images()
        first = train_on_one_worker()
        learn_a_table()
        ask_for_keys(first)
        kill_each_container()
        long_jobs = train_on_two_workers()
        stop_and_return(first, long_jobs)
    except Failed as failure:
        log.error("%s", failure)
        return 1
    log.info("all well after %.0f s", time.monotonic() - began)
    return 0


# --- what is checked ------------------------------------------------------------------------------------


def build() -> None:
    compose("--profile", "gpu", "config", "--quiet")
    began = time.monotonic()
    compose("build", show=True)
    log.info("images built in %.0f s", time.monotonic() - began)


def inspect_images() -> None:
    for name in ("api", "worker"):
        image = f"gradientd-{name}:{TAG}"
        (facts,) = json.loads(docker("image", "inspect", image))
        expect(facts["Config"]["User"].split(":")[0] == USER, f"{image} runs as {facts['Config']['User']!r}")
        layers = docker("history", "--human=false", "--no-trunc", "--format", "{{.Size}} {{.CreatedBy}}", image)
        ours = sum(int(layer.split()[0]) for layer in layers.splitlines() if "/opt/venv" in layer)
        log.info("%s: %d MB, of which %d MB are Python packages", image, facts["Size"] / 1e6, ours / 1e6)
        say = docker("run", "--rm", "--network=none", "--read-only", image, "gradientd", "--help")
        expect("Usage" in say, f"{image} has no working gradientd command: {say}")
    find = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ('tensorflow', 'keras', 'torch'))))"
    docker("run", "--rm", "--network=none", "--read-only", f"gradientd-api:{TAG}", "python", "-c", find)
    log.info("the api image holds no TensorFlow")


def train_on_one_worker() -> dict[str, Any]:
    began = time.monotonic()
    compose("up", "--detach", show=True)
    wait_healthy({"redis": 1, "api": 1, "worker": 1})
    log.info("healthy %.0f s after `up`", time.monotonic() - began)
    for service in SERVICES:
        check_confinement(service)
    check_password()
    expect(refusal("/v1/jobs") == 401, "a stack without keys lets anybody in")
    _keys["owner"] = create_key("--owner", "first")["secret"]
    began = time.monotonic()
    job = wait_for("the first job's end", lambda: is_final(submit_once({})), timeout_seconds=300)
    expect(job["status"] == "succeeded", f"the first job ended as {job['status']}: {job.get('error')}")
    accuracy = job["metrics"]["test_accuracy"]
    expect(accuracy is not None and SANE_ACCURACY <= accuracy <= 1, f"its test accuracy is {accuracy}")
    log.info(
        "POST /v1/jobs {} → %s after %.1f s, test accuracy %.4f", job["status"], time.monotonic() - began, accuracy
    )
    check_artifacts(job)
    return job


def learn_a_table() -> None:
    """A CSV is checked by the API's container, learnt by the worker's, and asked in the API's again."""
    with open(TABLE, "rb") as file:
        dataset = put("/v1/datasets/iris", file.read())
    expect(dataset["train_examples"] + dataset["test_examples"] == 150, f"the table became {dataset}")
    job_id = submit({"dataset": "iris"})["id"]
    job = wait_for("the end of a job on a table", lambda: is_final(get_job(job_id)))
    expect(job["status"] == "succeeded", f"it ended as {job['status']}: {job.get('error')}")
    accuracy = job["metrics"]["test_accuracy"]
    expect(SANE_TABLE_ACCURACY <= accuracy <= 1, f"its test accuracy is {accuracy}")
    check_artifacts(job)
    (told,) = post(f"/v1/jobs/{job_id}/predict", {"instances": [[5.1, 3.5, 1.4, 0.2]]})["predictions"]
    expect(told["label"] == "setosa", f"a setosa is told to be {told}")
    log.info("a CSV became a dataset, a model with test accuracy %.4f, and a prediction", accuracy)


def ask_for_keys(job: dict[str, Any]) -> None:
    """Another owner does not see the job, a revoked key opens nothing, and no secret is in Redis or the logs."""
    other = create_key("--owner", "other")
    expect(refusal(f"/v1/jobs/{job['id']}", other["secret"]) == 404, "another owner sees the job")
    expect(refusal("/v1/jobs", other["secret"]) is None, "the new key is refused")
    compose("exec", "-T", "api", "gradientd", "keys", "revoke", other["id"])
    expect(refusal("/v1/jobs", other["secret"]) == 401, "the revoked key still works")
    compose("exec", "-T", "redis", "sh", "-c", '! grep --recursive --text --quiet "$0" /data', _keys["owner"])
    expect(_keys["owner"] not in compose("logs", "--no-color"), "a key's secret is in the containers' logs")
    try:
        docker("run", "--rm", "--network=none", "--env=GRADIENTD_HOST=0.0.0.0", f"gradientd-api:{TAG}")
    except Failed as failure:
        expect("will not listen on '0.0.0.0'" in str(failure), f"the api image ends otherwise: {failure}")
    else:
        raise Failed("the api image is open to the network without keys")
    log.info("every request needs a key; keys are apart, revocable, and nowhere in the clear")


def kill_each_container() -> None:
    """Kill -9 of any container amid training: it comes back, and the job ends as it would have."""
    for service in ("worker", "api", "redis"):
        (container,) = container_ids(service)
        job_id = submit(SHORT_JOB)["id"]
        wait_for("the job to train", lambda i=job_id: is_training(get_job(i)))
        kill(container)
        began = time.monotonic()
        job = wait_for(f"the end of a job whose {service} was killed", lambda i=job_id: outcome(i), timeout_seconds=300)
        expect(job["status"] == "succeeded", f"it ended as {job['status']}: {job.get('error')}")
        expect(job["progress"]["epoch"] == SHORT_JOB["epochs"], f"it stopped at {job['progress']}")
        check_artifacts(job)
        wait_healthy({"redis": 1, "api": 1, "worker": 1})
        log.info(
            "%s killed: the job %s %.1f s later, in attempt %d",
            *(service, job["status"], time.monotonic() - began, job["attempt"]),
        )


def kill(container: str) -> None:
    """Kill all its processes from outside, as the kernel does; `docker kill` would count as stopping it for good."""
    (facts,) = json.loads(docker("inspect", container))
    pid = facts["State"]["Pid"]
    try:
        os.kill(pid, signal.SIGKILL)
    except (PermissionError, ProcessLookupError):  # we are not root, or the engine runs on another machine
        by = ("--pid=host", "--user=0", "--network=none", f"gradientd-api:{TAG}")
        docker("run", "--rm", *by, "python", "-c", f"import os; os.kill({pid}, {int(signal.SIGKILL)})")
    wait_for(
        f"a restart of {container}",
        lambda: json.loads(docker("inspect", container))[0]["RestartCount"] > facts["RestartCount"],
    )


def outcome(job_id: str) -> dict[str, Any] | None:
    """The job if it is final; None as well while nobody answers."""
    try:
        return is_final(get_job(job_id))
    except Unreachable:
        return None


def train_on_two_workers() -> list[dict[str, Any]]:
    compose("up", "--detach", "--scale", "worker=2", show=True)
    wait_healthy({"redis": 1, "api": 1, "worker": 2})
    workers = wait_for("two live workers", lambda: at_least(get("/v1/workers")["data"], 2))
    log.info("workers: %s", ", ".join(sorted(worker["name"] for worker in workers)))
    ids = [submit(LONG_JOB)["id"] for _ in range(2)]
    jobs = wait_for("both jobs to train", lambda: if_all([get_job(i) for i in ids], is_training))
    names = {job["worker"] for job in jobs}
    expect(len(names) == 2, f"two jobs train on {names}")
    log.info("two jobs train side by side on %s", ", ".join(sorted(names)))
    return jobs


def stop_and_return(finished: dict[str, Any], running: list[dict[str, Any]]) -> None:
    """Stop amid training; the finished job is kept, the running ones are handed back and trained again."""
    containers = container_ids()
    began = time.monotonic()
    compose("stop", show=True)
    took = time.monotonic() - began
    codes = dict(map(exit_code, containers))
    expect(took < GRACEFUL_SECONDS, f"stopping took {took:.0f} s")
    expect(set(codes.values()) <= {0, 143}, f"containers were killed rather than stopped: {codes}")
    log.info("stopped in %.1f s amid two jobs", took)
    compose("down", show=True)
    compose("up", "--detach", "--scale", "worker=2", show=True)
    wait_healthy({"redis": 1, "api": 1, "worker": 2})
    expect(get_job(finished["id"]) == finished, "the finished job changed over `down` and `up`")
    check_artifacts(finished)
    for before in running:
        job = wait_for("a stopped job to train again", lambda i=before["id"]: if_all([get_job(i)], is_training))[0]
        handed_back = [change for change in job["transitions"] if change["reason"] == "worker_drained"]
        expect(bool(handed_back), f"it was not handed back by its worker: {job['transitions']}")
        expect(job["attempt"] == before["attempt"] + 1, f"it is on attempt {job['attempt']}")
        log.info("%s was handed back and trains again on %s", job["id"], job["worker"])
        post(f"/v1/jobs/{job['id']}/cancel", None)
    for before in running:
        job = wait_for("a cancelled job's end", lambda i=before["id"]: is_final(get_job(i)))
        expect(job["status"] == "cancelled", f"it ended as {job['status']}")
    log.info("jobs outlived `down` and `up`; cancelled on request")


def check_confinement(service: str) -> None:
    (container,) = container_ids(service)
    lines = docker("top", container, "-eo", "pid,uid,args").splitlines()[1:]
    user = USER if service != "redis" else compose("exec", "-T", "redis", "id", "-u", "redis").strip()
    strangers = [line for line in lines if line.split()[1] != user]
    expect(bool(lines) and not strangers and user != "0", f"{service} runs as someone else than {user}: {lines}")
    host = json.loads(docker("inspect", container))[0]["HostConfig"]
    expect(host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], f"{service} is not confined: {host}")
    expect(any("no-new-privileges" in option for option in host["SecurityOpt"]), f"{service} may gain privileges")
    expect(host["Memory"] > 0 and host["PidsLimit"] > 0, f"{service} has no limits: {host}")
    expect("size=" in host["Tmpfs"]["/tmp"], f"the /tmp of {service} has no limit: {host['Tmpfs']}")
    log.info(
        "%s: %d processes, all of user %s, read-only root, no capabilities, limited",
        service,
        len(lines),
        user,
    )


def check_password() -> None:
    """Redis answers nobody without its password, which stands on no command line and in no environment."""
    said = compose("exec", "-T", "redis", "redis-cli", "ping")
    expect("NOAUTH" in said, f"Redis answers whoever asks: {said}")
    url = compose("exec", "-T", "api", "cat", "/run/secrets/gradientd_redis_url")
    password = url.partition("@")[0].rpartition(":")[2]
    expect(len(password) == 64, f"the password of Redis is {len(password)} characters long")
    for service in SERVICES:
        (container,) = container_ids(service)
        shown = docker("inspect", container) + docker("top", container, "-eo", "pid,args")
        expect(password not in shown, f"the password of Redis is shown by {service}")
    log.info("Redis asks for its password")


def check_artifacts(job: dict[str, Any]) -> None:
    """The worker's files lie in the volume, and the API's user can read them."""
    expect(bool(job["artifacts"]), "the job left no files")
    for artifact in job["artifacts"]:
        path = f"/data/artifacts/{job['id']}/{artifact['name']}"
        found = compose("exec", "-T", "api", "sha256sum", path).split()[0]
        expect(found == artifact["sha256"], f"{path} has SHA-256 {found}, recorded is {artifact['sha256']}")


# --- the API --------------------------------------------------------------------------------------------

_submitted: list[str] = []
_keys: dict[str, str] = {}
"""The secret in use, under `owner`."""


def create_key(*options: str) -> dict[str, Any]:
    return json.loads(compose("exec", "-T", "api", "gradientd", "keys", "create", "--json", *options))


def refusal(path: str, secret: str | None = None) -> int | None:
    """The status that a request is refused with; None if it is answered."""
    request = urllib.request.Request(base_url() + path, headers={"Authorization": f"Bearer {secret}"} if secret else {})
    try:
        with http.open(request, timeout=10):
            return None
    except urllib.error.HTTPError as error:
        return error.code


def submit_once(spec: dict[str, Any]) -> dict[str, Any]:
    if not _submitted:
        _submitted.append(submit(spec)["id"])
    return get_job(_submitted[0])


def submit(spec: dict[str, Any]) -> dict[str, Any]:
    return post("/v1/jobs", spec)


def get_job(job_id: str) -> dict[str, Any]:
    return get(f"/v1/jobs/{job_id}")


def get(path: str) -> Any:
    return call(urllib.request.Request(base_url() + path))


def post(path: str, body: dict[str, Any] | None) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return call(urllib.request.Request(base_url() + path, data=data, headers=headers, method="POST"))


def put(path: str, content: bytes) -> Any:
    headers = {"Content-Type": "text/csv"}
    return call(urllib.request.Request(base_url() + path, data=content, headers=headers, method="PUT"))


def call(request: urllib.request.Request) -> Any:
    request.add_header("Authorization", f"Bearer {_keys['owner']}")
    try:
        with http.open(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        kind = Unreachable if error.code == 503 else Failed
        raise kind(f"{request.get_method()} {request.selector} → {error.code}: {error.read().decode()}") from error
    except OSError as error:
        raise Unreachable(f"{request.get_method()} {request.full_url}: {error}") from error


def base_url() -> str:
    """Asked anew each time: a container that restarts gets another port."""
    try:
        return "http://" + compose("port", "api", "8000").strip()
    except Failed as failure:
        raise Unreachable(str(failure)) from failure


def is_final(job: dict[str, Any]) -> dict[str, Any] | None:
    return job if job["status"] in FINAL else None


def is_training(job: dict[str, Any]) -> bool:
    expect(job["status"] not in FINAL, f"{job['id']} ended as {job['status']}: {job.get('error')}")
    return job["status"] == "running" and job["progress"]["step"] > 0


# --- the engine -----------------------------------------------------------------------------------------


def wait_healthy(wanted: dict[str, int]) -> None:
    def healthy() -> bool:
        states = {service: [health(i) for i in container_ids(service)] for service in wanted}
        for service, found in states.items():
            expect("exited" not in found, f"a container of {service} exited")
        return all(found == ["healthy"] * wanted[service] for service, found in states.items())

    wait_for(f"health of {wanted}", healthy, timeout_seconds=180)


def health(container: str) -> str:
    state = json.loads(docker("inspect", container))[0]["State"]
    return state["Health"]["Status"] if state["Running"] else state["Status"]


def exit_code(container: str) -> tuple[str, int]:
    (facts,) = json.loads(docker("inspect", container))
    return facts["Name"].lstrip("/"), facts["State"]["ExitCode"]


def container_ids(*service: str) -> list[str]:
    return compose("ps", "--quiet", *service).split()


def compose(*arguments: str, show: bool = False) -> str:
    return run([*COMPOSE, *arguments], show=show)


def docker(*arguments: str) -> str:
    return run(["docker", *arguments])


def run(command: list[str], *, show: bool = False) -> str:
    """Output of a command that must succeed; with `show` it goes where ours goes."""
    done = subprocess.run(command, check=False, text=True, capture_output=not show)
    if done.returncode:
        output = "" if show else done.stdout + done.stderr
        raise Failed(f"`{shlex.join(command)}` exited {done.returncode}: {output}")
    return "" if show else done.stdout


# --- waiting and judging --------------------------------------------------------------------------------


def wait_for(what: str, attempt: Callable[[], T | None], *, timeout_seconds: float = 120) -> T:
    """The first true answer of `attempt`."""
    deadline = time.monotonic() + timeout_seconds
    while not (found := attempt()):
        expect(time.monotonic() < deadline, f"waited {timeout_seconds:.0f} s in vain for {what}")
        time.sleep(0.5)
    return found


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


def at_least(items: list[T], count: int) -> list[T] | None:
    return items if len(items) >= count else None


def if_all(jobs: list[dict[str, Any]], holds: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]] | None:
    return jobs if all(holds(job) for job in jobs) else None


if __name__ == "__main__":
    sys.exit(main())
