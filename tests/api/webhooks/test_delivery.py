"""Receivers that are down, slow, failing or hanging are told everything in order, once they can be."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import pytest

import api.services
from api.app import create_app
from api.background import webhook_delivery
from api.background.webhook_delivery import verdict
from api.webhooks import addresses
from api.webhooks.sender import Answer, Sender
from jobs.api_keys import Scope, new_key, new_secret
from jobs.ids import new_job_id
from jobs.report import Report
from jobs.settings import Settings
from jobs.states import Reason, Status
from jobs.webhook import Webhook, WebhookEvent
from jobs.webhook_messages import WAITS, delivery_id
from store.api_keys import KeyRing
from store.jobs import Claim, Store
from store.webhooks import Claimed
from tests.api.conftest import Do, assert_problem, epoch, talk_to, until
from tests.api.webhooks.receiver import OK, SECRET, Receiver, answer, drop, hang
from tests.conftest import free_port, wait_until

pytestmark = pytest.mark.anyio
ALL = list(WebhookEvent.__args__)
HANGS = pytest.mark.parametrize("request_seconds", [0.5], ids=["soon given up"])
TOLD = ["job.queued", "job.running", "job.epoch", "job.epoch", "job.succeeded"]


@pytest.fixture
def request_seconds() -> float:
    """When a request is given up. A receiver on a busy machine has the usual time: else it would be told twice."""
    return 15.0


@pytest.fixture
def settings(settings: Settings, request_seconds: float, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a server that may call this machine, and tries again soon."""
    monkeypatch.setattr(api.services, "Sender", partial(Sender, total_seconds=request_seconds))
    monkeypatch.setattr(webhook_delivery, "POLL_SECONDS", 0.05)
    return settings.model_copy(update={"webhooks_allow_private": True, "webhook_retry_seconds": 0.02})


