"""What operations on the deliveries to a job's webhook take.

Fields of a dataclass are read in their order, so the first that cannot be is the one that is refused.
"""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field
from starlette.requests import Request

from api.http import kinds
from api.http.headers import idempotency_header
from api.http.params import JobId, Segment
from api.http.problems import Refused, shortened
from api.http.query import Query, Whole
from api.parameters.cursors import not_a_cursor
from jobs.webhook_messages import DELIVERY_ID

EXAMPLE = "msg_01KAV9M3S1Q4T8Z6X2Y7W5R0NC_1"


class DeliveriesQuery(Query):
    """Which part of the deliveries."""

    after: Annotated[
        str,
        Field(
            description="Go on behind this delivery: the `last_id` of the page before.",
            examples=[EXAMPLE],
            json_schema_extra={"pattern": f"^({DELIVERY_ID.pattern})?$"},
        ),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=100, description="Most deliveries on the page.", examples=[20]), Whole] = 20

    @classmethod
    def read(cls, request: Request) -> Self:
        """The request's query parameters. Raises Refused."""
        query = super().read(request)
        if query.after and not DELIVERY_ID.fullmatch(query.after):
            raise not_a_cursor(query.after, "a delivery's id")
        return query


@dataclass(frozen=True, slots=True)
class JobDeliveries:
    """Which part of which job's deliveries."""

    query: DeliveriesQuery
    job_id: JobId


def not_a_delivery(text: str) -> Refused:
    """The problem of a delivery that there is not."""
    return Refused(kinds.WEBHOOK_DELIVERY_NOT_FOUND, f"the job has no delivery {shortened(text, 100)!r}")


@dataclass(frozen=True, slots=True)
class Redelivery:
    """Which delivery of which job to make again."""

    query: Query
    idempotency_key: Annotated[
        str,
        idempotency_header(
            "Accepted as everywhere, and not needed: a delivery that is pending already stays one delivery."
        ),
    ]
    job_id: JobId
    delivery_id: Annotated[
        str,
        Segment("delivery_id", str, "The delivery's `id`.", EXAMPLE, {"pattern": f"^{DELIVERY_ID.pattern}$"}),
    ]
    """As it was sent: whether the job is there is told first."""
