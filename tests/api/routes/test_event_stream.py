"""A job's events as they happen, over a real server: complete, in order, each once, whatever is cut off."""

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import redis

from gradientd import Client
from jobs.api_keys import Scope, new_key, new_secret
from jobs.ids import new_job_id
from jobs.record import Event, Progress
from jobs.report import Report
from jobs.settings import Settings
from jobs.states import Phase, Reason, Status
from store.api_keys import KeyRing
from store.jobs import Claim, Store
from store.keys import Keys
from store.lanes import Lanes
from tests.api.conftest import Do, epoch
from tests.api.test_main import serving
from tests.conftest import free_port, wait_until
from tests.gradientd.client.blocking import BlockingClient

STREAM = {"accept": "text/event-stream"}


@dataclass
class Received:
    """What came of a stream so far."""

    events: list[dict[str, str]] = field(default_factory=list)
    comments: int = 0
    ended: bool = False

    @property
    def kept(self) -> list[dict[str, str]]:
        """Those that have an id."""
        return [event for event in self.events if "id" in event]

    @property
    def last_id(self) -> str:
        return self.kept[-1]["id"] if self.kept else ""


def read(answer: httpx.Response, into: Received) -> Iterator[dict[str, str]]:
    """The events of an answer, by the rules of the HTML standard."""
    event: dict[str, str] = {}
    for line in answer.iter_lines():
        if line.startswith(":"):
            into.comments += 1
        elif line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            if "data" in event:
                into.events.append(event)
                yield event
            event = {}
    into.ended = True


