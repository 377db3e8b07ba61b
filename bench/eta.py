"""How far a job's estimated finish, told at 30 % of its steps, is from its finish; half of the jobs were resumed."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from bench.figure import Figure, Spread, Target
from bench.options import Options
from bench.stack import Broken, Stack, running

NOTE = """\
eta: MLPs and CNNs on the training set and an MLP on a table of 20,000 rows, without early stopping, of 30 s or more
each by the speed of a run before, one after the other on one worker; every other one is paused at 15 % and resumed. The
prediction is the first `estimated_finish_at` that is read at 30 % of the steps or beyond (none counts as an error of
the whole rest); its error is the distance to `finished_at`, as a share of what was left then, all by the store's clock.
The largest move is that of the predicted instant from there to the last step, as a share of the job's running time."""

JOBS = 20
JOB_SECONDS = 30.0
PREDICTED_AT, PAUSED_AT = 30.0, 15.0
TRIAL_EPOCHS = 6
"""Epochs of a kind, by the shortest of which the number is found that takes at least as long as wanted."""
MOST_EPOCHS = 10_000
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a job told of its finish, and when it finished."""

    kind: str
    resumed: bool
    rest_seconds: float
    """From the prediction to the finish."""
    error: float
    """The predicted instant's distance to the finish, as a share of the rest."""
    moved: float
    """From the earliest to the latest instant that was told from there on, as a share of the running time."""
    seconds: float
    """How long the job ran, its pause included."""


def run(options: Options) -> list[Figure]:
    """Measure."""
    with running(options) as stack:
        kinds = _kinds(stack, options)
        wanted = 3.0 if options.quick else JOB_SECONDS
        sized = {name: {**spec, "epochs": _epochs(stack, spec, seconds=wanted)} for name, spec in kinds.items()}
        jobs = options.runs or (4 if options.quick else JOBS)
        names = [list(sized)[n % len(sized)] for n in range(jobs)]
        # Every other one of each kind, as the kinds take turns.
        found = [_predicted(stack, name, sized[name], pause=(n // len(sized)) % 2 == 1) for n, name in enumerate(names)]
    return list(_figures(found))


def _figures(found: list[Prediction]) -> Iterator[Figure]:
    target = Target("at most", 10)
    yield Figure("ETA at 30 %: error, of the rest", "%", _percent([it.error for it in found]), target=target)
    groups = {it.kind: [other for other in found if other.kind == it.kind] for it in found}
    groups |= {
        name: [it for it in found if it.resumed == is_so] for name, is_so in (("resumed", True), ("in one go", False))
    }
    for name, those in groups.items():
        if those:
            yield Figure(f"  {name} ({len(those)} jobs)", "%", _percent([it.error for it in those]))
    yield Figure("  largest move after 30 %, of the job", "%", _percent([it.moved for it in found]))
    yield Figure("  jobs ran", "s", Spread.of([it.seconds for it in found]))


def _percent(shares: list[float]) -> Spread:
    return Spread.of([100 * share for share in shares])


def _kinds(stack: Stack, options: Options) -> dict[str, dict[str, Any]]:
    return {
        "mlp": {"dataset": options.dataset, "model": {"type": "mlp", "hidden": [128, 64]}},
        "cnn": {"dataset": options.dataset, "model": {"type": "cnn"}, "validation_split": 0.1},
        "table": {
            "dataset": _table(stack, rows=2_000 if options.quick else 20_000),
            "preset": "table",
            "early_stopping": None,
        },
    }


def _table(stack: Stack, *, rows: int) -> str:
    """Upload a table of numbers and two classes; its version's id."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows, 12))
    labels = np.where(values[:, 0] * values[:, 1] + rng.normal(scale=0.3, size=rows) > 0, "up", "down")
    lines = [",".join([*(f"x{n}" for n in range(12)), "label"])]
    lines += [
        ",".join([*(f"{value:.4f}" for value in row), label])
        for row, label in zip(values.tolist(), labels.tolist(), strict=True)
    ]
    answer = stack.http.put("/v1/datasets/eta", content="\n".join(lines).encode(), params={"target": "label"})
    if answer.status_code not in (200, 201):
        raise Broken(f"PUT /v1/datasets/eta answered {answer.status_code}: {answer.text[:500]}")
    return answer.json()["id"]


def _epochs(stack: Stack, spec: dict[str, Any], *, seconds: float) -> int:
    """How many epochs of a kind take so long."""
    epochs = stack.epochs(stack.submit(**spec, epochs=TRIAL_EPOCHS))
    return min(MOST_EPOCHS, max(4, math.ceil(seconds / min(epoch["seconds"] for epoch in epochs[1:]))))


def _predicted(stack: Stack, kind: str, spec: dict[str, Any], *, pause: bool) -> Prediction:
    """Train a job; what it told of its finish at 30 %."""
    job_id = stack.submit(**spec)
    told: list[tuple[datetime, datetime | None]] = []
    while (job := stack.http.get(f"/v1/jobs/{job_id}").json())["finished_at"] is None:
        if pause and job["progress"]["percent"] >= PAUSED_AT:
            stack.http.post(f"/v1/jobs/{job_id}/pause").raise_for_status()
            stack.until_status(job_id, "paused")
            stack.http.post(f"/v1/jobs/{job_id}/resume").raise_for_status()
            pause = False
        elif job["status"] == "running" and PREDICTED_AT <= job["progress"]["percent"] < 100:
            finish = job["progress"]["estimated_finish_at"]
            told.append((datetime.fromisoformat(job["last_heartbeat_at"]), finish and datetime.fromisoformat(finish)))
        time.sleep(LOOK_SECONDS)
    if job["status"] != "succeeded" or not told:
        raise Broken(f"job {job_id} was {job['status']}, seen {len(told)} times beyond {PREDICTED_AT} %")
    started, finished = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    at, predicted = told[0]
    rest, ran = (finished - at).total_seconds(), (finished - started).total_seconds()
    instants = [instant for _, instant in told if instant]
    return Prediction(
        kind=kind,
        resumed=job["attempt"] > 1,
        rest_seconds=rest,
        error=abs((predicted - finished).total_seconds()) / rest if predicted else 1.0,
        moved=(max(instants) - min(instants)).total_seconds() / ran if instants else 1.0,
        seconds=ran,
    )
