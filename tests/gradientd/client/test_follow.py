"""Following a job: no event is missed or repeated, and a short absence of the server is survived."""

from collections.abc import Callable

import httpx
import pytest

from gradientd.client import Client, Refused, ServerUnreachable
from gradientd.client.follow import Update, follow
from jobs.record import Event, Job
from jobs.states import Status
from tests.gradientd.samples import JOB_ID, dump, epoch_event, sample_job, status_event, succeeded_job


class Server:
    """Answers each poll with the next job, None standing for an absence; events up to the one the job is at."""

    def __init__(self, *jobs: Job | None, events: dict[int, list[Event]] | None = None) -> None:
        self.left = list(jobs)
        self.history: list[Event] = []
        self.events = events or {}
        self.polls = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            after = request.url.params.get("after")
            known = [event.id for event in self.history].index(after) + 1 if after else 0
            page = self.history[known : known + 2]
            return httpx.Response(200, json=dump(page) | {"has_more": len(self.history) > known + 2})
        self.polls += 1
        self.history += self.events.get(self.polls, [])
        job = self.left.pop(0)
        if job is None:
            raise httpx.ConnectError("connection refused")
        return httpx.Response(200, json=dump(job), headers={"ETag": f'"{self.polls}"'})


class Clock:
    """A clock that pauses move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def followed(server: Callable[[httpx.Request], httpx.Response], *, patience_seconds: float = 30.0) -> list[Update]:
    """All updates."""
    clock = Clock()
    with Client("http://train.test", max_retries=0, transport=httpx.MockTransport(server)) as client:
        updates = follow(client, JOB_ID, patience_seconds=patience_seconds, clock=clock, pause=clock.pause)
        return list(updates)


def running_job() -> Job:
    """A job that a worker has."""
    return sample_job(Status.RUNNING, worker="worker-1", attempt=1)


def test_updates_end_with_the_final_job_and_tell_every_event_once() -> None:
    events = {
        1: [status_event(1, Status.QUEUED)],
        2: [status_event(2, Status.RUNNING, attempt=1), epoch_event(3, 1), epoch_event(4, 2)],
        3: [epoch_event(5, 3), status_event(6, Status.SUCCEEDED, attempt=1)],
    }
    updates = followed(Server(sample_job(), running_job(), succeeded_job(), events=events))
    assert [update.job.status for update in updates] == [Status.QUEUED, Status.RUNNING, Status.SUCCEEDED]
    assert [event.id for update in updates for event in update.events] == ["0-1", "1-2", "1-3", "1-4", "1-5", "1-6"]
    assert [update.is_last for update in updates] == [False, False, True]


def test_a_final_job_is_told_in_one_update() -> None:
    updates = followed(Server(succeeded_job(), events={1: [status_event(1, Status.SUCCEEDED, attempt=1)]}))
    assert [len(update.events) for update in updates] == [1]


def test_a_short_absence_is_told_and_survived() -> None:
    updates = followed(Server(sample_job(), None, None, succeeded_job()))
    assert [update.trouble is not None for update in updates] == [False, True, True, False]
    assert dump(updates[-1].job) == dump(succeeded_job())


def test_a_long_absence_is_an_error() -> None:
    with pytest.raises(ServerUnreachable):
        followed(Server(sample_job(), *[None] * 10), patience_seconds=1.0)


def test_a_server_that_was_never_there_is_an_error_at_once() -> None:
    server = Server(None, succeeded_job())
    with pytest.raises(ServerUnreachable):
        followed(server)
    assert server.polls == 1


def test_a_job_that_changes_fast_is_looked_at_five_times_a_second() -> None:
    clock = Clock()
    server = Server(*[sample_job(Status.RUNNING)] * 10, succeeded_job())
    with Client("http://train.test", max_retries=0, transport=httpx.MockTransport(server)) as client:
        assert len(list(follow(client, JOB_ID, clock=clock, pause=clock.pause))) == 11
    assert clock.now == pytest.approx(2.0)


def test_an_unknown_job_is_refused() -> None:
    problem = {"status": 404, "code": "job_not_found", "detail": "no such job"}
    with pytest.raises(Refused, match="no such job"):
        followed(lambda request: httpx.Response(404, json=problem))


def test_a_job_read_before_its_claim_is_read_again_when_the_claim_is_told() -> None:
    events = {1: [status_event(1, Status.QUEUED), status_event(2, Status.RUNNING, attempt=1)]}
    updates = followed(Server(sample_job(), running_job(), succeeded_job(), events=events))
    assert [(update.job.worker, len(update.events)) for update in updates] == [("worker-1", 2), ("worker-1", 0)]


def test_an_end_that_comes_while_a_job_is_read_again_is_told_with_all_its_events() -> None:
    events = {
        1: [status_event(1, Status.QUEUED), status_event(2, Status.RUNNING, attempt=1)],
        2: [epoch_event(3, 1), epoch_event(4, 2), epoch_event(5, 3), status_event(6, Status.SUCCEEDED, attempt=1)],
    }
    (update,) = followed(Server(sample_job(), succeeded_job(), events=events))
    assert update.is_last
    assert [event.id for event in update.events] == ["0-1", "1-2", "1-3", "1-4", "1-5", "1-6"]
