"""How a store operation meets Redis, from a thread or from asyncio.

An operation is a generator: it yields `Call`s, is sent their replies and returns its result. It does no
I/O, so it is written once; `run` and `arun` carry it out.
"""

from collections.abc import Awaitable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import redis
import redis.asyncio
import redis.retry
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,  # noqa: A004 (Redis' own, on purpose)
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004
)

from jobs.errors import StoreUnavailable
from jobs.settings import Settings
from store.keys import Keys
from store.scripts import Script, load
from store.tls import explained

T = TypeVar("T")

MOST_CONNECTIONS = 32
"""Connections of one asyncio client. More would not be faster: one event loop drives them all."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command to Redis. With `script`, an EVALSHA of it over `command`'s arguments."""

    command: tuple[str | int | float, ...]
    script: Script | None = None

    def arguments(self, *, with_source: bool = False) -> tuple[str | int | float, ...]:
        """The command as Redis takes it."""
        if self.script is None:
            return self.command
        if with_source:
            return ("EVAL", self.script.source, 1, *self.command)
        return ("EVALSHA", self.script.sha, 1, *self.command)


Operation = Generator[Call, Any, T]


class Do(Protocol):
    """Carries an operation out on the event loop. Raises StoreUnavailable and whatever that raises."""

    def __call__(self, operation: Operation[T]) -> Awaitable[T]: ...


def script(keys: Keys, name: str, /, *, rest: Iterable[str | float] = (), **arguments: str | float) -> Call:
    """The call of a script with the arguments that it names in its first statement, then its `rest` of any length.

    Raises KeyError or TypeError where the names are not the script's.
    """
    called = load(name)
    given = [arguments.pop(argument) for argument in called.arguments]
    if arguments:
        raise TypeError(f"{name}.lua takes no {', '.join(arguments)}")
    return Call((keys.namespace, *given, *rest), called)


AWAY = (ConnectionError, TimeoutError, BusyLoadingError, OSError)
"""What is raised where Redis cannot be reached."""
# Redis is up but takes no writes: no disk, not enough replicas, a script over its time, a fail-over.
_REFUSALS = ("MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN", "UNBLOCKED")


def translated(error: Exception) -> Exception:
    """What an error of Redis' means for whoever called."""
    if isinstance(error, AWAY):
        return StoreUnavailable(f"the store cannot be reached: {explained(error)}")
    if isinstance(error, OutOfMemoryError):
        return StoreUnavailable("the store takes no writes: its memory is full (maxmemory)")
    if isinstance(error, NoPermissionError) or str(error).startswith("DB index"):
        return StoreUnavailable(f"the store cannot be used as GRADIENTD_REDIS_URL says: {error}")
    if isinstance(error, ReadOnlyError) or str(error).startswith(_REFUSALS):
        return StoreUnavailable(f"the store takes no writes: {error}")
    return error


def connect(settings: Settings) -> "redis.Redis":
    """A client for threads. Connects at the first command.

    A command is sent once more over a new connection when one turns out to be broken: every script takes a
    repetition as a no-op.
    """
    address = settings.store_address
    kind: Any = redis.UnixDomainSocketConnection if address.path is not None else redis.Connection
    pool = redis.ConnectionPool(
        connection_class=redis.SSLConnection if address.tls else kind,
        retry=redis.retry.Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        decode_responses=True,
        **address.client_options(),
    )
    return redis.Redis.from_pool(pool)


def aconnect(settings: Settings) -> "redis.asyncio.Redis":
    """A client for asyncio. Connects at the first command; see `connect`.

    Many tasks share a few connections: one that finds none free waits for its turn instead of failing. A command
    is sent once more over a new connection when a pooled one turns out to be broken.
    """
    address = settings.store_address
    kind = redis.asyncio.UnixDomainSocketConnection if address.path is not None else redis.asyncio.Connection
    pool = redis.asyncio.BlockingConnectionPool(
        connection_class=_sound(redis.asyncio.SSLConnection if address.tls else kind),
        max_connections=MOST_CONNECTIONS,
        timeout=5,
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        decode_responses=True,
        **address.client_options(),
    )
    return redis.asyncio.Redis.from_pool(pool)


def _sound(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """A kind of connection that says ConnectionError when it writes to a transport that has just been closed.

    redis-py 8.1 lets through what asyncio (AttributeError, TypeError) and uvloop (RuntimeError) raise for that, which
    no retry knows (redis/redis-py#4217). Commands are packed before, so no mistake of a caller's is hidden.
    """

    class Sound(kind):
        async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
            try:
                await super().send_packed_command(command, check_health)
            except (AttributeError, TypeError, RuntimeError) as error:
                raise ConnectionError(f"the connection was closed while it was written to: {error}") from error

    return Sound


def run(client: "redis.Redis", operation: Operation[T]) -> T:
    """Carry out an operation, blocking.

    Raises StoreUnavailable when Redis is away or refuses writes, and whatever the operation raises.
    """
    try:
        call = next(operation)
        while True:
            call = operation.send(_execute(client, call))
    except StopIteration as done:
        return done.value


def _execute(client: "redis.Redis", call: Call) -> Any:
    try:
        try:
            return client.execute_command(*call.arguments())  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        except NoScriptError:
            return client.execute_command(*call.arguments(with_source=True))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except (*AWAY, ResponseError) as error:
        raise translated(error) from error


async def arun(client: "redis.asyncio.Redis", operation: Operation[T]) -> T:
    """Carry out an operation on the running event loop. Raises as `run` does."""
    try:
        call = next(operation)
        while True:
            call = operation.send(await _aexecute(client, call))
    except StopIteration as done:
        return done.value


async def _aexecute(client: "redis.asyncio.Redis", call: Call) -> Any:
    try:
        try:
            return await client.execute_command(*call.arguments())  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        except NoScriptError:
            return await client.execute_command(*call.arguments(with_source=True))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except (*AWAY, ResponseError) as error:
        raise translated(error) from error
