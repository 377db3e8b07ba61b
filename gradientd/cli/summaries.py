"""Jobs in brief, as a table of many of them needs them: asked for as such, or cut out of whole ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict

from gradientd.client import Client
from gradientd.client.errors import Refused
from gradientd.client.parameters import read_statuses
from gradientd.client.responses import parse
from jobs.record import Job, Metrics
from jobs.states import TERMINAL, Phase, Status
from jobs.wire import Page


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


def with_its_dataset(document: object) -> object:
    """A job's document with its dataset beside the other facts, as a summary has it."""
    if not isinstance(document, Mapping):
        return document
    members = cast("Mapping[str, Any]", document)
    if "dataset" in members or not isinstance(members.get("spec"), Mapping):
        return members
    return {**members, "dataset": members["spec"].get("dataset")}


Told = Annotated[JobSummary, BeforeValidator(with_its_dataset)]


def summary_of(job: Job) -> JobSummary:
    """A whole job in brief."""
    return JobSummary.model_validate({**job.model_dump(), "dataset": job.spec.dataset}, extra="ignore")


class SummaryClient(Client):
    """A client that has jobs listed in brief, by a server that can, and cuts them short itself for any other."""

    _knows_summaries = True

    def summaries(
        self,
        *,
        limit: int = 100,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
        statuses: Sequence[Status] = (),
        metadata: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[Told]:
        """The same page as that of `list`."""
        params: list[tuple[str, str]] = [("limit", str(limit)), ("order", order)]
        params += [("view", "summary")] if self._knows_summaries else []
        params += [("after", after)] if after else []
        params += [("status", status) for status in read_statuses(statuses)]
        params += [(f"metadata[{key}]", value) for key, value in (metadata or {}).items()]
        params += [("created_after", created_after.isoformat())] if created_after else []
        params += [("created_before", created_before.isoformat())] if created_before else []
        try:
            return parse(self._request("GET", "/v1/jobs", params=params), Page[Told])
        except Refused as refused:
            if not self._knows_summaries or not any(error.parameter == "view" for error in refused.problem.errors):
                raise
        self._knows_summaries = False
        return self.summaries(
            limit=limit,
            after=after,
            order=order,
            statuses=statuses,
            metadata=metadata,
            created_after=created_after,
            created_before=created_before,
        )
