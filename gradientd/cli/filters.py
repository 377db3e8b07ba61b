"""Which jobs a command is about, where they are not named: those that fit a filter, over all pages of the list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gradientd.client import Client
from jobs.record import Job
from jobs.states import Status

PAGE = 100
"""Most jobs on a page."""


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Jobs that have one of the statuses, all of the labels, and this dataset or a version of it."""

    statuses: tuple[Status, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    dataset: str | None = None

    def has(self, dataset: str) -> bool:
        """Whether a job's dataset fits: the version that is asked for, or any where none is."""
        if self.dataset is None or self.dataset == dataset:
            return True
        return "@" not in self.dataset and dataset.partition("@")[0] == self.dataset


def fitting_jobs(client: Client, wanted: JobFilter, *, order: Literal["asc", "desc"] = "desc") -> Iterator[Job]:
    """All jobs that fit, newest first unless told otherwise, page by page as they are asked for.

    The API filters by status and label; the dataset is looked at here.
    """
    after = None
    while True:
        page = client.list(limit=PAGE, after=after, order=order, status=wanted.statuses, metadata=wanted.labels)
        yield from (job for job in page.data if wanted.has(job.spec.dataset))
        after = page.last_id
        if not page.has_more or after is None:
            return
