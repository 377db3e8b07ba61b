"""The invariants, checked from outside: over HTTP and in the artifact store."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from jobs.states import TERMINAL, TRANSITIONS, Status
from tests.chaos.stack import Stack, digest_of
from tests.chaos.work import FINAL, MOST_ATTEMPTS, Order

TIMES = frozenset({"seconds", "examples_per_second", "device_memory_bytes", "device_memory_peak_bytes"})
"""What depends on when and where an epoch ran."""
WEIGHTS = "weights.npz"
MOST_OF_A_KIND = 100
"""Events of a kind other than metrics that a job's history keeps."""
LOSSES = frozenset({"worker_lost", "stalled"})
"""Reasons that count towards a job's `max_attempts`."""


@dataclass(frozen=True)
class Reference:
    """What an uninterrupted run of a kind of job gave."""

    sha256: str
    metrics: list[dict[str, float]]
    test: tuple[float, float]


@dataclass
class Verdict:
    """What became of the jobs of a run."""

    jobs: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    attempts: Counter[int] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.duplicated or self.stuck or self.violations)


def bits(metrics: dict[str, Any]) -> dict[str, Any]:
    """The part of an epoch's metrics that is the same in every run."""
    return {name: value for name, value in metrics.items() if name not in TIMES}


def reference(stack: Stack, job_id: str) -> Reference:
    """What a finished job gave."""
    job = stack.get(f"/v1/jobs/{job_id}")
    assert (job["status"], job["attempt"]) == ("succeeded", 1), digest_of(job)
    metrics = [bits(event["data"]) for event in stack.events(job_id) if event["type"] == "metric"]
    sha256 = next(artifact["sha256"] for artifact in job["artifacts"] if artifact["name"] == WEIGHTS)
    return Reference(sha256, metrics, (job["metrics"]["test_loss"], job["metrics"]["test_accuracy"]))


def judge(stack: Stack, orders: list[Order], references: dict[str, Reference], *, stuck: list[Order]) -> Verdict:
    """Look at every job that was accepted, and at every job there is."""
    verdict = Verdict(jobs=len(orders), stuck=[order.id for order in stuck])
    for order in orders:
        if len(order.ids) > 1:
            verdict.duplicated.append(f"{order.key} became {sorted(order.ids)}")
        for job_id in order.ids:
            job = stack.get(f"/v1/jobs/{job_id}")
            if job is None and order.destroyed:
                verdict.ends["destroyed by the fault"] += 1
            elif job is None:
                verdict.lost.append(job_id)
            elif job["status"] in FINAL:
                verdict.ends[f"{job['status']} ({job['status_reason']})"] += 1
                verdict.attempts[job["attempt"]] += 1
                found = complaints(stack, order, job, references.get(order.kind))
                verdict.violations += [f"{job_id} ({order.kind} {order.stop_reason}): {text}" for text in found]
                if sum(t["status"] in FINAL for t in job["transitions"]) > 1:
                    verdict.duplicated.append(f"{job_id} ended twice")
            elif job_id not in verdict.stuck:
                verdict.stuck.append(job_id)
    accepted = {job_id for order in orders for job_id in order.ids}
    verdict.duplicated += [f"{job_id}: nobody's, or somebody's twice" for job_id in all_ids(stack) - accepted]
    verdict.violations += stack.complaints.seen
    return verdict


def all_ids(stack: Stack) -> set[str]:
    """Every job that is stored."""
    found: set[str] = set()
    after: dict[str, str] = {}
    while True:
        page = stack.get("/v1/jobs", params={"limit": 100, **after})
        found |= {job["id"] for job in page["data"]}
        if not page["has_more"]:
            return found
        after = {"after": page["last_id"]}


