"""What operations on jobs and their histories take beside their bodies.

Fields of a dataclass are read in their order, so the first that cannot be is the one that is refused.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field
from starlette.requests import Request

from api.http.headers import (
    Accept,
    IdempotencyKey,
    IfNoneMatch,
    Prefer,
    UnneededIdempotencyKey,
)
from api.http.params import JobId
from api.http.query import Flag, Instant, Query, Several, Whole
from api.series import NAMES, MetricName
from jobs.errors import InvalidCursor
from jobs.ids import PATTERN
from jobs.states import Status


class CreateQuery(Query):
    """How to take a job."""

    dry_run: Annotated[
        Flag, Field(description="Only check and resolve the spec, and say how large the job is.", examples=[True])
    ] = False


@dataclass(frozen=True, slots=True)
class JobCreation:
    """How to take a job, and under which key."""

    query: CreateQuery
    idempotency_key: IdempotencyKey


class ListQuery(Query):
    """Which jobs, in which order."""

    after: Annotated[
        str,
        Field(
            description="Go on behind this job: the `last_id` of the page before.",
            examples=["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"],
            json_schema_extra={"pattern": f"^({PATTERN.pattern})?$"},
        ),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=100, description="Most jobs on the page.", examples=[20]), Whole] = 20
    order: Annotated[
        Literal["asc", "desc"],
        Field(description="By time of creation: `desc` has the newest first.", examples=["desc"]),
    ] = "desc"
    status: Annotated[
        list[Status],
        Field(
            description="Only jobs with one of these statuses; repeat the parameter or separate them by commas.",
            examples=[["queued", "running"]],
        ),
        Several,
    ] = []  # noqa: RUF012 (pydantic copies it)
    dataset: Annotated[
        str,
        Field(
            max_length=100,
            description="Only jobs on this dataset: `wine`, or one version, `wine@2`.",
            examples=["mnist"],
        ),
    ] = ""
    view: Annotated[
        Literal["full", "summary"],
        Field(
            description="`summary` lists each job in brief: how it stands, without its spec, files and past.",
            examples=["summary"],
        ),
    ] = "full"
    metadata: Annotated[
        dict[str, str],
        Field(
            max_length=16,
            description="Only jobs with all of these labels: `metadata[team]=vision`.",
            examples=[{"team": "vision"}],
        ),
    ] = {}  # noqa: RUF012 (pydantic copies it)
    created_after: Annotated[
        Instant | None,
        Field(description="Only jobs created later than this time (RFC 3339).", examples=["2026-11-24T00:00:00Z"]),
    ] = None
    created_before: Annotated[
        Instant | None,
        Field(description="Only jobs created earlier than this time (RFC 3339).", examples=["2026-11-25T00:00:00Z"]),
    ] = None

    @classmethod
    def read(cls, request: Request) -> Self:
        """The request's query parameters. Raises Refused, and InvalidCursor."""
        query = super().read(request)
        if query.after and not PATTERN.fullmatch(query.after):
            raise InvalidCursor(query.after)
        return query


@dataclass(frozen=True, slots=True)
class JobName:
    """Which job, and nothing else."""

    query: Query
    job_id: JobId


@dataclass(frozen=True, slots=True)
class JobReading:
    """Which job, what of it is known already, and how long to wait for more."""

    query: Query
    if_none_match: IfNoneMatch
    wait_seconds: Prefer
    job_id: JobId


@dataclass(frozen=True, slots=True)
class JobChange:
    """Which job to cancel, pause or resume."""

    query: Query
    idempotency_key: UnneededIdempotencyKey
    job_id: JobId


class MetricsQuery(Query):
    """Which metrics, of which epochs."""

    names: Annotated[
        list[MetricName],
        Field(
            description="Only these metrics; repeat the parameter or separate them by commas. All by default: "
            + ", ".join(f"`{name}`" for name in NAMES)
            + ".",
            examples=[["loss", "val_accuracy"]],
        ),
        Several,
    ] = []  # noqa: RUF012 (pydantic copies it)
    after_step: Annotated[
        int, Field(ge=0, le=10**15, description="Only epochs that ended after this step.", examples=[469]), Whole
    ] = 0
    max_points: Annotated[
        int | None,
        Field(
            ge=2,
            le=100_000,
            description="Thin the epochs out to at most so many, evenly spaced, the first and the last kept. "
            "Every point is one epoch's own: nothing is averaged.",
            examples=[200],
        ),
        Whole,
    ] = None


@dataclass(frozen=True, slots=True)
class JobMetrics:
    """Which metrics of which job, and in which form."""

    query: MetricsQuery
    form: Annotated[str, Accept(("application/json", "text/csv"))]
    job_id: JobId
