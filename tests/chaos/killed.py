"""Twenty jobs, each trainer killed at least once at a random moment, must end in the bits of an undisturbed run."""

import random
import time
from contextlib import suppress

import psutil

from tests.chaos.stack import Stack, Stuck
from tests.chaos.storm import QUIET_SECONDS, references
from tests.chaos.verdict import Verdict, judge
from tests.chaos.work import FINAL, SLOWER, Customers, Order, order

EACH = 5
GIVE_UP_SECONDS = 600.0


def run(stack: Stack, *, rng: random.Random) -> tuple[Verdict, list[tuple[str, int, int, str]]]:
    """The verdict, and a row for each job: kind, kills, attempts, whether the bits are the same."""
    stack.wait_ready()
    known = references(stack, {kind: {"epochs": epochs} for kind, epochs in SLOWER.items()})
    before = {job["id"] for job in stack.get("/v1/jobs")["data"]}
    wanted = [order(n, kind, epochs=SLOWER[kind]) for n, kind in enumerate(sorted(SLOWER) * EACH)]
    customers = Customers(stack, iter(()), rng=rng, at_once=0)
    for one in wanted:
        customers.take(one, stack.submit(one.spec, key=one.key))
    kills = {one.id: 0 for one in wanted}
    customers.start()
    _kill_each(stack, wanted, kills, rng=rng)
    customers.stop()
    stuck = customers.wait_all(quiet_seconds=QUIET_SECONDS)
    customers.join()
    verdict = judge(stack, wanted, known, stuck=stuck)
    verdict.duplicated = [text for text in verdict.duplicated if text.partition(":")[0] not in before]
    rows = []
    for one in wanted:
        job = stack.get(f"/v1/jobs/{one.id}")
        hashes = {artifact["sha256"] for artifact in job["artifacts"] if artifact["name"] == "weights.npz"}
        rows.append((one.kind, kills[one.id], job["attempt"], str(hashes == {known[one.kind].sha256})))
        if not kills[one.id]:
            verdict.violations.append(f"{one.id} ended before it could be killed: make it longer")
    return verdict, rows


def _kill_each(stack: Stack, wanted: list[Order], kills: dict[str, int], *, rng: random.Random) -> None:
    """Kill the trainer of whatever trains, a random time after it began to, until every job was hit."""
    moments: dict[str, float] = {}
    deadline = time.monotonic() + GIVE_UP_SECONDS
    left = {one.id for one in wanted}
    while left:
        if time.monotonic() > deadline:
            raise Stuck(f"{len(left)} jobs were not killed in {GIVE_UP_SECONDS:.0f} s")
        for job_id in list(left):
            answer = stack.ask("GET", f"/v1/jobs/{job_id}")
            if answer is None or answer.status_code != 200:
                continue
            job = answer.json()
            if job["status"] in FINAL:
                left.discard(job_id)
            elif job["phase"] == "training":
                moment = moments.setdefault(job_id, time.monotonic() + rng.uniform(0, 1.5))
                if time.monotonic() >= moment and (trainer := stack.trainer_of(job_id)):
                    with suppress(psutil.Error):
                        trainer.kill()
                        kills[job_id] += 1
                        left.discard(job_id)
        time.sleep(0.05)
