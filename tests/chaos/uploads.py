"""Uploads, each broken off at a named or a random moment: what is there afterwards is a whole version, or nothing.

And deletions that race with submissions: a job that was accepted has its dataset.
"""

import hashlib
import io
import random
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx
import numpy as np
import psutil
from PIL import Image

from jobs.settings import Settings
from store.calls import run as carry_out
from store.dataset_files import ARRAYS, UPLOAD, DatasetFiles
from store.datasets import DatasetStore
from tests.chaos.points import UPLOAD_POINTS
from tests.chaos.stack import Stack, Stuck, until
from tests.chaos.verdict import Verdict

FORMS = ("table", "pictures", "arrays")
MANY = {"table": 40_000, "pictures": 3000, "arrays": 200_000}
FEW = 200
"""Examples of an upload: few, or so many that there is time to hit its check."""
CLASSES = ("no", "yes")
LEADS_SECONDS = (-0.005, 0.03)
"""Of the submission in a race: it has the longer way, so both win some."""


@dataclass
class Outcome:
    """What was seen of the uploads of a run."""

    injected: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    """How often there was a version after the fault, and how often nothing."""


def run(stack: Stack, *, rng: random.Random, uploads: int, races: int) -> tuple[Verdict, Outcome]:
    """Break `uploads` uploads off and race `races` deletions; then see that nothing else lies about."""
    stack.wait_ready()
    verdict, outcome = Verdict(), Outcome()
    faults: list[tuple[str, Callable[[Stack, int], object]]] = [
        *((f"kill the API: {point}", _at(point)) for point in UPLOAD_POINTS),
        ("kill the API at any moment", lambda stack, api: _soon(rng) and _kill_api(stack, api)),
        ("kill the check", lambda stack, _: _kill_check(stack)),
        ("kill the store at any moment", lambda stack, _: _soon(rng) and _kill(stack.any_part("valkey", rng))),
        ("kill the supervisor at any moment", lambda stack, _: _soon(rng) and stack.kill_supervisor()),
        ("cut every connection to the store", lambda stack, _: _soon(rng) and stack.line.cut_all()),
        ("full disk", _full_disk),
    ]
    for n in range(uploads):
        name, fault = faults[n % len(faults)]
        upload = _upload(FORMS[n % len(FORMS)], n, rng=rng)
        _break_off(stack, f"u{n}", upload, name, fault, verdict=verdict, outcome=outcome)
    for n in range(races):
        _race(stack, f"r{n}", rng=rng, verdict=verdict, outcome=outcome)
    _look_at_the_disk(stack, verdict)
    verdict.violations += stack.complaints.seen
    return verdict, outcome


# --- one upload ---------------------------------------------------------------------------------------


def _break_off(
    stack: Stack,
    name: str,
    upload: "Upload",
    fault: str,
    inject: Callable[[Stack, int], object],
    *,
    verdict: Verdict,
    outcome: Outcome,
) -> None:
    api = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(stack.ask, "PUT", f"/v1/datasets/{name}", api=api, content=upload.content)
        hit = inject(stack, api)
        answer = sent.result()
    for point in UPLOAD_POINTS:
        stack.disarm(point)
    outcome.injected[fault if hit is not False else f"missed: {fault}"] += 1
    stack.wait_ready()
    found = stack.get(f"/v1/datasets/{name}/versions")
    outcome.left["a whole version" if found else "nothing"] += 1
    if answer is not None and answer.status_code in (200, 201) and not found:
        verdict.lost.append(f"{name}: its upload was answered {answer.status_code}, and it is not there ({fault})")
    again = _until_taken(stack, name, upload.content)
    versions = stack.get(f"/v1/datasets/{name}/versions")["data"]
    if len(versions) != 1:
        verdict.duplicated.append(f"{name}: {len(versions)} versions of one upload ({fault})")
    if found and again.status_code != 200:
        verdict.duplicated.append(f"{name}: the same upload again was answered {again.status_code} ({fault})")
    if stack.ask_until_answered("GET", f"/v1/datasets/{name}/content").content != upload.content:
        verdict.violations.append(f"{name}: the content is not what was uploaded ({fault})")
    whole = (hashlib.sha256(upload.content).hexdigest(), upload.examples)
    if (versions[0]["sha256"], _examples(versions[0])) != whole:
        verdict.violations.append(f"{name}: the version is not the whole upload ({fault})")
    verdict.jobs += 1


class Upload(NamedTuple):
    """What is sent, and how many examples it holds."""

    content: bytes
    examples: int


def _upload(form: str, n: int, *, rng: random.Random) -> Upload:
    """The n-th upload, in a form, which is like no other."""
    count = rng.choice((FEW, MANY[form]))
    make = {"table": _table, "pictures": _pictures, "arrays": _arrays}[form]
    return Upload(make(n, count, rng=rng), count)


def _table(n: int, rows: int, *, rng: random.Random) -> bytes:
    lines = ["a,b,city,y", *(f"{rng.random():.4f},{i},{'xyz'[i % 3]},{CLASSES[i % 2]}" for i in range(rows - 1))]
    return ("\n".join(lines) + f"\n{n},0,x,yes\n").encode()


