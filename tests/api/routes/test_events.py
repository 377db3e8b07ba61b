"""The events of all jobs: in one order, each once, of nobody else's jobs, whatever is cut off."""

import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import redis

from gradientd import Client
from jobs.api_keys import Scope, new_key, new_secret
from jobs.record import Progress
from jobs.report import Report
from jobs.settings import Settings
from jobs.states import Phase, Reason, Status
from store.api_keys import KeyRing
from store.jobs import Claim, Store
from store.keys import Keys
from tests.api.conftest import Do, assert_problem, epoch
from tests.api.routes.test_event_stream import Received, claim_of, got, listening, page_of, server, submitted, url
from tests.api.test_main import serving
from tests.conftest import free_port, wait_until

__all__ = ["claim_of", "server", "url"]


def all_of(url: str, **params: Any) -> dict[str, Any]:
    return httpx.get(f"{url}/v1/events", params={"limit": 1000, **params}, trust_env=False).json()


def told(received: Received) -> list[dict[str, Any]]:
    """The events, without where the stream begins."""
    return [json.loads(event["data"]) for event in received.kept if event["event"] not in ("ready", "reset")]


def test_all_jobs_are_told_in_one_order(url: str, store: Store, do: Do, claim_of: Callable[[], Claim]) -> None:
    before = submitted(url)
    with listening(url) as received:
        got(received, 1)
        assert [event["event"] for event in received.events] == ["ready"]
        one, two = submitted(url), submitted(url)
        first = claim_of()
        assert first.job.id == before
        do(store.report(before, first.fence, Report(1, phase=Phase.TRAINING, epochs=(epoch(1),))))
        do(store.finish(before, first.fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
        httpx.post(f"{url}/v1/jobs/{one}/cancel", trust_env=False)
        got(received, 9)
    events = told(received)
    assert [(event["job_id"], event["type"]) for event in events] == [
        (one, "status"),
        (two, "status"),
        (before, "status"),
        (before, "metric"),
        (before, "status"),
        (before, "done"),
        (one, "status"),
        (one, "done"),
    ]
    page = all_of(url)
    assert page["data"][1:] == events
    assert page["data"][0]["job_id"] == before
    # As each job's own history has them.
    for job_id in (before, one, two):
        own = [{**event, "id": event["job_event_id"]} for event in page["data"] if event["job_id"] == job_id]
        for event in own:
            del event["job_id"], event["job_event_id"]
        assert own == page_of(url, job_id)


def test_a_reader_who_is_cut_off_has_every_event_once(
    url: str, store: Store, do: Do, claim_of: Callable[[], Claim]
) -> None:
    with listening(url) as received:
        got(received, 1)
    last, seen = received.last_id, list[dict[str, Any]]()
    job_id = submitted(url)
    fence = claim_of().fence
    for n in range(1, 11):
        do(store.report(job_id, fence, Report(2 * n - 1, epochs=(epoch(2 * n - 1),))))
        with listening(url, after=last) as received:
            do(store.report(job_id, fence, Report(2 * n, epochs=(epoch(2 * n),))))
            got(received, 2)
        seen += told(received)
        last = received.last_id
    assert seen == all_of(url)["data"][: len(seen)]
    with listening(url, after=last) as received:
        do(store.finish(job_id, fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
        wait_until(lambda: told(received)[-1:] and told(received)[-1]["type"] == "done", what="done")
    assert seen + told(received) == all_of(url)["data"]


def test_progress_is_told_of_each_job_and_kept_nowhere(
    url: str, store: Store, do: Do, claim_of: Callable[[], Claim]
) -> None:
    job_id = submitted(url)
    fence = claim_of().fence
    with listening(url) as received:
        got(received, 1)
        for step in (7, 8):
            do(store.report(job_id, fence, Report(step, progress=Progress(epochs=10, steps=50, step=step))))
        wait_until(lambda: any('"step":8' in event["data"] for event in received.events), what="the last progress")
        live = [json.loads(event["data"]) for event in received.events if event["event"] == "progress"]
        assert {each["job_id"] for each in live} == {job_id}
        assert all("id" not in event for event in received.events if event["event"] == "progress")
    assert [event["type"] for event in all_of(url)["data"]] == ["status", "status"]


def test_a_deleted_job_is_told_no_more(url: str) -> None:
    gone, kept = submitted(url), submitted(url)
    httpx.post(f"{url}/v1/jobs/{gone}/cancel", trust_env=False)
    assert httpx.delete(f"{url}/v1/jobs/{gone}", trust_env=False).status_code == 204
    assert [event["job_id"] for event in all_of(url)["data"]] == [kept]


def test_pages_lead_through_all(url: str) -> None:
    jobs = [submitted(url) for _ in range(5)]
    first = all_of(url, limit=2)
    assert first["has_more"]
    second = all_of(url, limit=3, after=first["last_id"])
    assert not second["has_more"]
    assert [event["job_id"] for event in first["data"] + second["data"]] == jobs
    assert all_of(url, after=second["last_id"])["data"] == []


def test_one_who_comes_back_too_late_is_told(url: str, client: redis.Redis, keys: Keys) -> None:
    submitted(url)
    known = all_of(url)["last_id"]
    for _ in range(3):
        submitted(url)
    client.xtrim(keys.feed, maxlen=1, approximate=False)
    answer = httpx.get(f"{url}/v1/events", params={"after": known}, trust_env=False)
    assert_problem(answer, 422, "invalid_cursor")
    with listening(url, after=known) as received:
        got(received, 1)
        assert [event["event"] for event in received.events] == ["reset"]
        job_id = submitted(url)
        got(received, 2)
    assert [event["job_id"] for event in told(received)] == [job_id]


def test_a_store_that_was_emptied_is_told_too(url: str, client: redis.Redis, keys: Keys) -> None:
    submitted(url)
    with listening(url) as received:
        got(received, 1)
        client.delete(keys.feed)
        submitted(url)
        wait_until(lambda: received.ended or len(received.kept) > 1, what="the next event, or the end")
    with listening(url, after="99999999999999-0") as received:
        got(received, 1)
        assert received.events[0]["event"] == "reset"


@pytest.fixture
def owners(settings: Settings, do: Do, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str]]:
    """Authorizations and ids of keys, by owner."""
    monkeypatch.setenv("GRADIENTD_AUTH", "required")
    made: dict[str, tuple[str, str]] = {}
    for owner, scopes in {
        "a": (Scope.READ, Scope.SUBMIT),
        "b": (Scope.READ, Scope.SUBMIT),
        "root": (Scope.ADMIN,),
    }.items():
        secret = new_secret()
        key = new_key(secret, owner=owner, scopes=scopes)
        do(KeyRing.of(settings).create(key))
        made[owner] = (f"Bearer {secret}", key.id)
    return made


def test_nobody_hears_of_the_jobs_of_others(
    owners: dict[str, tuple[str, str]], settings: Settings, url: str, do: Do
) -> None:
    def submit(owner: str) -> str:
        answer = httpx.post(f"{url}/v1/jobs", json={}, headers={"authorization": owners[owner][0]}, trust_env=False)
        return answer.json()["id"]

    with ExitStack() as exits:
        ears = {owner: exits.enter_context(listening(url, authorization=key)) for owner, (key, _) in owners.items()}
        for received in ears.values():
            got(received, 1)
        jobs = {owner: submit(owner) for owner in ("a", "b")}
        for received in (ears["a"], ears["b"]):
            got(received, 2)
        got(ears["root"], 3)
        heard = {owner: [event["job_id"] for event in told(received)] for owner, received in ears.items()}
        assert heard == {"a": [jobs["a"]], "b": [jobs["b"]], "root": [jobs["a"], jobs["b"]]}
        # Progress, which has no id, as little.
        for owner in ("a", "b"):
            others = jobs["b" if owner == "a" else "a"]
            assert not any(others in event["data"] for event in ears[owner].events)
        do(KeyRing.of(settings).revoke(owners["b"][1]))
        wait_until(lambda: ears["b"].ended, what="the end of the stream of a revoked key", timeout_seconds=15)
        assert not ears["a"].ended


@pytest.mark.slow
def test_the_client_follows_all_jobs_over_a_server_that_is_killed(
    settings: Settings, client: redis.Redis, store: Store, do: Do, claim_of: Callable[[], Claim]
) -> None:
    port = free_port()
    heard: list[Any] = []
    with serving(settings, port=port) as (first, url), Client(url) as http:

        def listen() -> None:
            for event in http.all_events(progress=True):
                heard.append(event)
                if event.object == "training.event" and event.type == "done":
                    return

        thread = threading.Thread(target=listen)
        thread.start()
        jobs: list[str] = []

        def one_is_heard() -> bool:
            jobs.append(submitted(url))
            return bool(heard)

        wait_until(one_is_heard, what="the first event")
        fence = claim_of().fence
        do(store.report(jobs[0], fence, Report(1, epochs=(epoch(1),))))
        first.kill()
        first.wait()
        do(store.report(jobs[0], fence, Report(2, epochs=(epoch(2),))))
        with serving(settings, port=port):
            do(store.report(jobs[0], fence, Report(3, epochs=(epoch(3),))))
            do(store.finish(jobs[0], fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
            thread.join(30)
            assert not thread.is_alive()
            page = all_of(url)["data"]
    events = [event.model_dump(mode="json") for event in heard if event.object == "training.event"]
    assert events == page[-len(events) :]
    assert [event["type"] for event in events if event["job_id"] == jobs[0]][-6:] == [
        "status",
        *["metric"] * 3,
        "status",
        "done",
    ]


def test_one_who_comes_while_the_last_one_leaves_is_served(url: str) -> None:
    job_id = submitted(url)
    for _ in range(30):
        with listening(url) as first:
            got(first, 1)
        with listening(url) as received:
            got(received, 1)
            httpx.post(f"{url}/v1/jobs/{job_id}/pause", trust_env=False)
            httpx.post(f"{url}/v1/jobs/{job_id}/resume", trust_env=False)
            got(received, 3)
            assert not received.ended
