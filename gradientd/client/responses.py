"""Reads responses: into the wire's types, leniently towards other versions of the server, or into errors."""

from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from gradientd.client import compatibility
from gradientd.client.errors import Refused, ServerUnreachable, UnexpectedAnswer
from jobs.wire import MOST_ERRORS, Problem

AWAY = frozenset({502, 503, 504})
"""Statuses of a server, or of a proxy before it, that cannot serve for the moment."""
NO_CONTENT = 204
NOT_MODIFIED = 304
NOT_FOUND = 404

LEFT_OUT = {"type": "about:blank", "title": "", "detail": "", "instance": "", "code": "", "request_id": ""}
"""What stands for the members that a problem lacks: RFC 9457 requires none. A server of ours always tells `status`."""

UNKNOWN_OPERATION = frozenset({"route_not_found", "method_not_allowed"})
UNKNOWN_PARAMETER = "There is no such parameter"
"""How a server tells of a query parameter that it does not know."""

M = TypeVar("M", bound=BaseModel)


class Document(RootModel[dict[str, Any]]):
    """A JSON object whose members are passed on as they are."""


class ProblemMembers(BaseModel):
    """A problem's members as they came, `errors` apart from the others."""

    model_config = ConfigDict(frozen=True, extra="allow")

    errors: tuple[dict[str, Any], ...] = ()


def parse(response: httpx.Response, model: type[M]) -> M:
    """The response's body; what a newer server added is ignored, or kept as it came (see `compatibility`).

    Raises:
        UnexpectedAnswer: it is something else.
    """
    return understood(response, response.content, model)


def understood(response: httpx.Response, content: str | bytes, model: type[M]) -> M:
    """A part of the response's body, in the same way. Raises UnexpectedAnswer."""
    try:
        return compatibility.read(content, model)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"{response.request.url} did not answer as a gradientd server does: {fault(error)}"
        ) from error


def fault(error: ValidationError) -> str:
    """What is wrong with an answer, by its first fault."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "json_invalid":
        return "the answer is not JSON"
    if first["type"] == "missing":
        return f"the answer lacks {place!r}"
    return f"{place!r} is not what it should be" if place else "the answer is not what it should be"


def parse_problem(content: bytes) -> Problem | None:
    """The problem in a response's body, members that it lacks being empty; None if there is none."""
    try:
        members = ProblemMembers.model_validate_json(content)
        told = {name: value for name, value in (members.model_extra or {}).items() if value is not None}
        errors = [{"detail": "", **error} for error in members.errors[:MOST_ERRORS]]
        return Problem.model_validate({**LEFT_OUT, **told, "errors": errors})
    except ValidationError:
        return None


def refusal(response: httpx.Response, *, url: str) -> Refused | ServerUnreachable | UnexpectedAnswer:
    """The error that a response of 400 or above stands for."""
    problem = parse_problem(response.content)
    seconds = retry_after_seconds(response)
    if response.status_code in AWAY:
        told = problem.detail if problem and problem.detail else response.status_code
        return ServerUnreachable(
            f"{url} cannot serve at the moment: {told}", problem=problem, retry_after_seconds=seconds
        )
    if problem is None:
        return UnexpectedAnswer(
            f"{response.request.url} answered {response.status_code}, but not as a gradientd server does"
        )
    return Refused(problem, retry_after_seconds=seconds)


def retry_after_seconds(response: httpx.Response) -> float | None:
    """After how long the server asks to be asked again; None where it does not, or names a date."""
    told = response.headers.get("Retry-After", "")
    return float(told) if told.isascii() and told.isdigit() else None


def missing_in(error: Refused, request: httpx.Request) -> str | None:
    """What a server does not know that this client asks for; None where it was refused for another reason."""
    operation = f"{request.method} {request.url.path}"
    if error.problem.code in UNKNOWN_OPERATION:
        return operation
    if error.problem.code == "not_acceptable":
        return f"{operation} as {request.headers.get('Accept')}"
    if error.problem.code == "invalid_parameter":
        unknown = [each.parameter for each in error.problem.errors if each.detail.startswith(UNKNOWN_PARAMETER)]
        if unknown and all(name in request.url.params for name in unknown):
            return f"the parameter {', '.join(map(str, unknown))} of {operation}"
    return None
