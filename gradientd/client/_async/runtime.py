"""What waiting is: the one module that is written for each client, and not made of the other's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Pause = Callable[[float], Awaitable[None]]


async def sleep(seconds: float) -> None:
    """Do nothing for so long."""
    await asyncio.sleep(seconds)


async def run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What a function returns that reads or writes files; others go on meanwhile."""
    return await asyncio.to_thread(function, *args, **kwargs)