def _pictures(n: int, count: int, *, rng: random.Random) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for i in range(count):
            picture = io.BytesIO()
            Image.frombytes("L", (8, 8), rng.randbytes(64)).save(picture, "PNG")
            archive.writestr(f"{n}/{CLASSES[i % 2]}/{i}.png", picture.getvalue())
    return content.getvalue()


def _arrays(n: int, count: int, *, rng: random.Random) -> bytes:
    content = io.BytesIO()
    x = np.random.default_rng(rng.randrange(2**32)).normal(size=(count, 8)) + n
    np.savez(content, x_train=x, y_train=np.arange(count) % 2)
    return content.getvalue()


def _examples(version: dict) -> int:
    return version["train_examples"] + version["test_examples"]


def _until_taken(stack: Stack, name: str, table: bytes) -> httpx.Response:
    answer = stack.ask_until_answered("PUT", f"/v1/datasets/{name}", content=table)
    if answer.status_code not in (200, 201):
        raise Stuck(f"a whole upload of {name} was answered {answer.status_code}: {answer.text[:500]}")
    return answer


# --- faults: each tells whether it took place ---------------------------------------------------------


def _at(point: str) -> Callable[[Stack, int], bool]:
    def inject(stack: Stack, _: int) -> bool:
        return stack.fired(stack.arm(point, "kill"), seconds=20) is not None

    return inject


def _soon(rng: random.Random) -> bool:
    time.sleep(rng.uniform(0, 1.2))
    return True


def _kill(process: psutil.Process | None) -> bool:
    with suppress(psutil.Error):
        if process:
            process.kill()
            return True
    return False


def _kill_api(stack: Stack, api: int) -> bool:
    return _kill(stack.api_at(api))


def _kill_check(stack: Stack) -> bool:
    with suppress(Stuck):
        until(stack.checks, what="a check", seconds=5)
    return [_kill(process) for process in stack.checks()].count(True) > 0


def _full_disk(stack: Stack, _: int) -> bool:
    with stack.full_disk():
        time.sleep(3)
    return True


# --- races --------------------------------------------------------------------------------------------


def _race(stack: Stack, name: str, *, rng: random.Random, verdict: Verdict, outcome: Outcome) -> None:
    """Submit a job on a dataset, and delete the dataset, at the same time, at different APIs."""
    _until_taken(stack, name, _table(0, 30, rng=rng))
    barrier = threading.Barrier(2)
    lead = rng.uniform(*LEADS_SECONDS)

    def submit() -> httpx.Response:
        barrier.wait()
        time.sleep(max(0.0, -lead))
        return stack.ask_until_answered("POST", "/v1/jobs", api=0, json={"dataset": name, "epochs": 1})

    def delete() -> httpx.Response:
        barrier.wait()
        time.sleep(max(0.0, lead))
        return stack.ask_until_answered("DELETE", f"/v1/datasets/{name}", api=1)

    with ThreadPoolExecutor(2) as pool:
        submitting, deleting = pool.submit(submit), pool.submit(delete)
        submitted, deleted = submitting.result(), deleting.result()
    outcome.injected["deletion raced with a submission"] += 1
    codes = (submitted.status_code, deleted.status_code)
    outcome.left[{(202, 409): "the job, with its dataset", (422, 204): "neither"}.get(codes, str(codes))] += 1
    if codes not in {(202, 409), (422, 204)}:
        verdict.violations.append(f"{name}: the job was answered {codes[0]}, the deletion {codes[1]}")
    if submitted.status_code == 202:
        stack.ask_until_answered("POST", f"/v1/jobs/{submitted.json()['id']}/cancel")
        verdict.jobs += 1


# --- the disk -----------------------------------------------------------------------------------------


def _look_at_the_disk(stack: Stack, verdict: Verdict) -> None:
    """Every version has its files whole; what no version names is swept, and that is everything else."""
    stack.wait_ready()
    settings = Settings.model_validate({"namespace": stack.keys.namespace, "data_dir": stack.folder / "data"})
    files = DatasetFiles.of(settings)
    known = carry_out(stack.admin, DatasetStore.of(settings).folders())
    until(lambda: not stack.checks(), what="the end of all uploads", seconds=30)
    for folder in known:
        arrays = list((files.upload(folder).parent / ARRAYS).glob("*.npy"))
        if not arrays or not files.upload(folder).is_file():
            verdict.lost.append(f"{folder}: a version without its files")
        for array in arrays:
            files.read(folder, array.stem)
    swept = files.sweep(known, older_than_seconds=0.0)
    left = [path for path in (settings.data_dir / "uploads", settings.data_dir / "versions") for path in path.iterdir()]
    if {path.name for path in left} != known:
        verdict.violations.append(f"{len(left)} folders for {len(known)} versions after a sweep")
    print(f"disk: {len(known)} versions whole; {len(swept)} folders of broken uploads swept, each {UPLOAD} or less")
