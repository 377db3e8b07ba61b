"""A job is named by its id, the beginning of that, or `last`."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gradientd.cli import job_reference
from gradientd.cli.errors import AmbiguousJob, NoSuchJob
from gradientd.cli.job_reference import find_job, made_between
from gradientd.client import Client
from jobs.ids import new_job_id
from jobs.record import Job
from tests.gradientd.samples import dump, sample_job


class Server:
    """Lists jobs by page, of the time asked for, and counts the pages."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = jobs
        self.pages = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("GET", "/v1/jobs")
        self.pages += 1
        params = request.url.params
        since = datetime.fromisoformat(params.get("created_after", "0001-01-01T00:00:00+00:00"))
        until = datetime.fromisoformat(params.get("created_before", "9999-01-01T00:00:00+00:00"))
        fitting = [job for job in self.jobs if since < job.created_at < until]
        after = [job.id for job in fitting].index(params["after"]) + 1 if "after" in params else 0
        page = fitting[after : after + int(params["limit"])]
        return httpx.Response(200, json=dump(page) | {"has_more": len(fitting) > after + len(page)})


def found(named: str, server: Server) -> str:
    """The id that the words mean."""
    with Client("http://train.test", transport=httpx.MockTransport(server)) as client:
        return find_job(client, named)


def job_of(job_id: str) -> Job:
    """A job that was created when its id says."""
    since, _ = made_between(job_id.removeprefix("job_"))
    assert since
    return sample_job(id=job_id, created_at=since + job_reference.CLOCKS_DIFFER)


A = "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"
B = "job_01KAV9M3S1Q4T8ZZZZZZZZZZZZ"
C = "job_01K00000000000000000000000"
SOME = [job_of(B), job_of(A), job_of(C)]


def test_a_whole_id_is_taken_as_it_is() -> None:
    server = Server()
    assert found(A, server) == A
    assert found(A.removeprefix("job_"), server) == A
    assert server.pages == 0


@pytest.mark.parametrize("named", ["job_01KAV9M3S1Q4T8Z6", "01KAV9M3S1Q4T8Z6", "01kav9m3s1q4t8z6"])
def test_the_beginning_of_one_is_enough(named: str) -> None:
    assert found(named, Server(*SOME)) == A


@pytest.mark.parametrize("named", ["0", "01K0", "01K0000000", "01K00000000000000000000"])
def test_a_beginning_may_be_of_any_length(named: str) -> None:
    assert found(named, Server(job_of(C))) == C


def test_last_is_the_newest() -> None:
    assert found("last", Server(*SOME)) == B
    with pytest.raises(NoSuchJob, match="there is no job yet"):
        found("last", Server())


def test_what_several_begin_with_is_told_with_all_of_them() -> None:
    with pytest.raises(AmbiguousJob, match="several jobs' ids begin with '01KAV9'") as refused:
        found("01KAV9", Server(*SOME))
    assert f"{B} (queued, mlp on mnist-10k), {A} (queued, mlp on mnist-10k); give more" in str(refused.value)
    many = [job_of(f"job_01KAV9M3S1Q4T8ZZZZZZZZZZZ{digit}") for digit in "ABCDEFGH"]
    with pytest.raises(AmbiguousJob, match="and 3 more"):
        found("01KAV9", Server(*many))


@pytest.mark.parametrize("named", ["01KAX", "job_x", "nonsense!", "../workers", ""])
def test_what_none_begins_with_is_told_with_the_newest(named: str) -> None:
    with pytest.raises(NoSuchJob, match="no job's id is or begins with") as refused:
        found(named, Server(*SOME))
    assert f"the newest are {B}, {A}, {C}" in str(refused.value)
    with pytest.raises(NoSuchJob, match="there is none yet"):
        found(named, Server())


def test_an_id_with_a_slip_is_told_with_what_was_meant() -> None:
    with pytest.raises(NoSuchJob, match=f"did you mean {A}"):
        found(A.replace("Q4T8", "4T8"), Server(job_of(A), job_of(C)))


def test_the_search_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_reference, "PAGE", 2)
    monkeypatch.setattr(job_reference, "MOST_PAGES", 2)
    jobs = [job_of(f"job_01KAV9M3S1Q4T8ZZZZZZZZZZZ{digit}") for digit in "HGFEDCBA"]
    server = Server(*jobs)
    with pytest.raises(AmbiguousJob, match="more than 4 were made in that time"):
        found("01KAV9M3S1Q4T8ZZZZZZZZZZZ", server)
    assert server.pages == 2


def test_pages_are_followed_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_reference, "PAGE", 1)
    assert found("01KAV9M3S1Q4T8Z6", Server(*SOME)) == A


def test_only_jobs_of_the_beginnings_time_are_asked_for() -> None:
    made_at = datetime.now(UTC)
    since, until = made_between(new_job_id().removeprefix("job_")[:8])
    assert since
    assert until
    assert since < made_at < until
    assert until - since < 2 * job_reference.CLOCKS_DIFFER + timedelta(seconds=2)
