"""What webhooks have to be told: written with the change, handed out in order, to one at a time."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from jobs.errors import JobNotFound
from jobs.ids import new_job_id
from jobs.record import EpochMetrics, Job, JobError, Metrics
from jobs.report import Report
from jobs.spec import Spec
from jobs.states import TERMINAL, Reason, Status
from jobs.webhook import WebhookEvent
from jobs.webhook_messages import MOST_SHOWN, Attempt, delivery_id
from store.jobs import Claim, Store
from store.keys import Keys
from store.lanes import Lanes
from store.stats import read_stats
from store.webhooks import Claimed, Outcome, Webhooks

Do = Callable[[Any], Any]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALL = tuple(WebhookEvent.__args__)


@pytest.fixture
def webhooks(keys: Keys) -> Webhooks:
    return Webhooks(keys)


@pytest.fixture
def submit(store: Store, do: Do) -> Callable[..., Job]:
    """Accept a job that has a webhook."""

    def submit(*, owner: str = "", repeat: str = "", url: str = "https://a.example/x", **webhook: Any) -> Job:
        spec = Spec.model_validate({"webhook": {"url": url, "secret": SECRET, **webhook}, "metadata": {"team": "é"}})
        return do(store.create(new_job_id(), spec, steps=10, owner=owner, idempotency_key=repeat)).job

    return submit


@pytest.fixture
def claim_job(store: Store, do: Do) -> Callable[[], Claim]:
    return lambda: do(store.claim("w", token=new_job_id(), lanes=Lanes.served_by(gpus=0)))


@pytest.fixture
def take(webhooks: Webhooks, do: Do) -> Callable[..., tuple[Claimed, ...]]:
    """Claim deliveries that are due."""

    def take(
        wanted: int = 10, *, hold_seconds: float = 30, per_host: int = 10, per_owner: int = 10, **busy: Any
    ) -> tuple[Claimed, ...]:
        return do(
            webhooks.claim(
                wanted,
                hold_seconds=hold_seconds,
                per_host=per_host,
                per_owner=per_owner,
                hosts=busy.get("hosts", {}),
                owners=busy.get("owners", {}),
            )
        )

    return take


@pytest.fixture
def settle(webhooks: Webhooks, do: Do) -> Callable[..., bool]:
    """Say how an attempt went."""

    def settle(claimed: Claimed, outcome: Outcome = "delivered", *, wait_seconds: float = 0) -> bool:
        status = {"delivered": 204, "gone": 410}.get(outcome, 500)
        attempt = Attempt(at=datetime.now(UTC), status_code=status, seconds=0.1)
        return do(webhooks.settle(claimed, attempt, outcome, wait_seconds=wait_seconds))

    return settle


def epoch(number: int) -> EpochMetrics:
    return EpochMetrics(
        epoch=number,
        step=number,
        loss=0.1 + 0.2,
        val_loss=1 / 3,
        learning_rate=1e-17,
        seconds=0.25,
        examples_per_second=1.0,
    )


def run_to_end(store: Store, do: Do, claim: Claim, *, epochs: int = 2) -> None:
    for n in range(1, epochs + 1):
        do(store.report(claim.job.id, claim.fence, Report(n, epochs=(epoch(n),))))
    metrics = Metrics(test_loss=0.1 + 0.7, test_accuracy=0.5)
    do(store.finish(claim.job.id, claim.fence, Status.SUCCEEDED, reason=Reason.COMPLETED, metrics=metrics))


def drained(take: Callable[..., tuple[Claimed, ...]], settle: Callable[..., bool]) -> list[Claimed]:
    """All that is due, delivered one after the other."""
    found: list[Claimed] = []
    while claimed := take():
        found += claimed
        assert all(settle(each) for each in claimed)
    return found


def test_the_kinds_of_events_are_the_statuses_and_the_epoch() -> None:
    assert {*ALL} == {f"job.{status}" for status in Status} | {"job.epoch"}


def test_each_event_asked_for_is_told_as_it_was(
    submit: Any, claim_job: Any, store: Store, do: Do, take: Any, settle: Any
) -> None:
    job = submit(events=ALL)
    run_to_end(store, do, claim_job())
    found = drained(take, settle)
    messages = [each.message() for each in found]
    assert [message.type for message in messages] == [
        "job.queued",
        "job.running",
        "job.epoch",
        "job.epoch",
        "job.succeeded",
    ]
    assert [each.id for each in found] == [delivery_id(job.id, n) for n in range(1, 6)]
    history = {event.id: event for event in do(store.history.events(job.id))}
    for message in messages:
        event = history[message.data.event_id]
        assert (message.timestamp, message.data.job_id, message.data.metadata) == (event.at, job.id, {"team": "é"})
    assert messages[3].data.epoch == epoch(2)
    assert (messages[3].data.status, messages[3].data.attempt, messages[3].data.metrics) == ("running", 1, None)
    last = messages[4].data
    assert (last.status, last.status_reason, last.error, last.epoch) == ("succeeded", "completed", None, None)
    assert last.metrics == do(store.get(job.id)).metrics
    assert last.metrics is not None
    assert last.metrics.test_loss == 0.1 + 0.7


def test_by_default_the_end_is_told_and_a_failure_with_its_error(
    submit: Any, claim_job: Any, store: Store, do: Do, take: Any
) -> None:
    submit()
    claim = claim_job()
    do(store.report(claim.job.id, claim.fence, Report(1, epochs=(epoch(1),))))
    error = JobError(code="training_error", title="Training failed", detail='a "quoted"\nreason', step=3)
    do(store.finish(claim.job.id, claim.fence, Status.FAILED, reason=Reason.TRAINING_ERROR, error=error))
    (claimed,) = take()
    message = claimed.message()
    assert (message.type, message.data.error) == ("job.failed", error)
    assert message.data.metrics is not None
    assert message.data.metrics.latest == epoch(1)


def test_what_is_repeated_is_told_once(submit: Any, claim_job: Any, store: Store, do: Do, webhooks: Webhooks) -> None:
    job = submit(events=ALL, repeat="key")
    assert submit(events=ALL, repeat="key").id == job.id
    claim = claim_job()
    for _ in range(2):
        do(store.report(job.id, claim.fence, Report(1, epochs=(epoch(1),))))
    for _ in range(2):
        do(store.finish(job.id, claim.fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    for _ in range(2):
        do(store.cancel(job.id))
    told = [each.type for each in do(webhooks.list(job.id))]
    assert told == ["job.queued", "job.running", "job.epoch", "job.succeeded"]


def test_the_secret_is_in_no_record(
    submit: Any, claim_job: Any, store: Store, do: Do, client: redis.Redis, keys: Keys
) -> None:
    job = submit(events=ALL, repeat="key")
    run_to_end(store, do, claim_job())
    assert client.hget(f"{keys.job(job.id)}:webhook", "secret") == SECRET
    assert SECRET not in str(client.hgetall(keys.job(job.id)))
    assert SECRET not in str(client.xrange(keys.events(job.id)))
    assert SECRET not in str(client.get(keys.idempotency("", "key")))
    hook = client.hgetall(f"{keys.job(job.id)}:webhook")
    assert [name for name, value in hook.items() if SECRET in str(value)] == ["secret"]
    for shown in (do(store.get(job.id)), submit(events=ALL, repeat="key")):
        assert SECRET not in repr(shown)
        assert "secret" not in shown.model_dump_json()


def test_a_job_without_a_webhook_writes_no_delivery(
    store: Store, do: Do, claim_job: Any, client: redis.Redis, keys: Keys, webhooks: Webhooks
) -> None:
    job = do(store.create(new_job_id(), Spec(), steps=10)).job
    run_to_end(store, do, claim_job())
    assert client.exists(f"{keys.job(job.id)}:webhook", f"{keys.job(job.id)}:outbox") == 0
    assert do(webhooks.list(job.id)) == ()


# --- claims and order -----------------------------------------------------------------------------


def test_of_a_job_one_delivery_is_made_at_a_time_and_in_order(
    submit: Any, claim_job: Any, take: Any, settle: Any, store: Store, do: Do
) -> None:
    job = submit(events=ALL)
    (first,) = take()
    assert first.message().type == "job.queued"
    assert take() == ()
    claim_job()  # what follows neither breaks into the hold
    assert take() == ()
    assert settle(first, "retry", wait_seconds=60)
    do(store.cancel(job.id))  # nor shortens the wait
    assert take() == ()


def test_what_failed_comes_again_before_what_follows(submit: Any, claim_job: Any, take: Any, settle: Any) -> None:
    submit(events=ALL)
    claim_job()
    for tries in range(3):
        (again,) = take()
        assert (again.number, again.tries, len(again.attempts)) == (1, tries, tries)
        assert settle(again, "retry")
    assert [each.message().type for each in drained(take, settle)] == ["job.queued", "job.running"]


def test_a_hold_that_ran_out_goes_to_another_and_the_first_can_no_longer_settle(
    submit: Any, take: Any, settle: Any, webhooks: Webhooks, do: Do
) -> None:
    job = submit(events=ALL)
    (dead,) = take(hold_seconds=0)
    (living,) = take()
    assert (living.id, living.what) == (dead.id, dead.what)
    assert not settle(dead)
    assert do(webhooks.list(job.id))[0].status == "pending"
    assert settle(living)
    assert not settle(living)
    (delivery,) = do(webhooks.list(job.id))
    assert (delivery.status, len(delivery.attempts)) == ("delivered", 1)


def test_a_receiver_that_is_down_holds_up_its_own_job_alone(submit: Any, take: Any, settle: Any) -> None:
    down, up = submit(events=ALL), submit(events=ALL, url="https://b.example/")
    for each in take():
        settle(each, "retry" if each.job_id == down.id else "delivered", wait_seconds=3600)
    up_again = submit(events=ALL, url="https://b.example/")
    assert [each.job_id for each in take()] == [up_again.id] != [up.id]


def test_one_host_and_one_owner_get_so_many_at_once(submit: Any, take: Any) -> None:
    for n in range(4):
        submit(events=ALL, owner=f"o{n}", url="https://A.example:8443/x")
    for _ in range(4):
        submit(events=ALL, owner="o9", url=f"https://{new_job_id()}.example/")
    taken = take(per_host=2, per_owner=3, hosts={"a.example": 1}, owners={"o9": 1})
    assert sorted(each.owner == "o9" for each in taken) == [False, True, True]
    assert len(take(1, per_host=9, per_owner=9)) == 0  # the others were put behind


def test_a_clock_set_back_holds_nothing_up(submit: Any, take: Any, client: redis.Redis, keys: Keys) -> None:
    job = submit(events=ALL)
    client.zadd(f"{keys.namespace}:outboxes", {job.id: 10**14})
    assert [each.job_id for each in take()] == [job.id]


# --- ends -----------------------------------------------------------------------------------------


def test_what_is_given_up_lets_the_next_one_follow(
    submit: Any, claim_job: Any, take: Any, settle: Any, webhooks: Webhooks, do: Do, keys: Keys
) -> None:
    job = submit(events=ALL)
    claim_job()
    settle(take()[0], "failed")
    assert [each.message().type for each in drained(take, settle)] == ["job.running"]
    assert [each.status for each in do(webhooks.list(job.id))] == ["failed", "delivered"]
    stats = do(read_stats(keys))
    assert stats.webhook_deliveries == {"delivered": 1, "failed": 1}
    assert stats.webhook_attempts == {"succeeded": 1, "failed": 1}


def test_a_receiver_that_is_gone_is_told_nothing_more(
    submit: Any, claim_job: Any, store: Store, take: Any, settle: Any, webhooks: Webhooks, do: Do
) -> None:
    job = submit(events=ALL)
    claim = claim_job()
    settle(take()[0], "gone")
    run_to_end(store, do, claim)
    assert take() == ()
    assert [(each.type, each.status) for each in do(webhooks.list(job.id))] == [
        ("job.queued", "failed"),
        ("job.running", "failed"),
    ]


def test_attempts_are_remembered_the_last_ones(submit: Any, take: Any, settle: Any, webhooks: Webhooks, do: Do) -> None:
    job = submit(events=ALL)
    for _ in range(MOST_SHOWN + 5):
        settle(take()[0], "retry")
    assert len(do(webhooks.list(job.id))[0].attempts) == MOST_SHOWN
    assert take()[0].tries == MOST_SHOWN + 5


def test_a_delivery_tells_when_it_is_due(
    submit: Any, claim_job: Any, take: Any, settle: Any, webhooks: Webhooks, do: Do
) -> None:
    job = submit(events=ALL)
    claim_job()
    (claimed,) = take()
    assert [each.next_attempt_at for each in do(webhooks.list(job.id))] == [None, None]  # under way, and behind it
    settle(claimed, "retry", wait_seconds=600)
    head, behind = do(webhooks.list(job.id))
    assert 590 < (head.next_attempt_at - datetime.now(UTC)).total_seconds() <= 600
    assert behind.next_attempt_at is None


def test_a_settled_delivery_is_made_again_by_hand(
    submit: Any, claim_job: Any, take: Any, settle: Any, webhooks: Webhooks, do: Do
) -> None:
    job = submit(events=ALL)
    claim_job()
    settle(take()[0], "failed")
    drained(take, settle)
    for number in (1, 2):
        assert do(webhooks.redeliver(job.id, number)).status == "pending"
    first, second = drained(take, settle)
    assert (first.number, first.tries, len(first.attempts), second.number) == (1, 0, 1, 2)
    assert [each.status for each in do(webhooks.list(job.id))] == ["delivered", "delivered"]
    assert do(webhooks.redeliver(job.id, 9)) is None
    with pytest.raises(JobNotFound):
        do(webhooks.redeliver(new_job_id(), 1))
    with pytest.raises(JobNotFound):
        do(webhooks.redeliver(job.id, 1, owner="stranger"))


def test_a_pending_delivery_has_its_turn_at_once_by_hand(
    submit: Any, take: Any, settle: Any, webhooks: Webhooks, do: Do
) -> None:
    job = submit(events=ALL)
    settle(take()[0], "retry", wait_seconds=3600)
    assert do(webhooks.redeliver(job.id, 1)).status == "pending"
    (claimed,) = take()
    # While it is under way nobody else gets it.
    assert do(webhooks.redeliver(job.id, 1)).status == "pending"
    assert take() == ()
    assert settle(claimed)


def test_the_deliveries_of_a_final_job_end_after_its_record(
    submit: Any,
    claim_job: Any,
    store: Store,
    take: Any,
    settle: Any,
    do: Do,
    client: redis.Redis,
    keys: Keys,
    webhooks: Webhooks,
) -> None:
    job = submit(events=ALL)
    hook, outbox = f"{keys.job(job.id)}:webhook", f"{keys.job(job.id)}:outbox"
    run_to_end(store, do, claim_job())
    three_days = 3 * 24 * 3600
    assert client.ttl(hook) - client.ttl(keys.job(job.id)) > three_days
    assert client.ttl(outbox) - client.ttl(keys.job(job.id)) > three_days
    drained(take, settle)
    assert client.exists(outbox) == 0
    do(webhooks.redeliver(job.id, 1))
    assert client.ttl(outbox) > three_days
    # The record's time is over: what is pending is delivered all the same.
    client.delete(keys.job(job.id), keys.events(job.id))
    assert [each.number for each in drained(take, settle)] == [1]


def test_a_deleted_job_is_told_of_no_more(
    submit: Any, store: Store, take: Any, settle: Any, do: Do, client: redis.Redis, keys: Keys
) -> None:
    job = submit(events=ALL)
    (claimed,) = take()
    do(store.cancel(job.id))
    do(store.delete(job.id))
    assert not settle(claimed)
    assert take() == ()
    assert client.exists(f"{keys.job(job.id)}:webhook", f"{keys.job(job.id)}:outbox") == 0
    assert client.zscore(f"{keys.namespace}:outboxes", job.id) is None


def test_of_very_many_deliveries_the_last_are_kept(
    submit: Any, claim_job: Any, store: Store, take: Any, settle: Any, webhooks: Webhooks, do: Do
) -> None:
    job = submit(events=["job.epoch"])
    claim = claim_job()
    do(store.report(job.id, claim.fence, Report(1, epochs=tuple(epoch(n) for n in range(1, 1005)))))
    assert len(drained(take, settle)) == 1004
    kept = do(webhooks.list(job.id, limit=2000))
    assert [each.id for each in kept] == [delivery_id(job.id, n) for n in range(5, 1005)]
    assert [each.id for each in do(webhooks.list(job.id, after=3, limit=2))] == [kept[0].id, kept[1].id]


@pytest.mark.parametrize("damaged", ["webhook", "outbox"])
def test_no_job_fails_by_a_damaged_webhook(
    submit: Any, claim_job: Any, store: Store, take: Any, do: Do, client: redis.Redis, keys: Keys, damaged: str
) -> None:
    job = submit(events=ALL)
    claim = claim_job()
    key = f"{keys.job(job.id)}:{damaged}"
    client.delete(key)
    client.set(key, "x")
    run_to_end(store, do, claim)
    assert do(store.get(job.id)).status in TERMINAL
    assert take() == ()
    client.delete(key)


def test_a_message_that_cannot_be_read_says_so(submit: Any, take: Any, client: redis.Redis, keys: Keys) -> None:
    for damage in ("", "[]", "{", json.dumps({"type": "job.new"})):
        job = submit(events=ALL)
        client.hset(f"{keys.job(job.id)}:webhook", "what:1", damage)
        (claimed,) = take()
        with pytest.raises(ValueError, match="cannot be read"):
            claimed.message()
