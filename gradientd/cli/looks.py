"""Looks at many jobs again and again: at those that are named, or at those that fit a filter, with few requests."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal, Protocol

from gradientd.cli.filters import PAGE, JobFilter
from gradientd.cli.summaries import JobSummary, SummaryClient, summary_of
from gradientd.client.errors import Refused, ServerUnreachable
from jobs.states import HELD, TERMINAL, Status

EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""How long the server may be away, as while it restarts."""
FEW = 3
"""Jobs that are asked for one by one: more of them are looked for on a page of the list."""
WAITING = frozenset({Status.QUEUED, Status.PAUSED})
LATELY = timedelta(minutes=10)
"""How long ago a job may have ended to be shown from the beginning."""
MOST_ENDED = 20
ENDED_EVERY_LOOKS = 5
MOST_PAGES = 5
NOT_FOUND, TOO_MANY_REQUESTS = 404, 429
MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Look:
    """The jobs as they are now."""

    jobs: Sequence[JobSummary]
    trouble: str | None = None
    """Why there is nothing newer, while the server is away."""


class Watched(Protocol):
    """Jobs that can be looked at."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to them."""
        ...

    def look(self) -> list[JobSummary]:
        """Them as they are now. Raises ServerUnreachable."""
        ...


class NamedJobs:
    """Jobs that were named, in that order, until all have ended."""

    def __init__(self, client: SummaryClient, ids: Sequence[str]) -> None:
        self._client = client
        self._ids = ids
        self._known: dict[str, JobSummary] = {}

    @property
    def is_over(self) -> bool:
        """Whether all have ended."""
        return len(self._known) == len(self._ids) and all(job.is_final for job in self._known.values())

    def look(self) -> list[JobSummary]:
        """The jobs now. Raises Refused at the first look, for one that is not there."""
        known = self._known
        left = [job_id for job_id in self._ids if job_id not in known or not known[job_id].is_final]
        listed = self._listed([known[job_id] for job_id in left if job_id in known])
        for job_id in left:
            self._known[job_id] = listed.get(job_id) or asked_for(self._client, job_id, known.get(job_id))
        return [known[job_id] for job_id in self._ids]

    def _listed(self, jobs: Sequence[JobSummary]) -> dict[str, JobSummary]:
        """Those of the jobs that are on one page of what was created when they were."""
        if len(jobs) <= FEW:
            return {}
        created = [job.created_at for job in jobs]
        page = self._client.in_brief(
            limit=PAGE, created_after=min(created) - MOMENT, created_before=max(created) + MOMENT
        )
        return {job.id: job for job in page.data}


class FittingJobs:
    """Jobs that fit a filter: those that have not ended, and those that ended lately or while they were watched.

    Without end: new ones may come.
    """

    is_over = False

    def __init__(self, client: SummaryClient, wanted: JobFilter, *, now: datetime | None = None) -> None:
        self._client = client
        self._wanted = wanted
        self._since = (now or datetime.now(UTC)) - LATELY
        self._active: dict[str, JobSummary] = {}
        self._ended: dict[str, JobSummary] = {}
        self._looks = 0

    def look(self) -> list[JobSummary]:
        """The jobs now: the running ones, those that wait by their place, those that ended, newest first."""
        held = self._some(HELD)
        waiting = self._some(WAITING, order="asc", most=PAGE)
        active = {job.id: job for job in (*held, *waiting)}
        gone = {job_id: job for job_id, job in self._active.items() if job_id not in active}
        if gone or self._looks % ENDED_EVERY_LOOKS == 0:
            self._look_at_ended(gone)
        for job_id in active:
            self._ended.pop(job_id, None)
        self._looks, self._active = self._looks + 1, active
        waiting.sort(key=lambda job: (job.status is not Status.QUEUED, job.queue_position or 0))
        ended = sorted(self._ended.values(), key=lambda job: job.finished_at or job.created_at, reverse=True)
        return [*reversed(held), *waiting, *ended]

    def _look_at_ended(self, gone: dict[str, JobSummary]) -> None:
        for job in self._some(TERMINAL, most=MOST_ENDED):
            if job.id in gone or job.id in self._ended or (job.finished_at and job.finished_at > self._since):
                self._ended[job.id] = job
        for job_id, last in gone.items():
            if job_id not in self._ended and TERMINAL & self._statuses:
                job = asked_for(self._client, job_id, last)
                self._ended |= {job_id: job} if job.is_final and job.status in self._statuses else {}

    @property
    def _statuses(self) -> frozenset[Status]:
        return frozenset(self._wanted.statuses or Status)

    def _some(
        self, statuses: frozenset[Status], *, order: Literal["asc", "desc"] = "desc", most: int = PAGE
    ) -> list[JobSummary]:
        """At most so many of the jobs that fit and have one of these statuses."""
        either = sorted(statuses & self._statuses)
        return list(islice(self._pages(either, order, most), most)) if either else []

    def _pages(self, statuses: Sequence[Status], order: Literal["asc", "desc"], most: int) -> Iterator[JobSummary]:
        after = None
        for _ in range(MOST_PAGES):
            page = self._client.in_brief(
                limit=PAGE if self._wanted.dataset else most,
                after=after,
                order=order,
                statuses=statuses,
                dataset=self._wanted.dataset or "",
                metadata=self._wanted.labels,
            )
            yield from (job for job in page.data if self._wanted.has(job.dataset))
            after = page.last_id
            if not page.has_more or after is None:
                return


def asked_for(client: SummaryClient, job_id: str, last: JobSummary | None) -> JobSummary:
    """A job by itself; one that has been deleted as it was at last. Raises Refused for one that never was there."""
    try:
        return summary_of(client.get(job_id))
    except Refused as refused:
        if last is None or refused.problem.status != NOT_FOUND:
            raise
        return last.model_copy(update={"is_deleted": True})


def looks(
    watched: Watched,
    *,
    every_seconds: float = EVERY_SECONDS,
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Look]:
    """Look again and again, until it is over.

    Raises:
        Refused: what is asked for is not there.
        ServerUnreachable: at the first look, or for longer than `patience_seconds`.
    """
    jobs: list[JobSummary] | None = None
    answered_at = clock()
    while True:
        began_at = clock()
        try:
            jobs = watched.look()
        except (ServerUnreachable, Refused) as error:
            if jobs is None or not is_passing(error) or clock() - answered_at > patience_seconds:
                raise
            yield Look(jobs, trouble=str(error))
        else:
            answered_at = clock()
            yield Look(jobs)
            if watched.is_over:
                return
        pause(max(0.0, every_seconds - (clock() - began_at)))


def is_passing(error: ServerUnreachable | Refused) -> bool:
    """Whether the same look may succeed soon."""
    return isinstance(error, ServerUnreachable) or error.problem.status == TOO_MANY_REQUESTS
