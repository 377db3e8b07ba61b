"""The live workers as this process last saw them, for questions that each submission asks."""

import asyncio
from collections.abc import Awaitable, Callable

from jobs.record import Worker

KEPT_SECONDS = 1.0
"""How old an answer may be: workers come and go in seconds, and submissions come by the hundred a second."""


class Fleet:
    """Reads the workers at most once in `KEPT_SECONDS`, however many ask."""

    def __init__(self, read: Callable[[], Awaitable[tuple[Worker, ...]]]) -> None:
        self._read = read
        self._workers: tuple[Worker, ...] = ()
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def workers(self) -> tuple[Worker, ...]:
        """Those that were live within the last second. Raises StoreUnavailable."""
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if self._read_at is None or now - self._read_at >= KEPT_SECONDS:
                self._workers = await self._read()
                self._read_at = now
            return self._workers
