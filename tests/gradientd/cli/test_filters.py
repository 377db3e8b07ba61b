"""Jobs that fit a filter are found on all pages."""

import pytest

from gradientd.cli.filters import JobFilter, fitting_jobs
from gradientd.client import Client
from jobs.states import Status
from tests.gradientd.listing import Listing, listing, some_job


@pytest.mark.parametrize(
    ("asked", "has", "fits"),
    [
        (None, "iris@1", True),
        ("iris", "iris@1", True),
        ("iris@1", "iris@1", True),
        ("iris@1", "iris@11", False),
        ("iris", "iris2@1", False),
        ("mnist-10k", "mnist-10k", True),
        ("mnist", "mnist-10k", False),
    ],
)
def test_a_dataset_is_meant_with_all_its_versions_or_with_one(asked: str | None, has: str, fits: bool) -> None:
    assert JobFilter(dataset=asked).has(has) is fits


def test_all_pages_are_read_as_far_as_they_are_needed() -> None:
    jobs = Listing.of([some_job(Status.QUEUED, number=at, dataset=f"iris@{at % 2 + 1}") for at in range(210)])
    with listing(jobs) as url, Client(url) as client:
        found = fitting_jobs(client, JobFilter(dataset="iris@2"))
        assert next(found).id == list(jobs.jobs)[-1]
        assert jobs.asked.total() == 1
        assert len(list(found)) == 104
        assert jobs.asked.total() == 3
        oldest_first = fitting_jobs(client, JobFilter(), order="asc")
        assert [job.id for job in oldest_first] == list(jobs.jobs)
