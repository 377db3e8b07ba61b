"""What the connections of both clients share: where they lead, what each request says, why one got no answer."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import httpx

from gradientd import __version__
from gradientd.client import environment
from gradientd.client.errors import InvalidUrl, ServerUnreachable

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
GRACE_SECONDS = 1.0
"""What an answer to the last question before a deadline has beyond it."""
SCHEMES = ("http", "https")

Params = Mapping[str, str] | Sequence[tuple[str, str]]
Progress = Callable[[int, int | None], None]
"""Told how many bytes have passed, and of how many if that is known; from the beginning where they are sent again."""


def server_address(url: str | None) -> httpx.URL:
    """The server's address: that of the environment where none is given. Raises InvalidUrl for what is none."""
    told = environment.server_url() if url is None else url
    try:
        address = httpx.URL(told.rstrip("/"))
    except httpx.InvalidURL as error:
        raise InvalidUrl(f"{told!r} is not a URL: {error}") from error
    if address.scheme not in SCHEMES or not address.host:
        raise InvalidUrl(f"{told!r} is not the URL of a server: it must begin with http://")
    return address


def usual_headers(api_key: str | None) -> dict[str, str]:
    """What every request says; the environment's key where none is given. Raises ValueError for what can be no key."""
    key = environment.checked_key(environment.api_key() if api_key is None else api_key)
    authorization = {"Authorization": f"Bearer {key}"} if key else {}
    return {"User-Agent": f"gradientd/{__version__}", "Accept": "application/json", **authorization}


def timeout(answer_seconds: float, *, read_seconds: float | None = None) -> httpx.Timeout:
    """How long is waited: for an answer, and for each part of it where `read_seconds` says otherwise."""
    read = answer_seconds if read_seconds is None else read_seconds
    return httpx.Timeout(answer_seconds, connect=min(CONNECT_SECONDS, answer_seconds), read=read)


def within(seconds: float, deadline: float) -> float:
    """So long, but not much beyond the deadline (monotonic seconds): an answer then may still be on its way."""
    return min(seconds, max(0.0, deadline - time.monotonic()) + GRACE_SECONDS)


def query(params: Params | None) -> httpx.QueryParams:
    """The query of a request."""
    return httpx.QueryParams(tuple(params.items()) if isinstance(params, Mapping) else tuple(params or ()))


def is_late(error: ServerUnreachable) -> bool:
    """Whether an answer was waited for in vain, and not refused."""
    return isinstance(error.__cause__, httpx.TimeoutException)


def reason(error: httpx.RequestError) -> str:
    """Why there was no answer, in few words."""
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes(error)) or "refused" in str(error).lower():
        return "connection refused; is a server running there? (`gradientd up` starts one here)"
    return str(error) or type(error).__name__


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it comes from: of several addresses each has its own."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            several = cast("BaseExceptionGroup[BaseException]", error)
            yield from (cause for each in several.exceptions for cause in causes(each))
        error = error.__cause__ or error.__context__