def complaints(stack: Stack, order: Order, job: dict[str, Any], expected: Reference | None) -> list[str]:
    """What is wrong with a final job."""
    events = stack.events(job["id"])
    found = [*_history(job, events), *_end(order, job)]
    epochs = [event["data"] for event in events if event["type"] == "metric"]
    if [row["epoch"] for row in epochs] != list(range(1, len(epochs) + 1)):
        jumps = [(one["epoch"], two["epoch"]) for one, two in pairwise(epochs) if two["epoch"] != one["epoch"] + 1]
        found.append(f"epochs with a gap or twice: {jumps[:5]}")
    series = stack.get(f"/v1/jobs/{job['id']}/metrics")
    if series["epochs"] != [row["epoch"] for row in epochs]:
        found.append(f"the series' epochs {series['epochs']} are not the events'")
    if expected and order.stop_reason != "deadline":
        for row, known in zip(epochs, expected.metrics, strict=False):
            if bits(row) != known:
                found.append(f"epoch {row['epoch']} measured {bits(row)}, uninterrupted {known}")
                break
    if job["status"] == "succeeded":
        found += _success(stack, job, epochs, expected)
    elif job["artifacts"]:
        found.append(f"{job['status']} with artifacts {job['artifacts']}")
    return found


def _history(job: dict[str, Any], events: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    ids = [tuple(map(int, event["id"].split("-"))) for event in events]
    if any(one >= other for one, other in pairwise(ids)):
        found.append("event ids do not grow")
    missing = ids[-1][1] - len(ids)
    # Of a kind that repeats without end the store keeps so many: only then may there be a gap.
    if (
        missing
        and MOST_OF_A_KIND not in Counter(event["type"] for event in events if event["type"] != "metric").values()
    ):
        found.append(f"{missing} events are missing")
    statuses = [event["data"] for event in events if event["type"] == "status"]
    if statuses != job["transitions"]:
        found.append("events and record tell different transitions")
    *before, done = events
    if sum(Status(row["status"]) in TERMINAL for row in statuses) != 1 or before[-1]["data"] != statuses[-1]:
        found.append(f"not one final event, at the end: {digest_of(statuses)}")
    if (done["type"], done["data"]["status"]) != ("done", statuses[-1]["status"]):
        found.append(f"the last event is no end: {digest_of([done])}")
    path = [Status(row["status"]) for row in statuses]
    for one, other in pairwise(path):
        if other not in TRANSITIONS[one]:
            found.append(f"{one} became {other}")
    if path.count(Status.RUNNING) != job["attempt"]:
        found.append(f"{path.count(Status.RUNNING)} claims, but attempt {job['attempt']}")
    if job["status"] != path[-1] or job["finished_at"] is None or job["phase"] is not None:
        found.append(f"the record's status {job['status']} is not the history's {path[-1]}")
    return found


def _end(order: Order, job: dict[str, Any]) -> list[str]:
    """Whether this end is a true one for what was asked."""
    status, reason = job["status"], job["status_reason"]
    losses = sum(t["reason"] in LOSSES for t in job["transitions"])
    allowed = {("succeeded", "completed")}
    if order.stop_reason == "deadline":
        allowed = {("failed", "deadline_exceeded")}
    elif order.stop_reason in ("kill", "hang"):
        allowed = set()
    if order.may_be_cancelled:
        allowed.add(("cancelled", "user_requested"))
    if losses >= order.spec.get("max_attempts", MOST_ATTEMPTS):
        allowed = {("failed", reason) for reason in LOSSES}
    if (status, reason) not in allowed:
        return [f"ended {status} ({reason}) after {losses} losses, should be one of {sorted(allowed)}: {job['error']}"]
    return []


def _success(stack: Stack, job: dict[str, Any], epochs: list[dict[str, Any]], expected: Reference | None) -> list[str]:
    found: list[str] = []
    recorded = {artifact["name"]: artifact["sha256"] for artifact in job["artifacts"]}
    content = stack.artifact(job["id"], WEIGHTS)
    if content is None or hashlib.sha256(content).hexdigest() != recorded.get(WEIGHTS):
        found.append("its weights are not there, or not those on record")
    if len(epochs) != job["spec"]["epochs"]:
        found.append(f"succeeded with {len(epochs)} of {job['spec']['epochs']} epochs on record")
    if expected:
        if recorded.get(WEIGHTS) != expected.sha256:
            found.append(f"other bits than the uninterrupted run: {recorded.get(WEIGHTS)}")
        if (job["metrics"]["test_loss"], job["metrics"]["test_accuracy"]) != expected.test:
            found.append(f"another test result than the uninterrupted run: {job['metrics']}")
    return found
