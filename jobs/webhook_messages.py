"""What a webhook is told, how often an attempt to tell it is made, and what is known of that afterwards."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from jobs.ids import PATTERN as JOB_ID
from jobs.record import EpochMetrics, JobError, Metrics, Value
from jobs.states import Reason, Status
from jobs.webhook import WebhookEvent

WAITS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 86_400)
"""Seconds between a delivery's attempts, for GRADIENTD_WEBHOOK_RETRY_SECONDS=1; three days together.

The specification's own (5 s, 5 min, 30 min, …) would hold up all that follows for minutes when a receiver restarts.
"""
JITTER = 0.1
"""Share by which each wait is longer or shorter, so that a receiver that comes back is not called by all at once."""
MOST_SHOWN = 20
"""Attempts of a delivery that are remembered, the last ones."""

DELIVERY_ID = re.compile(r"msg_[0-9A-HJKMNP-TV-Z]{26}_[1-9][0-9]{0,8}")

AttemptError = Literal[
    "name_not_found",
    "address_not_allowed",
    "connection_failed",
    "tls_failed",
    "timed_out",
    "no_answer",
    "unreadable_record",
]
"""Why an attempt got no status: nothing that would tell a stranger of the server's network."""


def delivery_id(job_id: str, number: int) -> str:
    """The id of a job's delivery: the same in each attempt, and no other job's."""
    return f"msg_{job_id.removeprefix('job_')}_{number}"


def delivery_number(job_id: str, of: str) -> int | None:
    """Which of the job's deliveries an id names; None for no such id."""
    mine = JOB_ID.fullmatch(job_id) and DELIVERY_ID.fullmatch(of) and of.startswith(delivery_id(job_id, 0)[:-1])
    return int(of.rpartition("_")[2]) if mine else None


def lifetime_seconds(retry_seconds: float) -> float:
    """How long a delivery is tried, for this first wait."""
    return sum(WAITS) * retry_seconds * (1 + JITTER)


class MessageData(Value):
    """What happened, as it was at that moment."""

    job_id: Annotated[str, Field(description="The job.")]
    event_id: Annotated[str, Field(description="The same event in the job's history, `/v1/jobs/{job_id}/events`.")]
    status: Annotated[Status, Field(description="Where the job stood.")]
    status_reason: Annotated[Reason | None, Field(description="Why, where the status alone does not say.")] = None
    attempt: Annotated[int, Field(ge=0, description="Times a worker had claimed the job.")] = 0
    epoch: Annotated[EpochMetrics | None, Field(description="Of `job.epoch`: what the epoch measured.")] = None
    metrics: Annotated[Metrics | None, Field(description="Of a final status: the measurements in brief.")] = None
    error: Annotated[JobError | None, Field(description="Of `job.failed`: why.")] = None
    metadata: Annotated[dict[str, str], Field(description="The labels given in the spec.")] = {}  # noqa: RUF012 (pydantic copies it)


class Message(Value):
    """The body of a request to a webhook."""

    type: Annotated[WebhookEvent, Field(description="What happened.")]
    timestamp: Annotated[datetime, Field(description="When, by the store's clock.")]
    data: Annotated[MessageData, Field(description="The job at that moment.")]


class Attempt(Value):
    """One request to a webhook."""

    at: Annotated[datetime, Field(description="When it began.")]
    status_code: Annotated[
        int | None, Field(description="HTTP status of the answer; `null` without one.", examples=[204])
    ] = None
    error: Annotated[
        AttemptError | None,
        Field(description="Why there was no answer; `null` where there was.", examples=["timed_out"]),
    ] = None
    seconds: Annotated[float, Field(ge=0, description="How long it took.", examples=[0.12])]


class Delivery(Value):
    """A message to a job's webhook, and what became of it."""

    id: Annotated[
        str,
        Field(description="Its `webhook-id`, the same in each attempt.", examples=["msg_01KAV9M3S1Q4T8Z6X2Y7W5R0NC_1"]),
    ]
    object: Annotated[Literal["webhook.delivery"], Field(description="Always `webhook.delivery`.")] = "webhook.delivery"
    type: Annotated[WebhookEvent, Field(description="What it tells.", examples=["job.succeeded"])]
    event_id: Annotated[str, Field(description="The event in the job's history.", examples=["1-4"])]
    status: Annotated[
        Literal["pending", "delivered", "failed"],
        Field(
            description="`delivered`: answered with 2xx. `failed`: given up after the last attempt, or as the receiver "
            "answered 410. `pending`: to be attempted (again)."
        ),
    ]
    attempts: Annotated[
        tuple[Attempt, ...], Field(max_length=MOST_SHOWN, description="The requests made, the last 20 of them.")
    ] = ()
    next_attempt_at: Annotated[
        datetime | None,
        Field(
            description="When it is attempted next; `null` while it is, while earlier ones of the job come first, and "
            "once it is not pending."
        ),
    ] = None
    created_at: Annotated[datetime, Field(description="When the event happened.")]
