"""What has come for one who follows something, until it is taken."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_PENDING = 500
"""Pieces of news that may be left lying. One who takes them more slowly than that is let go."""


class Mailbox(Generic[T]):
    """News of one kind, in their order."""

    def __init__(self, *, on_overrun: Callable[[], None]) -> None:
        self._on_overrun = on_overrun
        self._news: list[T] = []
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """End a wait."""
        self._woken.set()

    def put(self, news: T) -> None:
        """Leave something, and end a wait."""
        self._news.append(news)
        if len(self._news) > MOST_PENDING:
            self._on_overrun()
        self._woken.set()

    def take(self) -> list[T]:
        """What has come since the last call."""
        news, self._news = self._news, []
        return news

    async def wait(self, seconds: float) -> bool:
        """Return once something has come or after a wake, or after so long; tells which."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True
