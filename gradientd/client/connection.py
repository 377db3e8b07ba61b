"""Speaks HTTP with one server: requests out, answers or typed errors back."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import httpx

from gradientd import __version__
from gradientd.client import environment
from gradientd.client.errors import ServerUnreachable
from gradientd.client.responses import refusal
from jobs.exposure import is_loopback

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0

Params = Mapping[str, str] | Sequence[tuple[str, str]]


class Connection:
    """Connections to one server. Thread-safe; close it, or use it as a context.

    Without `url` and `api_key` it takes `GRADIENTD_URL` (or this machine's port 8000) and `GRADIENTD_API_KEY`, as the
    command line does; an empty `api_key` sends none. `timeout_seconds` is the longest wait for an answer.

    Raises:
        ServerUnreachable: the URL cannot be one.
        ValueError: the API key cannot be one.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        url = environment.server_url() if url is None else url
        key = environment.checked_key(environment.api_key() if api_key is None else api_key)
        self._timeout_seconds = timeout_seconds
        try:
            self.url = str(httpx.URL(url)).rstrip("/")
            self._http = httpx.Client(
                base_url=self.url,
                headers={
                    "User-Agent": f"gradientd/{__version__}",
                    "Accept": "application/json",
                    **({"Authorization": f"Bearer {key}"} if key else {}),
                },
                trust_env=not is_loopback(httpx.URL(url).host),  # a proxy cannot reach this machine's own address
                transport=transport,
            )
        except httpx.InvalidURL as error:
            raise ServerUnreachable(f"{url!r} is not a URL: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        content: bytes | Iterator[bytes] | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 0,
    ) -> httpx.Response:
        connect_seconds = min(CONNECT_SECONDS, self._timeout_seconds)
        try:
            answer = self._http.request(
                method,
                path,
                json=json,
                content=content,
                params=query(params),
                headers=headers,
                timeout=httpx.Timeout(self._timeout_seconds + wait_seconds, connect=connect_seconds),
            )
        except httpx.UnsupportedProtocol as error:
            raise ServerUnreachable(f"{self.url!r} is not the URL of a server: it must begin with http://") from error
        except httpx.RequestError as error:
            raise ServerUnreachable(f"no answer from {self.url}: {reason(error)}") from error
        if answer.is_error:
            raise refusal(answer, url=self.url)
        return answer

    @contextmanager
    def _stream(
        self,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        read_seconds: float | None = None,
    ) -> Generator[httpx.Response]:
        """The answer to a GET, whose body is still to be read; `read_seconds` is the longest silence within it."""
        try:
            connect_seconds = min(CONNECT_SECONDS, self._timeout_seconds)
            timeout = httpx.Timeout(self._timeout_seconds, connect=connect_seconds, read=read_seconds)
            if read_seconds is None:
                timeout = httpx.Timeout(self._timeout_seconds, connect=connect_seconds)
            with self._http.stream("GET", path, params=query(params), headers=headers, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                    raise refusal(answer, url=self.url)
                yield answer
        except httpx.RequestError as error:
            raise ServerUnreachable(f"no answer from {self.url}: {reason(error)}") from error


Progress = Callable[[int, int | None], None]
"""Told how many bytes have passed, and of how many if that is known."""


def query(params: Params | None) -> httpx.QueryParams:
    """The query of a request."""
    return httpx.QueryParams(tuple(params.items()) if isinstance(params, Mapping) else tuple(params or ()))


def reason(error: httpx.RequestError) -> str:
    """Why there was no answer, in few words."""
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    if "refused" in str(error).lower():
        return "connection refused; is a server running there? (`gradientd up` starts one here)"
    return str(error) or type(error).__name__
