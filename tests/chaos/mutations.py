"""The suite must notice damage: with the fence or the reconciler taken out, these few faults have to turn it red."""

import random
import time

from tests.chaos.points import MUTATIONS
from tests.chaos.stack import LEASE_SECONDS, Stack, until
from tests.chaos.storm import references
from tests.chaos.verdict import Verdict, judge
from tests.chaos.work import Customers, Order, order

STUCK_SECONDS = 15.0
"""Time without any change after which these few jobs are stuck."""
LONG = 400
"""Epochs: a frozen trainer must be far ahead when its successor begins."""


def run(stack: Stack, mutation: str, *, rng: random.Random) -> Verdict:
    """The verdict after the faults that the missing part is there for."""
    stack.wait_ready()
    kind = "mlp graph"
    epochs = LONG if mutation == "fence" else 10
    known = references(stack, {kind: {"epochs": epochs}})
    before = {job["id"] for job in stack.get("/v1/jobs")["data"]}
    customers = Customers(stack, iter(()), rng=rng, at_once=0)
    # `directed` calls this for each in turn, on one stack: their Idempotency-Keys must differ.
    one = order(sorted(MUTATIONS).index(mutation), kind, epochs=epochs)
    customers.start()
    if mutation == "fence":
        customers.take(one, stack.submit(one.spec, key=one.key))
        _wake_a_stale_writer(stack, one)
    else:
        _swallow_the_bell(stack, customers, one)
    stuck = customers.wait_all(quiet_seconds=STUCK_SECONDS)
    customers.join()
    verdict = judge(stack, [one], known, stuck=stuck)
    verdict.duplicated = [text for text in verdict.duplicated if text.partition(":")[0] not in before]
    return verdict


def _wake_a_stale_writer(stack: Stack, one: Order) -> None:
    """Freeze a trainer until another has its job, let it speak, then kill it."""

    def job() -> dict:
        return stack.get(f"/v1/jobs/{one.id}")

    until(lambda: job()["progress"]["epoch"] > LONG // 3, what="a third of the job", seconds=60)
    trainer = stack.trainer_of(one.id)
    assert trainer
    trainer.suspend()
    try:
        until(lambda: job()["attempt"] == 2, what="a second worker", seconds=10 * LEASE_SECONDS)
    finally:
        trainer.resume()
    # Long enough to speak once or twice, too short to train the job to its end.
    time.sleep(0.4)
    trainer.kill()


def _swallow_the_bell(stack: Stack, customers: Customers, one: Order) -> None:
    """Submit while nobody works, and have the API die before it rings."""
    token = stack.arm("bell", "kill")
    customers.take(one, stack.submit(one.spec, key=one.key))
    assert stack.fired(token, seconds=10), "no bell was about to be rung"
