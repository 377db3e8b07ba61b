"""The query parameters of each operation, and how strictly their text is read."""

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from api.http.problems import refused_for, shortened, told
from api.series import NAMES, MetricName
from jobs.ids import PATTERN
from jobs.states import Status
from jobs.wire import FieldError

EVENT_ID = r"[0-9]{1,19}-[0-9]{1,19}"

_DIGITS = re.compile(r"-?[0-9]{1,18}")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)
_MEMBER = re.compile(r"([a-z_]+)\[(.{1,64})\]", re.DOTALL)


def _whole_number(value: Any) -> Any:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise PydanticCustomError("whole_number", "Input should be a whole number in digits")
    return value


def _true_or_false(value: Any) -> Any:
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise PydanticCustomError("true_or_false", "Input should be 'true' or 'false'")
        return value == "true"
    return value


def _instant(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if not _RFC_3339.fullmatch(value):
            raise ValueError(value)
        return datetime.fromisoformat(value.upper())
    except ValueError:
        hint = " (in a query + is written %2B)" if " " in value else ""
        raise PydanticCustomError(
            "rfc_3339", "Input should be a time as RFC 3339 has it, such as 2026-11-24T12:00:00Z{hint}", {"hint": hint}
        ) from None


def _comma_separated(value: list[str]) -> list[str]:
    return [part for text in value for part in text.split(",")]


Whole = BeforeValidator(_whole_number)
Flag = Annotated[bool, BeforeValidator(_true_or_false)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Several = BeforeValidator(_comma_separated)


class Query(BaseModel):
    """Query parameters; unknown ones are refused, so that a misspelt one is not silently ignored.

    As such: of an operation that takes none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, request: Request) -> Self:
        """The request's query parameters. Raises Refused."""
        if not request.scope["query_string"]:
            return cls.model_construct()
        values: dict[str, Any] = {}
        for name, text in request.query_params.multi_items():
            cls._add(values, name, text)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            rows = error.errors(include_url=False, include_input=False, include_context=False)
            found = [FieldError(parameter=_shown(row["loc"]), detail=told(row, "parameter")) for row in rows]
            raise refused_for("invalid_parameter", found) from error

    @classmethod
    def _add(cls, values: dict[str, Any], name: str, text: str) -> None:
        """Sort one parameter in: lists gather, `name[key]` fills a mapping, the rest stands alone."""
        kind = _shapes(cls)
        member = _MEMBER.fullmatch(name)
        if kind.get(name) == "array":
            values.setdefault(name, []).append(text)
        elif member and kind.get(member[1]) == "object" and member[2] not in values.setdefault(member[1], {}):
            values[member[1]][member[2]] = text
        elif name in values or kind.get(name) == "object":
            error = FieldError(parameter=shortened(name, 100), detail="Given more than once, or without a [key]")
            raise refused_for("invalid_parameter", [error])
        else:
            values[name] = text


@cache
def _shapes(query: type[Query]) -> dict[str, str]:
    """JSON type of each parameter that has one."""
    properties: dict[str, dict[str, str]] = query.model_json_schema().get("properties", {})
    return {name: schema["type"] for name, schema in properties.items() if "type" in schema}


def _shown(location: tuple[int | str, ...]) -> str:
    name, *rest = location
    key = f"[{rest[0]}]" if rest and isinstance(rest[0], str) else ""
    return shortened(f"{name}{key}", 100)


class CreateQuery(Query):
    """How to take a job."""

    dry_run: Annotated[
        Flag, Field(description="Only check and resolve the spec, and say how large the job is.", examples=[True])
    ] = False


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
    ] = []
    metadata: Annotated[
        dict[str, str],
        Field(
            max_length=16,
            description="Only jobs with all of these labels: `metadata[team]=vision`.",
            examples=[{"team": "vision"}],
        ),
    ] = {}
    created_after: Annotated[
        Instant | None,
        Field(description="Only jobs created later than this time (RFC 3339).", examples=["2026-11-24T00:00:00Z"]),
    ] = None
    created_before: Annotated[
        Instant | None,
        Field(description="Only jobs created earlier than this time (RFC 3339).", examples=["2026-11-25T00:00:00Z"]),
    ] = None


class EventsQuery(Query):
    """Which part of the history."""

    after: Annotated[
        str,
        Field(
            description="Go on behind this event: the `last_id` of the page before.",
            examples=["1-4"],
            json_schema_extra={"pattern": f"^({EVENT_ID})?$"},
        ),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=1000, description="Most events on the page.", examples=[100]), Whole] = 100


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
    ] = []
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
