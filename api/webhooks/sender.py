"""Makes one request to a webhook: signed, to an address that was checked, and over in a bounded time."""

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
from standardwebhooks import Webhook

from api.webhooks.addresses import Resolve, is_public
from api.webhooks.bounded import BoundedBackend
from jobs.webhook_messages import AttemptError

TOTAL_SECONDS = 15.0
"""How long a request may take from the look-up of its name to the head of its answer, whatever comes meanwhile."""
MOST_ADDRESSES = 3
"""Addresses of a name that are tried, one after the other, each for its share of that time."""
GOODBYE_SECONDS = 1.0
MOST_BODY_BYTES = 4096
"""For how long, and how much, of an answer's body is read, that the receiver may finish. Nobody sees it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said: a status, or why there is none."""

    status_code: int | None = None
    error: AttemptError | None = None


class Send(Protocol):
    """Makes a request. Never fails: what goes wrong is an answer."""

    async def __call__(self, url: str, body: str, *, message_id: str, secret: str) -> Answer: ...


class Sender:
    """The client of all webhooks of this process.

    A name is looked up once for a request; all its addresses must be allowed, and the connection goes to one of these
    very addresses, so what the name means a moment later does not matter. Neither redirects nor proxies of the
    environment are followed, and no connection is used twice: the next request's name is checked anew.
    """

    def __init__(
        self, resolve: Resolve, *, allow_private: bool, user_agent: str, total_seconds: float = TOTAL_SECONDS
    ) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._total_seconds = total_seconds
        transport = httpx.AsyncHTTPTransport(
            verify=httpx.create_ssl_context(),  # certifi's authorities, or those that SSL_CERT_FILE names
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        # httpx has no way to say so; a test floods it.
        pool: Any = transport._pool  # pyright: ignore[reportPrivateUsage]
        pool._network_backend = BoundedBackend(pool._network_backend)
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(total_seconds, connect=total_seconds / MOST_ADDRESSES),
            headers={"user-agent": user_agent, "accept": "*/*", "connection": "close"},
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def __call__(self, url: str, body: str, *, message_id: str, secret: str) -> Answer:
        """POST a message. See `Send`."""
        try:
            async with asyncio.timeout(self._total_seconds):
                got = await self._request(httpx.URL(url), body, message_id=message_id, secret=secret)
        except TimeoutError:
            return Answer(error="timed_out")
        except httpx.InvalidURL:
            return Answer(error="name_not_found")
        if isinstance(got, Answer):
            return got
        await _read_out(got)
        return Answer(status_code=got.status_code)

    async def _request(self, url: httpx.URL, body: str, *, message_id: str, secret: str) -> httpx.Response | Answer:
        try:
            found = await self._resolve(url.raw_host.decode(), url.port or (443 if url.scheme == "https" else 80))
        except (OSError, UnicodeError):
            found = []
        if not found:
            return Answer(error="name_not_found")
        addresses = [ipaddress.ip_address(each) for each in found]
        if not (self._allow_private or all(map(is_public, addresses))):
            return Answer(error="address_not_allowed")
        unreached = Answer(error="connection_failed")
        for address in addresses[:MOST_ADDRESSES]:
            got = await self._post(url, str(address), body, message_id=message_id, secret=secret)
            if got != unreached:
                return got
        return unreached

    async def _post(
        self, url: httpx.URL, address: str, body: str, *, message_id: str, secret: str
    ) -> httpx.Response | Answer:
        at = datetime.now(UTC)
        headers = {
            "host": url.netloc.decode(),
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(message_id, at, body),
        }
        # The name is still what the certificate must be for.
        request = self._client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body.encode(),
            headers=headers,
            extensions={"sni_hostname": url.raw_host.decode()},
        )
        try:
            return await self._client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Answer(error="tls_failed" if _is_tls(error) else "connection_failed")
        except httpx.TimeoutException:
            return Answer(error="timed_out")
        except httpx.HTTPError:
            return Answer(error="no_answer")


async def _read_out(response: httpx.Response) -> None:
    size = 0
    try:
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                async for chunk in response.aiter_raw():
                    size += len(chunk)
                    if size >= MOST_BODY_BYTES:
                        return
    finally:
        await response.aclose()


def _is_tls(error: BaseException) -> bool:
    """Whether a connection was there and its TLS was not."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
