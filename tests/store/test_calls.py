"""How operations meet a Redis whose connections break."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
import uvloop

from jobs.settings import Settings
from store.calls import aconnect

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.mark.parametrize("loop", LOOPS)
def test_writing_to_a_connection_that_was_just_closed_is_a_connection_error(redis_url: str, loop: str) -> None:
    async def write() -> None:
        async with aconnect(Settings.model_validate({"redis_url": redis_url})) as client:
            connection: Any = client.connection_pool.make_connection()
            await connection.connect()
            connection._writer.transport.abort()
            try:
                with pytest.raises(redis.ConnectionError):
                    await connection.send_command("PING", check_health=False)
            finally:
                await connection.disconnect()

    factory: Callable[[], asyncio.AbstractEventLoop] = LOOPS[loop]
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(write())
