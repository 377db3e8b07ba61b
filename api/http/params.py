"""What an operation takes beside its body, as one dependency: it reads the request, and the document is made of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Generic, Protocol, TypeVar, get_type_hints

from fastapi import Depends
from starlette.requests import Request

from api.http.problems import shortened
from api.http.query import Query
from jobs.errors import JobNotFound
from jobs.ids import PATTERN

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Json = dict[str, Any]


class Part(Protocol[T_co]):
    """A part of a request: a class of query parameters, a header, a segment of the path."""

    def read(self, request: Request) -> T_co:
        """What the request has there. Raises Refused, or what else answers a part that cannot be."""
        ...

    def described(self) -> list[Json]:
        """The part's parameters as the document has them."""
        ...


@dataclass(frozen=True, slots=True)
class Segment(Generic[T_co]):
    """A segment of the path, by the name that the route's path gives it."""

    name: str
    parse: Callable[[str], T_co]
    description: str
    example: str
    constraints: Json = field(default_factory=dict[str, Any])
    """What JSON Schema says of the value beside that it is a string."""

    def read(self, request: Request) -> T_co:
        """What the request's path has there."""
        return self.parse(request.path_params[self.name])

    def described(self) -> list[Json]:
        """The segment as the document has it."""
        return [
            {
                "name": self.name,
                "in": "path",
                "required": True,
                "schema": {
                    "type": "string",
                    "description": self.description,
                    **self.constraints,
                    "examples": [self.example],
                },
                "description": self.description,
            }
        ]


class Reader(Generic[T]):
    """The dependency that reads an operation's parameters."""

    def __init__(self, of: type[T]) -> None:
        self.of = of
        self._read: Callable[[Request], T]
        if issubclass(of, Query):
            self._parts: list[Part[Any]] = [of]
            self._read = of.read
        else:
            self._parts = _parts(of)
            self._read = self._together

    async def __call__(self, request: Request) -> T:  # FastAPI would run a plain function in a thread.
        """What the request has, read in the order of the fields."""
        return self._read(request)

    def described(self) -> list[Json]:
        """The parameters as the document has them: the path's first, then the query's, then headers."""
        found = [parameter for part in self._parts for parameter in part.described()]
        return sorted(found, key=lambda parameter: ("path", "query", "header").index(parameter["in"]))

    def _together(self, request: Request) -> T:
        return self.of(*[part.read(request) for part in self._parts])


def Params(of: type[Any]) -> Any:  # noqa: N802 (stands in a signature, as Depends does)
    """The dependency that reads a request as `of`: a `Query`, or a dataclass of parts.

    A part is a field that is a `Query`, or `Annotated` with a header or a segment.
    """
    return Depends(Reader(of), use_cache=False)


def _parts(of: Any) -> list[Part[Any]]:
    hints = get_type_hints(of, include_extras=True)
    return [_part(hints[field.name]) for field in fields(of)]


def _part(hint: Any) -> Part[Any]:
    metadata: tuple[Part[Any], ...] = getattr(hint, "__metadata__", (hint,))
    (part,) = metadata
    return part


def _job_id(text: str) -> str:
    # The store is never asked for a strange key.
    if not PATTERN.fullmatch(text):
        raise JobNotFound(shortened(text, 100))
    return text


JobId = Annotated[
    str,
    Segment(
        "job_id",
        _job_id,
        "The job's `id`.",
        "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC",
        {"pattern": f"^{PATTERN.pattern}$"},
    ),
]
"""A job's id. Reading it raises JobNotFound for what cannot be one."""
NoParams = Annotated[Query, Params(Query)]
"""Of an operation that takes no parameters: any that is sent is refused."""
