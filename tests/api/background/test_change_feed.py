"""Whoever waits for a job outlives the connection that tells of changes."""

import asyncio
from types import SimpleNamespace
from typing import Any

import redis

from api.background.change_feed import ChangeFeed
from store.keys import Keys


class Breaking:
    """A connection that breaks just as something is sent."""

    async def connect(self) -> None:
        """Connect."""

    async def send_command(self, *_words: str, **_options: object) -> None:
        raise redis.ConnectionError("closed")

    async def read_response(self, **_options: object) -> Any:
        raise redis.ConnectionError("closed")

    async def disconnect(self, **_options: object) -> None:
        """Nothing to do."""


class Confirming(Breaking):
    """A connection that confirms one subscription and then is silent."""

    def __init__(self) -> None:
        self.channels: asyncio.Queue[str] = asyncio.Queue()

    async def send_command(self, *words: str, **_options: object) -> None:
        self.channels.put_nowait(words[1])

    async def read_response(self, **_options: object) -> Any:
        return ["subscribe", await self.channels.get(), 1]


def test_a_watch_begins_although_the_connection_breaks_while_it_subscribes() -> None:
    made = [Breaking(), Confirming()]
    client: Any = SimpleNamespace(connection_pool=SimpleNamespace(make_connection=lambda: made.pop(0)))

    async def watched() -> bool:
        changes = ChangeFeed(client, Keys("test"))
        listening = asyncio.create_task(changes.run())
        try:
            async with changes.watch("job_1") as watch:
                return watch.live.is_set()
        finally:
            listening.cancel()

    assert asyncio.run(watched())
    assert not made
