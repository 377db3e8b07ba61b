"""Many jobs are looked at with few requests, through short absences of the server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gradientd.cli.filters import JobFilter
from gradientd.cli.looks import ENDED_EVERY_LOOKS, FEW, FittingJobs, Look, NamedJobs, looks
from gradientd.cli.summaries import SummaryClient
from gradientd.client.errors import Refused, ServerUnreachable
from jobs.states import TERMINAL, Status
from tests.gradientd.listing import Listing, listing, some_job

NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


@pytest.fixture
def jobs() -> Listing:
    """Ten that run, made a second apart."""
    return Listing.of([some_job(Status.RUNNING, number=at) for at in range(10)])


@pytest.fixture
def client(jobs: Listing) -> Iterator[SummaryClient]:
    """A client of a server that has them."""
    with listing(jobs) as url, SummaryClient(url) as client:
        yield client


def end(jobs: Listing, job_id: str, status: Status = Status.SUCCEEDED) -> None:
    """The job ends now."""
    jobs.put(jobs.jobs[job_id], status=status, finished_at=NOW)


@pytest.mark.parametrize("has_summaries", [True, False])
def test_named_jobs_take_one_request_a_look(has_summaries: bool, jobs: Listing, client: SummaryClient) -> None:
    jobs.has_summaries = has_summaries
    named = list(jobs.jobs)[::-1]
    watched = NamedJobs(client, named)
    assert [job.id for job in watched.look()] == named
    watched.look()  # with which the client learns what the server knows
    jobs.asked.clear()
    end(jobs, named[0])
    assert [job.status for job in watched.look()] == [Status.SUCCEEDED, *[Status.RUNNING] * 9]
    assert jobs.asked == {"GET /v1/jobs": 1}
    assert not watched.is_over


def test_few_named_jobs_are_asked_for_one_by_one_and_none_that_ended(jobs: Listing, client: SummaryClient) -> None:
    named = list(jobs.jobs)[:FEW]
    watched = NamedJobs(client, named)
    watched.look()
    jobs.asked.clear()
    end(jobs, named[1])
    watched.look()
    assert jobs.asked == {f"GET /v1/jobs/{job_id}": 1 for job_id in named}
    jobs.asked.clear()
    end(jobs, named[0])
    end(jobs, named[2], Status.FAILED)
    watched.look()
    assert jobs.asked.total() == 2
    assert watched.is_over


def test_a_job_that_is_deleted_meanwhile_is_over(jobs: Listing, client: SummaryClient) -> None:
    named = list(jobs.jobs)[:2]
    watched = NamedJobs(client, named)
    watched.look()
    del jobs.jobs[named[0]]
    end(jobs, named[1])
    assert [job.is_deleted for job in watched.look()] == [True, False]
    assert watched.is_over


def test_a_job_that_never_was_is_refused(client: SummaryClient) -> None:
    with pytest.raises(Refused):
        NamedJobs(client, ["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"]).look()


def test_what_runs_comes_first_then_what_waits_then_what_ended(jobs: Listing, client: SummaryClient) -> None:
    oldest, second, third, fourth, *_ = list(jobs.jobs)
    jobs.jobs = {job_id: jobs.jobs[job_id] for job_id in (oldest, second, third, fourth)}
    jobs.put(jobs.jobs[second], status=Status.QUEUED, queue_position=1)
    jobs.put(jobs.jobs[third], status=Status.QUEUED, queue_position=0)
    end(jobs, fourth)
    assert [job.id for job in FittingJobs(client, JobFilter(), now=NOW).look()] == [oldest, third, second, fourth]


def test_only_what_ended_lately_is_shown_and_what_ended_while_it_was_watched(
    jobs: Listing, client: SummaryClient
) -> None:
    first, second, *_ = list(jobs.jobs)
    jobs.put(jobs.jobs[first], status=Status.FAILED, finished_at=NOW - timedelta(hours=1))
    jobs.put(jobs.jobs[second], status=Status.FAILED, finished_at=NOW - timedelta(minutes=1))
    watched = FittingJobs(client, JobFilter(), now=NOW)
    assert [job.id for job in watched.look() if job.is_final] == [second]
    last = list(jobs.jobs)[-1]
    jobs.put(jobs.jobs[last], status=Status.SUCCEEDED, finished_at=NOW - timedelta(hours=2))  # by a clock of its own
    assert {job.id for job in watched.look() if job.is_final} == {second, last}


def test_a_look_at_what_fits_takes_two_requests_while_nothing_ends(jobs: Listing, client: SummaryClient) -> None:
    watched = FittingJobs(client, JobFilter(), now=NOW)
    watched.look()
    jobs.asked.clear()
    watched.look()
    assert jobs.asked == {"GET /v1/jobs": 2}


def test_a_job_that_began_and_ended_between_two_looks_is_seen(jobs: Listing, client: SummaryClient) -> None:
    watched = FittingJobs(client, JobFilter(), now=NOW)
    watched.look()
    short = some_job(Status.SUCCEEDED, number=20, finished_at=NOW)
    jobs.jobs[short.id] = short
    seen = [{job.id for job in watched.look()} for _ in range(ENDED_EVERY_LOOKS)]
    assert short.id in seen[-1]


def test_a_filter_holds_for_all_of_them(jobs: Listing, client: SummaryClient) -> None:
    other = some_job(Status.RUNNING, number=20, dataset="iris@2", metadata={"team": "a"})
    jobs.jobs[other.id] = other
    filters = (
        JobFilter(dataset="iris"),
        JobFilter(labels={"team": "a"}),
        JobFilter(statuses=(Status.RUNNING,), dataset="iris@2"),
    )
    watched = [FittingJobs(client, wanted, now=NOW) for wanted in filters]
    assert [[job.id for job in each.look()] for each in watched] == [[other.id]] * 3
    end(jobs, other.id)
    assert [[job.id for job in each.look()] for each in watched] == [[other.id], [other.id], []]


def test_running_jobs_are_not_hidden_by_a_long_queue(jobs: Listing, client: SummaryClient) -> None:
    running = list(jobs.jobs)
    for at in range(120):
        waiting = some_job(Status.QUEUED, number=60 + at, queue_position=at)
        jobs.jobs[waiting.id] = waiting
    shown = [job for job in FittingJobs(client, JobFilter(), now=NOW).look() if not job.is_final]
    assert [job.id for job in shown[:10]] == running
    assert [job.queue_position for job in shown[10:]] == list(range(100))


class Clock:
    """A clock that goes by pauses alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def some_looks(client: SummaryClient, jobs: Listing, clock: Clock) -> Iterator[Look]:
    return looks(NamedJobs(client, list(jobs.jobs)), clock=clock, pause=clock.pause)


