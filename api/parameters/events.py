"""What operations on events take: where to go on, how much, and in which form."""

import re
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field
from starlette.requests import Request

from api.http.event_stream import MEDIA_TYPE
from api.http.headers import Accept, Header
from api.http.params import JobId
from api.http.query import Query, Whole
from api.parameters.cursors import not_a_cursor

EVENT_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")


class EventsQuery(Query):
    """Which part of a history."""

    after: Annotated[
        str,
        Field(
            description="Go on behind this event: the `last_id` of the page before.",
            examples=["1-4"],
            json_schema_extra={"pattern": f"^({EVENT_ID.pattern})?$"},
        ),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=1000, description="Most events on the page.", examples=[100]), Whole] = 100

    @classmethod
    def read(cls, request: Request) -> Self:
        """The request's query parameters. Raises Refused."""
        query = super().read(request)
        if query.after and not EVENT_ID.fullmatch(query.after):
            raise not_a_cursor(query.after, "an event's id")
        return query


def _event_id(value: str | None) -> str:
    if value and not EVENT_ID.fullmatch(value):
        raise not_a_cursor(value, "an event's id", parameter="Last-Event-ID")
    return value or ""


LastEventId = Annotated[
    str,
    Header(
        "Last-Event-ID",
        _event_id,
        "Go on behind this event; goes before `after`. A browser sends it when it connects again.",
        "1-4",
        {"pattern": f"^({EVENT_ID.pattern})?$"},
    ),
]
Form = Annotated[str, Accept(("application/json", MEDIA_TYPE))]


@dataclass(frozen=True, slots=True)
class JobEvents:
    """Which part of which job's history, and in which form."""

    query: EventsQuery
    last_event_id: LastEventId
    form: Form
    job_id: JobId


@dataclass(frozen=True, slots=True)
class Events:
    """Which part of what happens to all jobs, and in which form."""

    query: EventsQuery
    last_event_id: LastEventId
    form: Form
