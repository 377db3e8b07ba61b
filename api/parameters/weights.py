"""What operations on uploaded weights take beside their bodies.

Fields of a dataclass are read in their order, so the first that cannot be is the one that is refused.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field
from starlette.requests import Request

from api.http.headers import idempotency_header
from api.http.params import Segment
from api.http.problems import shortened
from api.http.query import Query, Whole
from api.parameters.cursors import not_a_cursor
from jobs.uploaded_weights import NAME, InvalidWeights, WeightsNotFound


def _new_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise InvalidWeights(
            f"{shortened(text, 100)!r} cannot be a name of weights; wanted: lower-case letters, digits, . _ -"
        )
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise WeightsNotFound(f"there are no weights {shortened(text, 100)!r}")
    return text


_NAMED: dict[str, Any] = {"pattern": f"^{NAME.pattern}$"}


@dataclass(frozen=True, slots=True)
class WeightsUpload:
    """What the uploaded weights are to be called."""

    query: Query
    name: Annotated[str, Segment("name", _new_name, "Name of the weights, a new one or yours.", "backbone", _NAMED)]
    idempotency_key: Annotated[
        str, idempotency_header("Accepted as everywhere, and not needed: the same upload again changes nothing.")
    ]


@dataclass(frozen=True, slots=True)
class WeightsNamed:
    """Which weights, and nothing else."""

    query: Query
    name: Annotated[str, Segment("name", _name, "The weights' `name`.", "backbone", _NAMED)]


class WeightsListQuery(Query):
    """Which part of the weights."""

    after: Annotated[
        str,
        Field(
            description="Go on behind these weights: the `last_id` of the page before.",
            examples=["backbone"],
            json_schema_extra={"pattern": f"^({NAME.pattern})?$"},
        ),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=100, description="Most weights on the page.", examples=[20]), Whole] = 20

    @classmethod
    def read(cls, request: Request) -> Self:
        """The request's query parameters. Raises Refused."""
        query = super().read(request)
        if query.after and not NAME.fullmatch(query.after):
            raise not_a_cursor(query.after, "a name of weights")
        return query
