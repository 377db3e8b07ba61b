"""Jobs in brief, as a table of many of them needs them: asked for as such, or cut out of whole ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from gradientd.client import Client
from gradientd.client.errors import NotSupported
from jobs import record
from jobs.record import Job, Metrics
from jobs.states import TERMINAL, Phase, Status


class SummaryProgress(BaseModel):
    """How far a job has come."""

    model_config = ConfigDict(frozen=True)

    percent: float = 0.0
    epoch: int = 0
    epochs: int = 1
    loss: float | None = None
    accuracy: float | None = None
    steps_per_second: float | None = None
    estimated_finish_at: datetime | None = None


class JobSummary(BaseModel):
    """A job without its spec and its past."""

    model_config = ConfigDict(frozen=True)

    id: str
    status: Status
    status_reason: str | None = None
    phase: Phase | None = None
    dataset: str
    progress: SummaryProgress
    metrics: Metrics = Metrics()
    queue_position: int | None = None
    estimated_start_at: datetime | None = None
    responding: bool | None = None
    attempt: int = 0
    worker: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    is_deleted: bool = False
    """Whether it was there once and is no more."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.is_deleted or self.status in TERMINAL


def summary_of(job: Job | record.JobSummary) -> JobSummary:
    """A job in brief."""
    dataset = job.spec.dataset if isinstance(job, Job) else job.dataset
    return JobSummary.model_validate({**job.model_dump(warnings=False), "dataset": dataset}, extra="ignore")


class Listed(NamedTuple):
    """A page of a list."""

    data: tuple[JobSummary, ...]
    last_id: str | None
    has_more: bool


class SummaryClient(Client):
    """A client that has jobs listed in brief, by a server that can, and cuts them short itself for any other."""

    _knows_summaries = True

    def in_brief(
        self,
        *,
        limit: int = 100,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
        statuses: Sequence[Status] = (),
        dataset: str = "",
        metadata: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Listed:
        """A page of jobs; of all datasets where an older server is asked."""
        if self._knows_summaries:
            try:
                page = self.summaries(
                    limit=limit,
                    after=after,
                    order=order,
                    status=statuses,
                    dataset=dataset or None,
                    metadata=metadata,
                    created_after=created_after,
                    created_before=created_before,
                )
                return Listed(tuple(map(summary_of, page.data)), page.last_id, page.has_more)
            except NotSupported:
                self._knows_summaries = False
        whole = self.list(
            limit=limit,
            after=after,
            order=order,
            status=statuses,
            metadata=metadata,
            created_after=created_after,
            created_before=created_before,
        )
        return Listed(tuple(map(summary_of, whole.data)), whole.last_id, whole.has_more)
