"""Speaks HTTP with one server: requests out, again where that may help, answers or typed errors back."""

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
from pydantic import BaseModel

from gradientd import __version__
from gradientd.client._async.runtime import run, sleep
from gradientd.client.connection import (
    ANSWER_SECONDS,
    Params,
    Progress,
    query,
    reason,
    server_address,
    timeout,
    usual_headers,
    within,
)
from gradientd.client.errors import NotSupported, Refused, ServerUnreachable, UnexpectedAnswer
from gradientd.client.responses import NO_CONTENT, NOT_FOUND, missing_in, parse, refusal
from gradientd.client.retries import BACKOFF_SECONDS, MAX_RETRIES, Retries
from jobs.exposure import is_loopback

Content = Callable[[], tuple[int, Iterator[bytes]]]
"""A body, as often as it has to be sent: how many bytes, and they themselves."""


class Health(BaseModel):
    """What a server says of itself."""

    version: str = ""


class AsyncConnection:
    """Connections to one server, for as many requests at a time as there are. Close it, or use it as a context.

    Without `url` and `api_key` it takes `GRADIENTD_URL` (or this machine's port 8000) and `GRADIENTD_API_KEY`, as the
    command line does; an empty `api_key` sends none. `timeout_seconds` is the longest wait for an answer. A request is
    sent again up to `max_retries` times where the connection broke, the server was away (502, 503, 504) or had too
    much to do (429), after `backoff_seconds`, then twice that, and so on, or when the server asked for it.

    Raises:
        InvalidUrl: the URL cannot be one (a ServerUnreachable, and a ValueError).
        ValueError: the API key cannot be one.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
        max_retries: int = MAX_RETRIES,
        backoff_seconds: float = BACKOFF_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        address = server_address(url)
        self.url = str(address)
        self._timeout_seconds = timeout_seconds
        self._retries = Retries(max_retries, backoff_seconds)
        self._http = httpx.AsyncClient(
            base_url=address,
            headers=usual_headers(api_key),
            trust_env=not is_loopback(address.host),  # a proxy cannot reach this machine's own address
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def server_version(self) -> str:
        """Version of the server; empty where it does not tell."""
        return parse(await self._request("GET", "/healthz"), Health).version

    async def _request(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        content: Content | None = None,
        progress: Progress | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 0,
        deadline: float = float("inf"),
    ) -> httpx.Response:
        """The answer; sent again where that may help, but for no longer than to the deadline (monotonic seconds).

        Raises what stands for any other answer, or for none.
        """
        key = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        given = {**key, **(headers or {})}
        attempt, was_lost = 0, False
        while True:
            size, parts = await run(content) if content else (0, None)
            length = {"Content-Length": str(size)} if parts else {}
            try:
                return await self._answer(
                    method,
                    path,
                    json=json,
                    content=outgoing(parts, size, progress) if parts else None,
                    params=query(params),
                    headers={**given, **length},
                    timeout=timeout(within(self._timeout_seconds + wait_seconds, deadline)),
                )
            except (ServerUnreachable, Refused) as error:
                if was_lost and method == "DELETE" and is_gone(error):
                    return httpx.Response(NO_CONTENT)  # the attempt before, whose answer was lost, has deleted it
                await self._pause_before_retry(attempt, error, deadline=deadline)
                was_lost = isinstance(error, ServerUnreachable) and error.problem is None
            attempt += 1

    async def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer to a request that is sent once. Raises what stands for any other."""
        try:
            answer = await self._http.request(method, path, **request)
        except httpx.RequestError as error:
            raise ServerUnreachable(f"no answer from {self.url}: {reason(error)}") from error
        if answer.is_error:
            raise await self._refusal(answer)
        return answer

    async def _pause_before_retry(
        self, attempt: int, error: ServerUnreachable | Refused, *, deadline: float = float("inf")
    ) -> None:
        """Wait until the request should be sent again. Raises the error where it should not, or not in time."""
        seconds = self._retries.pause_seconds(attempt, error)
        if seconds is None or time.monotonic() + seconds > deadline:
            raise error
        await sleep(seconds)

    async def _refusal(self, answer: httpx.Response) -> Refused | ServerUnreachable | UnexpectedAnswer:
        """The error that an answer stands for; one that tells of an older server says so."""
        error = refusal(answer, url=self.url)
        missing = missing_in(error, answer.request) if isinstance(error, Refused) else None
        if not isinstance(error, Refused) or missing is None:
            return error
        try:
            version = parse(await self._http.get("/healthz"), Health).version
        except (httpx.RequestError, UnexpectedAnswer):
            version = ""
        return NotSupported(error.problem, missing=missing, server_version=version, client_version=__version__)

    @asynccontextmanager
    async def _stream(
        self,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        read_seconds: float | None = None,
    ) -> AsyncGenerator[httpx.Response]:
        """The answer to a GET, sent once, whose body is still to be read; `read_seconds` is the longest silence within
        it."""
        limits = timeout(self._timeout_seconds, read_seconds=read_seconds)
        try:
            async with self._http.stream("GET", path, params=query(params), headers=headers, timeout=limits) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise await self._refusal(answer)
                yield answer
        except httpx.RequestError as error:
            raise ServerUnreachable(f"no answer from {self.url}: {reason(error)}") from error


async def outgoing(parts: Iterator[bytes], size: int, progress: Progress | None) -> AsyncIterator[bytes]:
    """A body as it is sent, each part as it is read."""
    sent = 0
    while (part := await run(next, parts, None)) is not None:
        yield part
        sent += len(part)
        if progress:
            progress(sent, size)


def is_gone(error: ServerUnreachable | Refused) -> bool:
    """Whether there is nothing to be deleted."""
    return isinstance(error, Refused) and error.problem.status == NOT_FOUND
