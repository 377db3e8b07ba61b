"""A disk without room, on purpose: what is asked for meanwhile is refused, what was accepted is trained after."""

import random

from tests.chaos.stack import Stack, until
from tests.chaos.storm import references
from tests.chaos.verdict import Verdict, judge
from tests.chaos.work import Customers, Order, order

KIND = "mlp graph"
FIRST = 10_000
"""Number of the first order: `directed` has others on the same stack, whose Idempotency-Keys must differ."""
MOST = 200
"""Submissions until one must have been refused: each is written to the store's log, and that has no room."""
QUIET_SECONDS = 60.0


def run(stack: Stack, *, rng: random.Random) -> Verdict:
    """The verdict on the jobs that were accepted before the disk was full, and meanwhile."""
    stack.wait_ready()
    known = references(stack, {KIND: {}})
    before = {job["id"] for job in stack.get("/v1/jobs", params={"limit": 100})["data"]}
    customers = Customers(stack, iter(()), rng=rng, at_once=0)
    wanted = [order(FIRST + n, KIND) for n in range(MOST)]
    accepted = [one for one in wanted[:3] if _submit(stack, customers, one)]
    with stack.full_disk():
        refused = next((one for one in wanted[3:] if not _submit(stack, customers, one, into=accepted)), None)
        until(lambda: not _is_ready(stack), what="the API to say that it is not ready", seconds=30)
    customers.start()
    stack.wait_ready()
    if refused is not None:  # a refusal may come of a lost answer: asked for again, it must be the same job
        customers.take(refused, stack.submit(refused.spec, key=refused.key))
        accepted.append(refused)
    stuck = customers.wait_all(quiet_seconds=QUIET_SECONDS)
    customers.join()
    verdict = judge(stack, accepted, known, stuck=stuck)
    verdict.duplicated = [text for text in verdict.duplicated if text.partition(":")[0] not in before]
    if refused is None:
        verdict.violations.append(f"{MOST} jobs were accepted with no room to keep them")
    print(f"full disk: {len(accepted)} jobs, the last of them refused at first", flush=True)
    return verdict


def _submit(stack: Stack, customers: Customers, one: Order, *, into: list[Order] | None = None) -> bool:
    """Submit once; whether it was accepted."""
    answer = stack.ask("POST", "/v1/jobs", json=one.spec, headers={"Idempotency-Key": one.key})
    if answer is None or answer.status_code != 202:
        return False
    customers.take(one, answer.json()["id"])
    if into is not None:
        into.append(one)
    return True


def _is_ready(stack: Stack) -> bool:
    answer = stack.ask("GET", "/readyz")
    return answer is not None and answer.status_code == 200