@pytest.fixture
def train(submit: Any, claim: Callable[[], Claim], store: Store, do: Do) -> Callable[..., Any]:
    """Submit a job with a webhook, and do a worker's work for it."""

    async def train(url: str, **webhook: Any) -> str:
        job = await submit(webhook={"url": url, "secret": SECRET, "events": ALL, **webhook}, metadata={"team": "é"})
        fence = claim().fence
        do(store.report(job["id"], fence, Report(1, epochs=(epoch(1),))))
        do(store.report(job["id"], fence, Report(2, epochs=(epoch(2),))))
        do(store.finish(job["id"], fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
        return job["id"]

    return train


async def deliveries(http: httpx.AsyncClient, job_id: str, **query: Any) -> list[dict[str, Any]]:
    answered = await http.get(f"/v1/jobs/{job_id}/webhook-deliveries", params=query)
    assert answered.status_code == 200, answered.text
    return answered.json()["data"]


async def once(http: httpx.AsyncClient, job_id: str, holds: Callable[[list[dict[str, Any]]], bool]) -> list[Any]:
    """The job's deliveries, once this holds of them."""
    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(20):
            while not (found and holds(found)):
                await asyncio.sleep(0.01)
                found = await deliveries(http, job_id)
    except TimeoutError:
        pytest.fail(f"in vain: {found}")
    return found


async def all_settled(http: httpx.AsyncClient, job_id: str) -> list[dict[str, Any]]:
    """The job's deliveries, once none is pending."""
    return await once(http, job_id, lambda found: all(each["status"] != "pending" for each in found))


def types(receiver: Receiver) -> list[str]:
    return [message["type"] for message in receiver.messages]


async def test_all_is_told_in_order_as_it_is_in_the_history(
    http: httpx.AsyncClient, receiver: Receiver, train: Any
) -> None:
    job_id = await train(receiver.url)
    assert [each["status"] for each in await all_settled(http, job_id)] == ["delivered"] * 5
    assert types(receiver) == TOLD
    assert [told.headers["webhook-id"] for told in receiver.told] == [delivery_id(job_id, n) for n in range(1, 6)]
    events = {event["id"]: event for event in (await http.get(f"/v1/jobs/{job_id}/events")).json()["data"]}
    for message in receiver.messages:
        event = events[message["data"]["event_id"]]
        assert (message["timestamp"], message["data"]["job_id"]) == (event["at"], job_id)
        if message["type"] == "job.epoch":
            assert message["data"]["epoch"] == event["data"]
    job = (await http.get(f"/v1/jobs/{job_id}")).json()
    last = receiver.messages[-1]["data"]
    assert (last["metrics"], last["metadata"], last["status"]) == (job["metrics"], {"team": "é"}, "succeeded")


async def test_by_default_only_the_end_is_told(http: httpx.AsyncClient, receiver: Receiver, submit: Any) -> None:
    job = await submit(webhook={"url": receiver.url, "secret": SECRET})
    await http.post(f"/v1/jobs/{job['id']}/cancel")
    await all_settled(http, job["id"])
    assert types(receiver) == ["job.cancelled"]


async def test_a_receiver_that_was_down_is_told_all_once_it_is_back(
    http: httpx.AsyncClient, receivers: Callable[..., Receiver], train: Any, do: Do, store: Store
) -> None:
    receiver = receivers(is_up=False)
    job_id = await train(receiver.url)
    assert do(store.get(job_id)).status is Status.SUCCEEDED  # whatever the receiver does
    assert len(await deliveries(http, job_id)) == 5
    head, *behind = await once(http, job_id, lambda found: len(found[0]["attempts"]) >= 3)
    assert {each["error"] for each in head["attempts"]} == {"connection_failed"}
    assert [each["attempts"] for each in behind] == [[]] * 4
    receiver.start()
    await all_settled(http, job_id)
    assert types(receiver) == TOLD


@HANGS
async def test_failures_of_all_kinds_change_neither_order_nor_ids(
    http: httpx.AsyncClient, receivers: Callable[..., Receiver], train: Any
) -> None:
    elsewhere = receivers()
    troubles = [answer(500), hang, drop, answer(429), OK, answer(302, f"location: {elsewhere.url}"), hang, answer(404)]
    receiver = receivers(*troubles)
    job_id = await train(receiver.url)
    found = await all_settled(http, job_id)
    assert [each["status"] for each in found] == ["delivered"] * 5
    first, second, *others = found
    assert [(each["status_code"], each["error"]) for each in first["attempts"]] == [
        (500, None),
        (None, "timed_out"),
        (None, "no_answer"),
        (429, None),
        (204, None),
    ]
    assert [each["status_code"] for each in second["attempts"]] == [302, None, 404, 204]
    assert [len(each["attempts"]) for each in others] == [1, 1, 1]
    assert types(receiver) == [TOLD[0]] * 5 + [TOLD[1]] * 4 + TOLD[2:]
    ids = [told.headers["webhook-id"] for told in receiver.told]
    assert ids == [first["id"]] * 5 + [second["id"]] * 4 + [each["id"] for each in others]
    assert elsewhere.told == []


async def test_a_slow_receiver_has_one_request_of_a_job_at_a_time(
    http: httpx.AsyncClient, receiver: Receiver, train: Any
) -> None:
    under_way, most = 0, 0

    def slow(connection: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        connection.settimeout(0.1)
        try:
            connection.recv(1)
        except TimeoutError:
            under_way -= 1
            OK(connection)

    receiver.behaviour = slow
    job_id = await train(receiver.url)
    await all_settled(http, job_id)
    assert (types(receiver), most) == (TOLD, 1)
    assert all(later.at - earlier.at >= 0.1 for earlier, later in pairwise(receiver.told))


@HANGS
async def test_a_receiver_that_hangs_delays_no_other(
    http: httpx.AsyncClient, receivers: Callable[..., Receiver], train: Any
) -> None:
    hanging, well = receivers(), receivers()
    hanging.behaviour = hang
    for _ in range(3):
        await train(hanging.url)
    job_id = await train(well.url.replace("127.0.0.1", "localhost"))
    await all_settled(http, job_id)
    assert types(well) == TOLD
    assert {message["type"] for message in hanging.messages} == {"job.queued"}


async def test_two_processes_tell_each_thing_once(
    http: httpx.AsyncClient, receiver: Receiver, train: Any, settings: Settings
) -> None:
    second = create_app(settings)
    async with second.router.lifespan_context(second):
        jobs = [await train(receiver.url) for _ in range(10)]
        for job_id in jobs:
            await all_settled(http, job_id)
    for job_id in jobs:
        assert [m["type"] for m in receiver.messages if m["data"]["job_id"] == job_id] == TOLD
    assert len({told.headers["webhook-id"] for told in receiver.told}) == len(receiver.told) == 50


async def test_what_is_given_up_lets_the_next_follow(
    http: httpx.AsyncClient, receivers: Callable[..., Receiver], train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "WAITS", (1, 1))
    receiver = receivers(*[answer(500)] * 3)
    found = await all_settled(http, await train(receiver.url))
    assert [(each["status"], len(each["attempts"])) for each in found] == [("failed", 3)] + [("delivered", 1)] * 4
    assert types(receiver) == [TOLD[0]] * 3 + TOLD[1:]
    told = (await http.get("/metrics")).text
    assert 'gradientd_webhook_attempts_total{outcome="failed"} 3.0' in told
    assert 'gradientd_webhook_deliveries_total{outcome="delivered"} 4.0' in told
    assert 'gradientd_webhook_deliveries_total{outcome="failed"} 1.0' in told


async def test_a_receiver_that_is_gone_is_not_called_again(
    http: httpx.AsyncClient, receivers: Callable[..., Receiver], train: Any
) -> None:
    receiver = receivers(OK, answer(410))
    found = await all_settled(http, await train(receiver.url))
    assert [each["status"] for each in found][:2] == ["delivered", "failed"]
    assert "delivered" not in [each["status"] for each in found][1:]
    assert types(receiver) == TOLD[:2]


async def test_a_message_is_sent_again_by_hand(http: httpx.AsyncClient, receiver: Receiver, train: Any) -> None:
    job_id = await train(receiver.url)
    path, found = f"/v1/jobs/{job_id}/webhook-deliveries", await all_settled(http, job_id)
    again = await http.post(f"{path}/{found[2]['id']}/redeliver")
    assert (again.status_code, again.json()["status"], again.json()["id"]) == (202, "pending", found[2]["id"])
    assert (await all_settled(http, job_id))[2]["status"] == "delivered"
    assert types(receiver) == [*TOLD, "job.epoch"]
    assert receiver.told[5].body == receiver.told[2].body
    assert receiver.told[5].headers["webhook-id"] == receiver.told[2].headers["webhook-id"]
    for unknown in (delivery_id(job_id, 99), delivery_id(new_job_id(), 1), "msg_1", f"{found[0]['id']}x"):
        assert_problem(await http.post(f"{path}/{unknown}/redeliver"), 404, "webhook_delivery_not_found")
    other = new_job_id()
    lost = await http.post(f"/v1/jobs/{other}/webhook-deliveries/{delivery_id(other, 1)}/redeliver")
    assert_problem(lost, 404, "job_not_found")


async def test_deliveries_come_page_by_page(http: httpx.AsyncClient, receiver: Receiver, train: Any) -> None:
    job_id = await train(receiver.url)
    whole = await all_settled(http, job_id)
    assert len(whole) == 5
    path, page, seen = f"/v1/jobs/{job_id}/webhook-deliveries", {"last_id": "", "has_more": True}, []
    while page["has_more"]:
        page = (await http.get(path, params={"after": page["last_id"], "limit": 2})).json()
        seen += page["data"]
    assert seen == whole
    for cursor in ("x", "msg_1", delivery_id(new_job_id(), 1)):
        assert_problem(await http.get(path, params={"after": cursor}), 422, "invalid_cursor")
    assert_problem(await http.get(f"/v1/jobs/{new_job_id()}/webhook-deliveries"), 404, "job_not_found")


async def test_a_job_without_a_webhook_has_no_deliveries(http: httpx.AsyncClient, submit: Any) -> None:
    job = await submit()
    assert await deliveries(http, job["id"]) == []


async def test_a_process_that_is_killed_amid_a_request_leaves_it_to_another(
    http: httpx.AsyncClient, app: Any, receivers: Callable[..., Receiver], settings: Settings, submit: Any
) -> None:
    receiver = receivers(hang)
    # A process of its own, whose hold of a delivery lasts for a second.
    program = "import api.background.webhook_delivery as w; w.HOLD_SECONDS = 1.0; import api.__main__ as m; m.main([])"
    environment = {
        **os.environ,
        "GRADIENTD_REDIS_URL": settings.redis_url.get_secret_value(),
        "GRADIENTD_NAMESPACE": settings.namespace,
        "GRADIENTD_DATA_DIR": str(settings.data_dir),
        "GRADIENTD_PORT": str(free_port()),
        "GRADIENTD_WEBHOOKS_ALLOW_PRIVATE": "true",
    }
    job = None
    with pytest.MonkeyPatch.context() as patch:
        # Until that one is killed this one delivers nothing.
        patch.setattr(webhook_delivery, "MOST_AT_ONCE", 0)
        process = subprocess.Popen(  # noqa: ASYNC220 (it only starts)
            [sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL
        )
        try:
            job = await submit(webhook={"url": receiver.url, "secret": SECRET, "events": ALL})
            await until(lambda: receiver.told, what="the first request", timeout_seconds=30)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert (await deliveries(http, job["id"]))[0]["attempts"] == []
    (delivered,) = await all_settled(http, job["id"])
    assert (delivered["status"], len(delivered["attempts"])) == ("delivered", 1)
    first, second = receiver.told
    assert (second.body, second.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])
    wait_until(lambda: process.poll() is not None, what="the process's end")


# --- what a spec may say, and what is shown of it -------------------------------------------------


async def test_the_secret_is_shown_nowhere(
    http: httpx.AsyncClient, receiver: Receiver, train: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    job_id = await train(receiver.url)
    await all_settled(http, job_id)
    webhook = {"url": receiver.url, "secret": SECRET, "events": ["job.epoch"]}
    shown = [await http.post("/v1/jobs?dry_run=true", json={"webhook": webhook})]
    repeatable = {"Idempotency-Key": "k"}
    shown += [await http.post("/v1/jobs", json={"webhook": webhook}, headers=repeatable) for _ in range(2)]
    assert shown[1].json()["id"] == shown[2].json()["id"]
    paths = ("", "/events", "/webhook-deliveries", "/metrics")
    shown += [await http.get(f"/v1/jobs/{job_id}{path}") for path in paths]
    shown += [await http.get(path) for path in ("/v1/jobs", "/metrics")]
    shown.append(await http.post(f"/v1/jobs/{shown[1].json()['id']}/cancel"))
    # Nor where it is refused.
    wrongs = ({**webhook, "secret": f"{SECRET}!"}, {**webhook, "events": [SECRET]}, {**webhook, "x": SECRET})
    shown += [await http.post("/v1/jobs", json={"webhook": wrong}) for wrong in wrongs]
    assert [each.status_code for each in shown] == [200, 202, 202, 200, 200, 200, 200, 200, 200, 200, 422, 422, 422]
    for each in shown:
        assert SECRET.removeprefix("whsec_") not in each.text
    job = (await http.get(f"/v1/jobs/{job_id}")).json()
    assert job["spec"]["webhook"] == {"url": receiver.url, "events": ALL}
    told = capfd.readouterr()
    assert "webhook_attempt" in told.out + told.err
    assert SECRET.removeprefix("whsec_") not in told.out + told.err


@pytest.mark.parametrize(
    ("webhook", "pointer"),
    [
        ({"url": "https://hooks.example.org/"}, "/webhook/secret"),
        ({"url": "https://hooks.example.org/", "secret": None}, "/webhook/secret"),
        ({"url": "https://hooks.example.org/", "secret": "whsec_c2hvcnQ="}, "/webhook/secret"),
        ({"url": "https://hooks.example.org/", "secret": "hunter2"}, "/webhook/secret"),
        ({"url": "ftp://hooks.example.org/", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://me:pass@hooks.example.org/", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://hooks.example.org/#x", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://hooks.example.org:0/", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://[::1/", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://[v1.a]/", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://a..b/", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://*/", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://%31%32%37.0.0.1/", "secret": SECRET}, "/webhook/url"),
        ({"url": f"https://{'x' * 64}.org/", "secret": SECRET}, "/webhook/url"),
        ({"url": f"https://{'x.' * 150}org/", "secret": SECRET}, "/webhook/url"),
        ({"url": "https:///x", "secret": SECRET}, "/webhook/url"),
        ({"url": "https://h.org/" + "x" * 2000, "secret": SECRET}, "/webhook/url"),
        ({"url": "https://hooks.example.org/", "secret": SECRET, "events": []}, "/webhook/events"),
        ({"url": "https://hooks.example.org/", "secret": SECRET, "events": ["job.nope"]}, "/webhook/events/0"),
        ({"url": "https://hooks.example.org/", "secret": SECRET, "events": ["job.epoch"] * 10}, "/webhook/events"),
        ({"secret": SECRET}, "/webhook/url"),
        ("https://hooks.example.org/", "/webhook"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused(http: httpx.AsyncClient, webhook: Any, pointer: str) -> None:
    problem = assert_problem(await http.post("/v1/jobs", json={"webhook": webhook}), 422, "invalid_spec")
    assert pointer in [error["pointer"] for error in problem["errors"]]


@pytest.fixture
async def guarded(settings: Settings, client: Any, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server that calls no private address."""
    app = create_app(settings.model_copy(update={"webhooks_allow_private": False}))
    async with app.router.lifespan_context(app), talk_to(app) as http:
        yield http


async def test_a_private_address_is_refused_and_a_name_of_one_not_called(
    guarded: httpx.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for query in ("", "?dry_run=true"):
        refused = await guarded.post(f"/v1/jobs{query}", json={"webhook": {"url": receiver.url, "secret": SECRET}})
        problem = assert_problem(refused, 422, "invalid_spec")
        assert [error["pointer"] for error in problem["errors"]] == ["/webhook/url"]

    # What means another machine when the job is submitted, and this one when the webhook is called.
    monkeypatch.setattr(addresses, "_looked_up", lambda host, port: {"rebound.example.org": ["127.0.0.1"]}[host])
    url = f"http://rebound.example.org:{receiver.port}/"
    webhook = {"url": url, "secret": SECRET, "events": ["job.queued"]}
    job = (await guarded.post("/v1/jobs", json={"webhook": webhook})).json()
    (head,) = await once(guarded, job["id"], lambda found: len(found[0]["attempts"]) >= 3)
    assert {each["error"] for each in head["attempts"]} == {"address_not_allowed"}
    assert receiver.told == []


@pytest.fixture
async def keyed(
    settings: Settings, receiver: Receiver, client: Any, do: Do, anyio_backend: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A server that asks for keys, and the client of one that has a webhook."""
    webhook = Webhook.model_validate({"url": f"{receiver.url}/key", "secret": SECRET, "events": ["job.queued"]})
    key = new_key(secret := new_secret(), owner="alice", scopes=[Scope.READ, Scope.SUBMIT], webhook=webhook)
    do(KeyRing.of(settings).create(key))
    app = create_app(settings.model_copy(update={"auth": "required"}))
    async with app.router.lifespan_context(app), talk_to(app) as http:
        http.headers["authorization"] = f"Bearer {secret}"
        yield http


async def test_jobs_that_name_no_webhook_have_their_keys(keyed: httpx.AsyncClient, receiver: Receiver) -> None:
    own = {"url": f"{receiver.url}/own", "secret": SECRET, "events": ["job.queued"]}
    by_key, by_spec, without = [
        (await keyed.post("/v1/jobs", json=body)).json() for body in ({}, {"webhook": own}, {"webhook": None})
    ]
    assert by_key["spec"]["webhook"] == {"url": f"{receiver.url}/key", "events": ["job.queued"]}
    assert without["spec"]["webhook"] is None
    for job in (by_key, by_spec):
        await all_settled(keyed, job["id"])
    assert await deliveries(keyed, without["id"]) == []
    told = {
        message["data"]["job_id"]: told.path for message, told in zip(receiver.messages, receiver.told, strict=True)
    }
    assert told == {by_key["id"]: "/hook/key", by_spec["id"]: "/hook/own"}


async def test_deliveries_of_others_are_not_seen(
    keyed: httpx.AsyncClient, receiver: Receiver, settings: Settings, do: Do
) -> None:
    job = (await keyed.post("/v1/jobs", json={})).json()
    (delivery,) = await all_settled(keyed, job["id"])
    stranger = new_key(secret := new_secret(), owner="bob", scopes=[Scope.READ, Scope.SUBMIT])
    do(KeyRing.of(settings).create(stranger))
    keyed.headers["authorization"] = f"Bearer {secret}"
    path = f"/v1/jobs/{job['id']}/webhook-deliveries"
    assert_problem(await keyed.get(path), 404, "job_not_found")
    assert_problem(await keyed.post(f"{path}/{delivery['id']}/redeliver"), 404, "job_not_found")
    assert len(receiver.told) == 1


# --- what becomes of an attempt -------------------------------------------------------------------


def claimed(tries: int = 0, *, age_seconds: float = 0) -> Claimed:
    since = datetime.now(UTC) - timedelta(seconds=age_seconds)
    return Claimed("job_1", 1, 1, "https://a.example", SECRET, "", "{}", (), tries, since)


def judged(answer: Answer, of: Claimed) -> tuple[str, float]:
    return verdict(answer, of, now=datetime.now(UTC), retry_seconds=1.0)


@pytest.mark.parametrize("status", [100, 199, 300, 301, 304, 399, 400, 401, 404, 409, 429, 500, 503, 599])
def test_all_but_success_is_tried_again(status: int) -> None:
    assert judged(Answer(status), claimed())[0] == "retry"


def test_success_and_farewell() -> None:
    assert [judged(Answer(status), claimed(99, age_seconds=1e7))[0] for status in (200, 204, 299)] == ["delivered"] * 3
    assert judged(Answer(410), claimed())[0] == "gone"


def test_waits_grow_to_hours_and_end() -> None:
    waits = [judged(Answer(500), claimed(tries))[1] for tries in range(len(WAITS))]
    assert all(0.9 * wait <= got <= 1.1 * wait for wait, got in zip(WAITS, waits, strict=True))
    assert sorted(WAITS) == list(WAITS)
    assert 3 * 24 * 3600 < sum(WAITS) < 4 * 24 * 3600
    assert judged(Answer(500), claimed(len(WAITS)))[0] == "failed"
    assert judged(Answer(error="timed_out"), claimed(3, age_seconds=1.2 * sum(WAITS)))[0] == "failed"
    assert judged(Answer(error="unreadable_record"), claimed())[0] == "failed"
