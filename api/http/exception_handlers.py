"""Turns whatever a route raises into a problem."""

from collections.abc import Mapping

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api.http import kinds
from api.http.kinds import Kind
from api.http.problems import Refused, answer, shortened
from jobs.errors import DataLost, GradientdError, InvalidCursor, InvalidSpec, StoreUnavailable
from jobs.faults import Faulty, UploadTooLarge
from jobs.wire import FieldError

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Make every error of the app's routes a problem. Unforeseen ones are the middleware's.

    Starlette takes the handler of the nearest class.
    """
    app.exception_handler(GradientdError)(_contract)
    app.exception_handler(InvalidSpec)(_invalid_spec)
    app.exception_handler(InvalidCursor)(_invalid_cursor)
    app.exception_handler(Faulty)(_faulty)
    app.exception_handler(UploadTooLarge)(_upload_too_large)
    app.exception_handler(StoreUnavailable)(_store_unavailable)
    app.exception_handler(Refused)(_refused)
    app.exception_handler(HTTPException)(_http)


async def _contract(request: Request, error: Exception) -> Response:
    return _told(request, error)


async def _invalid_spec(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidSpec)
    return _told(request, error, FieldError(pointer=error.pointer, detail=shortened(str(error))))


async def _invalid_cursor(request: Request, error: Exception) -> Response:
    return _told(request, error, FieldError(parameter="after", detail=shortened(str(error), 200)))


async def _faulty(request: Request, error: Exception) -> Response:
    assert isinstance(error, Faulty)
    return answer(request.scope, kind_of(error), str(error), faults=error)


async def _upload_too_large(request: Request, error: Exception) -> Response:
    # What is still on its way is not wanted: the connection ends with the answer.
    return _told(request, error, headers={"connection": "close"})


async def _store_unavailable(request: Request, error: Exception) -> Response:
    # The cause names addresses: it is for the log, not for the caller.
    log.warning("store_unavailable", error=str(error))
    away = "the store does not answer; try again shortly"
    lost = "the data directory is gone; whoever runs the service has to start it again"
    return _told(request, error, detail=lost if isinstance(error, DataLost) else away)


def _told(
    request: Request,
    error: Exception,
    *errors: FieldError,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to an error of the contract. Raises the error itself where it has no kind."""
    kind = kind_of(error)
    seconds: int | None = getattr(error, "retry_after_seconds", None)
    wait = {} if seconds is None else {"retry-after": str(seconds)}
    return answer(request.scope, kind, detail or str(error), errors=errors, headers={**wait, **(headers or {})})


def kind_of(error: Exception) -> Kind:
    """The kind that answers an error of the contract. Raises the error itself where it has none."""
    kind = kinds.kind_of(error) if isinstance(error, GradientdError) else None
    if kind is None:
        raise error
    return kind


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(request.scope, error.kind, str(error), errors=error.errors, headers=error.headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return answer(request.scope, kinds.ROUTE_NOT_FOUND, "no operation has this path")
    if error.status_code == 405:
        allowed = ", ".join(_methods_of(request))
        detail = f"{request.method} is not allowed here; allowed: {allowed}"
        return answer(request.scope, kinds.METHOD_NOT_ALLOWED, detail, headers={"allow": allowed})
    if error.status_code < 500:
        return answer(request.scope, kinds.BAD_REQUEST, str(error.detail))
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
