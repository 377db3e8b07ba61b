"""The asynchronous client, used as the synchronous one is, so that one test is of both."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, Self

from gradientd.client import AsyncClient, AsyncPage


class BlockingClient:
    """An `AsyncClient` each of whose calls runs to its end, and whose streams are read step by step."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._client = AsyncClient(*args, **options)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return (lambda *args, **options: self._done(found(*args, **options))) if callable(found) else found

    def _done(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            value = self._runner.run(value)
        if isinstance(value, AsyncPage):
            return BlockingPage(self, value)
        return self.read(value) if isinstance(value, AsyncIterator) else value

    def read(self, told: AsyncIterator[Any]) -> Iterator[Any]:
        """What it tells."""

        async def following() -> Any:
            return await anext(told)

        try:
            while True:
                try:
                    yield self._runner.run(following())
                except StopAsyncIteration:
                    return
        finally:
            if isinstance(told, AsyncGenerator):
                self._runner.run(told.aclose())


class BlockingPage:
    """A page of it."""

    def __init__(self, client: BlockingClient, page: AsyncPage[Any]) -> None:
        self._client = client
        self._page = page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._page, name)

    def __repr__(self) -> str:
        return repr(self._page)

    def __iter__(self) -> Iterator[Any]:
        return self._client.read(aiter(self._page))

    def next_page(self) -> "BlockingPage | None":
        """The page behind it."""
        return self._client._done(self._page.next_page())