@contextmanager
def listening(url: str, job_id: str = "", *, after: str = "", **headers: str) -> Iterator[Received]:
    """Read a stream in a thread of its own: that of a job, or of all."""
    path = f"/v1/jobs/{job_id}/events" if job_id else "/v1/events"
    received = Received()
    given = {**STREAM, **headers, **({"last-event-id": after} if after else {})}
    with (
        httpx.Client(base_url=url, trust_env=False, timeout=30) as http,
        http.stream("GET", path, headers=given) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")

        def listen() -> None:
            try:
                for _ in read(answer, received):
                    pass
            except (httpx.TransportError, httpx.StreamError):
                received.ended = True

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield received
        finally:
            if not received.ended:
                answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            thread.join(10)


def got(received: Received, count: int) -> None:
    wait_until(lambda: len(received.kept) >= count, what=f"{count} events, not {len(received.kept)}")


@pytest.fixture
def server(settings: Settings, client: redis.Redis) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with serving(settings) as (process, url):
        yield process, url


@pytest.fixture
def url(server: tuple[subprocess.Popen[str], str]) -> str:
    return server[1]


@pytest.fixture
def claim_of(store: Store, do: Do) -> Callable[[], Claim]:
    def claim() -> Claim:
        taken = do(store.claim("w1", token=new_job_id(), lanes=Lanes.served_by(gpus=0)))
        assert taken
        return taken

    return claim


def submitted(url: str) -> str:
    return httpx.post(f"{url}/v1/jobs", json={}, trust_env=False).json()["id"]


def page_of(url: str, job_id: str) -> list[dict[str, Any]]:
    return httpx.get(f"{url}/v1/jobs/{job_id}/events?limit=1000", trust_env=False).json()["data"]


def test_a_finished_job_is_replayed_and_its_stream_ends(url: str) -> None:
    job_id = submitted(url)
    httpx.post(f"{url}/v1/jobs/{job_id}/cancel", trust_env=False)
    with listening(url, job_id) as received:
        wait_until(lambda: received.ended, what="the end")
    page = page_of(url, job_id)
    assert [event["event"] for event in received.events] == ["status", "status", "done"]
    assert [json.loads(event["data"]) for event in received.events] == page
    assert [event["id"] for event in received.events] == [event["id"] for event in page]
    assert page[-1]["data"] == {"status": "cancelled", "reason": "user_requested"}
    assert page[-1]["at"] == page[-2]["at"]
    path = f"{url}/v1/jobs/{job_id}/events"
    # A browser that is told 204 does not connect again.
    for known in (received.last_id, "99-1"):
        again = httpx.get(path, headers={**STREAM, "last-event-id": known}, trust_env=False)
        assert again.status_code == 204
    with listening(url, job_id, after=received.events[0]["id"]) as rest:
        wait_until(lambda: rest.ended, what="the end")
    assert rest.events == received.events[1:]


def test_what_happens_is_told_at_once_and_progress_has_no_id(
    url: str, store: Store, do: Do, claim_of: Callable[[], Claim]
) -> None:
    job_id = submitted(url)
    with listening(url, job_id) as received:
        got(received, 1)
        fence = claim_of().fence
        do(store.report(job_id, fence, Report(1, phase=Phase.TRAINING, epochs=(epoch(1),))))
        got(received, 3)
        do(store.report(job_id, fence, Report(2, progress=Progress(epochs=10, steps=50, step=7, percent=14))))
        wait_until(lambda: '"step":7' in received.events[-1]["data"], what="the progress")
        do(store.finish(job_id, fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
        wait_until(lambda: received.ended, what="the end")
    assert [event["event"] for event in received.kept] == ["status", "status", "metric", "status", "done"]
    assert [json.loads(event["data"]) for event in received.kept] == page_of(url, job_id)
    live = [event for event in received.events if "id" not in event]
    assert {event["event"] for event in live} == {"progress"}
    assert json.loads(live[-1]["data"])["phase"] == "training"


def test_a_reader_who_is_cut_off_twenty_times_has_every_event_once(
    url: str, store: Store, do: Do, claim_of: Callable[[], Claim]
) -> None:
    job_id = submitted(url)
    fence = claim_of().fence
    seen: list[dict[str, str]] = []
    last = ""
    for n in range(1, 21):
        with listening(url, job_id, after=last) as received:
            do(store.report(job_id, fence, Report(2 * n - 1, epochs=(epoch(2 * n - 1),))))
            wait_until(lambda seen=received: seen.kept, what="an event")
        # Between two connections, too.
        do(store.report(job_id, fence, Report(2 * n, epochs=(epoch(2 * n),))))
        seen += received.kept
        last = seen[-1]["id"]
    do(store.finish(job_id, fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
    with listening(url, job_id, after=last) as received:
        wait_until(lambda: received.ended, what="the end")
    assert [json.loads(event["data"]) for event in seen + received.kept] == page_of(url, job_id)


def test_many_readers_share_one_subscription_and_none_stays(
    url: str, client: redis.Redis, keys: Keys, store: Store, do: Do, claim_of: Callable[[], Claim]
) -> None:
    job_id = submitted(url)
    subscribers = lambda: client.pubsub_numsub(keys.changes(job_id))[0][1]  # noqa: E731
    with listening(url, job_id) as one, listening(url, job_id) as two, listening(url, job_id) as three:
        for received in (one, two, three):
            got(received, 1)
        assert subscribers() == 1
        fence = claim_of().fence
        for received in (one, two, three):
            got(received, 2)
        do(store.report(job_id, fence, Report(1, epochs=(epoch(1),))))
        for received in (one, two, three):
            got(received, 3)
        assert one.kept == two.kept == three.kept
    wait_until(lambda: subscribers() == 0, what="the end of the subscription")


def test_a_stop_of_the_server_says_nothing_about_the_job(server: tuple[subprocess.Popen[str], str]) -> None:
    process, url = server
    job_id = submitted(url)
    with listening(url, job_id) as received:
        got(received, 1)
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: received.ended, what="the end")
    assert [event["event"] for event in received.kept] == ["status"]
    _, logged = process.communicate(timeout=15)
    assert process.returncode == 0, logged
    assert "Traceback" not in logged


def test_a_bad_last_event_id_is_refused(url: str) -> None:
    path = f"{url}/v1/jobs/{submitted(url)}/events"
    for cursor in ("x", "1", "1-", "1-1-1", "(1-1"):
        answer = httpx.get(path, headers={**STREAM, "last-event-id": cursor}, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor"), cursor
        assert answer.json()["errors"][0]["parameter"] == "Last-Event-ID"


def test_an_event_that_has_not_happened_is_no_place_to_go_on_behind(url: str) -> None:
    job_id = submitted(url)
    path, headers = f"{url}/v1/jobs/{job_id}/events", {**STREAM, "last-event-id": "99-99"}
    answer = httpx.get(path, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")
    with listening(url, job_id, after="0-1") as received:
        httpx.post(f"{url}/v1/jobs/{job_id}/cancel", trust_env=False)
        wait_until(lambda: received.ended, what="the end")
    assert [event["event"] for event in received.kept] == ["status", "done"]


@pytest.mark.slow
def test_a_stream_ends_with_its_key(
    settings: Settings, client: redis.Redis, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIENTD_AUTH", "required")
    ring, secret = KeyRing.of(settings), new_secret()
    key = new_key(secret, owner="a", scopes=(Scope.READ, Scope.SUBMIT))
    do(ring.create(key))
    authorization = f"Bearer {secret}"
    with serving(settings) as (_, url):
        answer = httpx.post(f"{url}/v1/jobs", json={}, headers={"authorization": authorization}, trust_env=False)
        job_id = answer.json()["id"]
        with listening(url, job_id, authorization=authorization) as received:
            got(received, 1)
            do(ring.revoke(key.id))
            wait_until(lambda: received.ended, what="the end", timeout_seconds=15)
    assert [event["event"] for event in received.kept] == ["status"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Client, BlockingClient], ids=["sync", "async"])
def test_the_client_follows_over_a_server_that_is_killed(
    settings: Settings,
    client: redis.Redis,
    store: Store,
    do: Do,
    claim_of: Callable[[], Claim],
    kind: Callable[[str], AbstractContextManager[Any]],
) -> None:
    port = free_port()
    told: list[Any] = []
    with serving(settings, port=port) as (first, url), kind(url) as http:
        job_id = submitted(url)
        fence = claim_of().fence
        thread = threading.Thread(target=lambda: told.extend(http.events(job_id, progress=True)))
        thread.start()
        for n in range(1, 6):
            do(store.report(job_id, fence, Report(n, epochs=(epoch(n),))))
        wait_until(lambda: told, what="the first event")
        first.kill()
        first.wait()
        do(store.report(job_id, fence, Report(6, epochs=(epoch(6),))))
        with serving(settings, port=port):
            do(store.report(job_id, fence, Report(7, epochs=(epoch(7),))))
            do(store.finish(job_id, fence, Status.SUCCEEDED, reason=Reason.COMPLETED))
            thread.join(30)
            assert not thread.is_alive()
            events = [each.model_dump(mode="json") for each in told if isinstance(each, Event)]
            assert events == page_of(url, job_id)
    assert [event["type"] for event in events] == ["status", "status", *["metric"] * 7, "status", "done"]
