"""Each test that asks for a client is of both: the synchronous one, and the asynchronous one made to block."""

from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest

from gradientd.client import Client
from tests.gradientd.client.blocking import BlockingClient

Handler = Callable[[httpx.Request], httpx.Response]
ClientOf = Callable[..., Client]


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> type[Client]:
    """The kind of client."""
    return Client if request.param == "sync" else cast("type[Client]", BlockingClient)


@pytest.fixture
def client_of(make: type[Client]) -> ClientOf:
    """A client whose server is a function; it sends nothing again unless told so."""

    def of(handler: Handler, **options: Any) -> Client:
        return make("http://train.test", **{"max_retries": 0, "transport": httpx.MockTransport(handler), **options})

    return of
