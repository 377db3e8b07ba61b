"""Turns whatever a route raises into a problem."""

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api.http.problems import KINDS, Refused, answer, shortened
from jobs.errors import GradientdError, InvalidCursor, InvalidSpec, StoreUnavailable, TooManyJobs, TooManyRequests
from jobs.wire import FieldError

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Make every error of the app's routes a problem. Unforeseen ones are the envelope's."""
    app.exception_handler(GradientdError)(_contract)
    app.exception_handler(Refused)(_refused)
    app.exception_handler(HTTPException)(_http)


async def _contract(request: Request, error: Exception) -> Response:
    assert isinstance(error, GradientdError)
    kind = KINDS.get(error.code)
    if kind is None:
        raise error
    errors: list[FieldError] = []
    headers: dict[str, str] = {}
    if isinstance(error, InvalidSpec):
        errors.append(FieldError(pointer=error.pointer, detail=shortened(str(error))))
    elif isinstance(error, InvalidCursor):
        errors.append(FieldError(parameter="after", detail=shortened(str(error), 200)))
    elif isinstance(error, (TooManyJobs, TooManyRequests)):
        headers["retry-after"] = str(error.retry_after_seconds)
    elif isinstance(error, StoreUnavailable):
        # The cause names addresses: it is for the log, not for the caller.
        log.warning("store_unavailable", error=str(error))
        headers["retry-after"] = str(error.retry_after_seconds)
        return answer(request.scope, kind, "the store does not answer; try again shortly", headers=headers)
    return answer(request.scope, kind, str(error), errors=errors, headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(request.scope, error.kind, str(error), errors=error.errors, headers=error.headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return answer(request.scope, KINDS["route_not_found"], "no operation has this path")
    if error.status_code == 405:
        allowed = ", ".join(_methods_of(request))
        detail = f"{request.method} is not allowed here; allowed: {allowed}"
        return answer(request.scope, KINDS["method_not_allowed"], detail, headers={"allow": allowed})
    if error.status_code < 500:
        return answer(request.scope, KINDS["bad_request"], str(error.detail))
    raise error


def _methods_of(request: Request) -> list[str]:
    """Methods that the request's path takes. Starlette itself names those of the first route only."""
    app: FastAPI = request.scope["app"]
    found = [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]
    return ["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] and "HEAD" not in found else found
