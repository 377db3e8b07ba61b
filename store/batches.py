"""Store operations of one event loop, carried out together: calls that are made at the same moment travel to Redis in
one packet, and their replies come back in one. Asked by many at once, a process spends less on each.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar, cast

import redis.asyncio
from hiredis import pack_command as _pack  # pyright: ignore[reportUnknownVariableType]
from redis.exceptions import NoScriptError, ResponseError

from store.calls import AWAY, Call, Operation, translated

T = TypeVar("T")

MOST_CALLS = 6
"""Calls of one packet. With more the store has nothing to do while they are made, and this process nothing while it
does them: measured, a tenth fewer submissions a second with as many as come.
"""

pack_command = cast("Callable[[tuple[Any, ...]], bytes]", _pack)
_Waiting = tuple[Call, "asyncio.Future[Any]"]


class Batches:
    """Carries operations out over a client of the running event loop."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._waiting: list[_Waiting] = []
        self._exchanges: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what is under way, for the client is about to close; whoever waits for it is cancelled."""
        while self._exchanges:
            for exchange in self._exchanges:
                exchange.cancel()
            await asyncio.wait(self._exchanges)

    async def do(self, operation: Operation[T]) -> T:
        """Carry out an operation. Raises StoreUnavailable when Redis is away or refuses writes, and whatever the
        operation raises.
        """
        try:
            call = next(operation)
            while True:
                call = operation.send(await self._reply(call))
        except StopIteration as done:
            return done.value

    async def _reply(self, call: Call) -> Any:
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            # Behind whatever else is ready to run now, and may call too.
            loop.call_soon(self._send)
        self._waiting.append((call, reply))
        if len(self._waiting) == MOST_CALLS:
            self._send()
        try:
            return await reply
        except (*AWAY, ResponseError) as error:
            raise translated(error) from error

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:  # not sent as a full packet meanwhile
            exchange = asyncio.create_task(self._exchange(waiting))
            self._exchanges.add(exchange)
            exchange.add_done_callback(self._exchanges.discard)

    async def _exchange(self, waiting: Sequence[_Waiting]) -> None:
        try:
            replies: Sequence[Any] = await self._replies([call for call, _ in waiting])
        except asyncio.CancelledError:
            for _, reply in waiting:
                reply.cancel()
            raise
        except Exception as error:  # noqa: BLE001 (each of those who wait is told)
            replies = [error for _ in waiting]
        for (_, reply), value in zip(waiting, replies, strict=True):
            if reply.done():  # nobody waits any more
                continue
            if isinstance(value, BaseException):
                reply.set_exception(value)
            else:
                reply.set_result(value)

    async def _replies(self, calls: Sequence[Call]) -> list[Any]:
        """A reply or an error for each."""
        replies = await self._sent([call.arguments() for call in calls])
        unknown = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = await self._sent([calls[at].arguments(with_source=True) for at in unknown])
            for at, reply in zip(unknown, again, strict=True):
                replies[at] = reply
        return replies

    async def _sent(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        # As a pipeline of redis-py's does, but for its packing in Python, which is half of a call's cost.
        pool: Any = self._client.connection_pool
        packed = b"".join([pack_command(command) for command in commands])
        connection: Any = await pool.get_connection()

        async def exchanged() -> list[Any]:
            await connection.send_packed_command(packed)
            return [await self._reply_to(command, connection) for command in commands]

        async def broken(_: Exception) -> None:
            await connection.disconnect()

        try:
            return await connection.retry.call_with_retry(exchanged, broken)
        finally:
            await pool.release(connection)

    async def _reply_to(self, command: tuple[Any, ...], connection: Any) -> Any:
        client: Any = self._client
        try:
            return await client.parse_response(connection, command[0])
        except ResponseError as error:
            return error
