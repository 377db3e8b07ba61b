"""Tells whoever waits for a job that it changed: one subscriber connection for the whole process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.errors import StoreUnavailable
from store.keys import EVERYBODY, Keys

SUBSCRIBE_SECONDS = 3.0
"""How long the store may take to confirm a subscription."""
QUIET_SECONDS = 10.0
"""Silence after which the connection is asked for a sign of life; twice that and it counts as dead."""
RECONNECT_SECONDS = 0.5

log = structlog.get_logger(__name__)


class Watch:
    """One waiter's view of one job."""

    def __init__(self) -> None:
        self.heard: set[str] = set()
        """Of a watch of all jobs: those that changed, as "<job> <owner>"; whoever waits empties it."""
        self.live = asyncio.Event()
        """Set while the store has confirmed the subscription."""
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Something may have changed."""
        self._changed.set()

    async def wait(self, seconds: float) -> bool:
        """Return at the next change, or after so long; tells which. A change since the last call counts."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class ChangeFeed:
    """The subscriptions of all waiters, on one connection.

    `run` reads the connection and makes it anew when it breaks. A waiter may be woken without a change, and
    after a break it is: it reads the job and decides by its revision.
    """

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._of_all = keys.changes(EVERYBODY)
        self._watches: dict[str, set[Watch]] = {}
        self._live: set[str] = set()
        self._wanted = asyncio.Event()
        self._connection: Any = None
        self._lost: str | None = None
        """Why there is no connection, once that was told."""
        self.closing = False
        """Whether waiters should answer now: the process is about to end."""

    @asynccontextmanager
    async def watch(self, job_id: str) -> AsyncGenerator[Watch]:
        """Watch a job, or all of them (EVERYBODY). Read only after entering: a change after that moment is not missed.

        Raises StoreUnavailable when the store does not confirm in time.
        """
        channel, watch = self._keys.changes(job_id), Watch()
        watches = self._watches.setdefault(channel, set())
        watches.add(watch)
        try:
            if channel in self._live:
                watch.live.set()
            elif len(watches) == 1:
                await self._send("SUBSCRIBE", channel)
            self._wanted.set()
            try:
                async with asyncio.timeout(SUBSCRIBE_SECONDS):
                    await watch.live.wait()
            except TimeoutError:
                raise StoreUnavailable("the store did not confirm a subscription") from None
            yield watch
        finally:
            watches.discard(watch)
            if not watches:
                del self._watches[channel]
                self._live.discard(channel)
                await self._send("UNSUBSCRIBE", channel)

    def close(self) -> None:
        """Wake everybody for good."""
        self.closing = True
        self._wake_all()

    async def run(self) -> None:
        """Serve the watches until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                if str(error) != self._lost:
                    log.warning("changes_lost", error=str(error))
                    self._lost = str(error)
            # Whatever happened meanwhile was not heard: let everybody look.
            self._wake_all()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        connection: Any = self._client.connection_pool.make_connection()  # pyright: ignore[reportUnknownMemberType]
        try:
            await connection.connect()
            self._connection = connection
            self._lost = None
            if self._watches:
                await self._send("SUBSCRIBE", *self._watches)
            quiet = 0
            while quiet < 2:
                reply = await connection.read_response(
                    timeout=QUIET_SECONDS, disconnect_on_error=False, push_request=True
                )
                if reply is None:
                    quiet += 1
                    await self._send("PING")
                else:
                    quiet = 0
                    self._hear(reply)
            raise ConnectionError("the store fell silent")
        finally:
            self._connection = None
            self._live.clear()
            await connection.disconnect(nowait=True)

    def _hear(self, reply: Any) -> None:
        if not isinstance(reply, list):  # the answer to a PING
            return
        kind, channel = str(reply[0]), str(reply[1])  # pyright: ignore[reportUnknownArgumentType]
        watches = self._watches.get(channel, ())
        if kind == "subscribe" and watches:
            self._live.add(channel)
            for watch in watches:
                watch.live.set()
        elif kind == "message":
            for watch in watches:
                if channel == self._of_all:
                    watch.heard.add(str(reply[2]))  # pyright: ignore[reportUnknownArgumentType]
                watch.wake()

    def _wake_all(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()

    async def _send(self, *arguments: str) -> None:
        # Without a connection nothing is to be done: a new one subscribes to all that is watched.
        if self._connection is not None:
            with suppress(RedisError, OSError):
                await self._connection.send_command(*arguments, check_health=False)
