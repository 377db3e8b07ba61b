"""What every stream of events has in common: how it goes on, when it ends, and what it says in between."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol, TypeVar

from api.background.mailbox import Mailbox
from api.http.context import RequestContext
from api.http.event_stream import KEEP_ALIVE, Listener
from api.http.problems import Refused
from jobs.errors import StoreUnavailable

T = TypeVar("T")

KEEP_ALIVE_SECONDS = 15.0
CHECK_KEY_SECONDS = 5.0
"""How often it is asked whether the key that a follower came with still holds."""


class Source(Protocol):
    """Where news come from."""

    @property
    def closing(self) -> bool:
        """Whether streams should end now."""
        ...


async def heard(
    context: RequestContext, mailbox: Mailbox[T], listener: Listener, source: Source
) -> AsyncGenerator[list[T]]:
    """What comes into a mailbox, and nothing now and then. Ends with the listener, the key, or the process."""
    clock = asyncio.get_running_loop().time
    checked_at = clock()
    gone = asyncio.create_task(_wake_when_gone(listener, mailbox))
    try:
        while not (listener.gone.is_set() or source.closing):
            await mailbox.wait(min(KEEP_ALIVE_SECONDS, CHECK_KEY_SECONDS))
            now = clock()
            if now - checked_at >= CHECK_KEY_SECONDS:
                checked_at = now
                if not await _may_go_on(context):
                    return
            yield mailbox.take()
    finally:
        gone.cancel()


async def kept_alive(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """What is to be sent, and a sign of life where there was nothing for too long."""
    clock = asyncio.get_running_loop().time
    said_at = clock()
    async with aclosing(parts):
        async for part in parts:
            now = clock()
            if part:
                said_at = now
                yield part
            elif now - said_at >= KEEP_ALIVE_SECONDS:
                said_at = now
                yield KEEP_ALIVE


async def _may_go_on(context: RequestContext) -> bool:
    try:
        await context.check_key()
    except StoreUnavailable:
        return True  # nobody can say
    except Refused:
        return False
    return True


async def _wake_when_gone(listener: Listener, mailbox: Mailbox[T]) -> None:
    await listener.gone.wait()
    mailbox.wake()