def test_a_short_absence_is_told_and_passes(jobs: Listing, client: SummaryClient) -> None:
    clock = Clock()
    found = some_looks(client, jobs, clock)
    assert next(found).trouble is None
    jobs.away = True
    away = next(found)
    assert away.trouble
    assert "the store is away" in away.trouble
    assert len(away.jobs) == 10
    jobs.away = False
    for job_id in jobs.jobs:
        end(jobs, job_id)
    (last,) = found
    assert last.trouble is None
    assert {job.status for job in last.jobs} <= TERMINAL
    assert clock.pauses == [1.0, 1.0]


@pytest.mark.slow
def test_a_long_absence_ends_it(jobs: Listing, client: SummaryClient) -> None:
    clock = Clock()
    found = some_looks(client, jobs, clock)
    next(found)
    jobs.away = True
    with pytest.raises(ServerUnreachable):
        list(found)
    assert 30 <= clock.now <= 32


def test_a_server_that_was_never_there_is_not_waited_for(jobs: Listing, client: SummaryClient) -> None:
    jobs.away = True
    clock = Clock()
    with pytest.raises(ServerUnreachable):
        next(some_looks(client, jobs, clock))
    assert clock.pauses == []


def test_a_key_that_asked_too_often_is_a_trouble_that_passes(jobs: Listing, client: SummaryClient) -> None:
    found = some_looks(client, jobs, Clock())
    next(found)
    jobs.answers = lambda method, path: (429, {"status": 429, "detail": "this key may send 9 requests a minute"})
    assert next(found).trouble == "this key may send 9 requests a minute"
