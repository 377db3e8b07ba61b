"""The line between the stack and its store: forwards bytes, and cuts where it is told to.

It runs in the harness, on an event loop of its own thread. Cutting after a script means: the request went through
and was answered, and the answer never arrives.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files

from store.scripts import load

CHUNK = 1 << 16


class Line:
    """Listens on `port` and forwards to wherever `target` says the store is at the moment."""

    def __init__(self, target: Callable[[], int]) -> None:
        self._target = target
        self._marks: dict[str, tuple[bytes, ...]] = {}
        self._armed: dict[str, threading.Event] = {}
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def drop_reply(self, script: str) -> threading.Event:
        """Cut the connection of the next call of this script once it was answered; the event tells when."""
        if script not in self._marks:
            text = (files("store") / "lua" / f"{script}.lua").read_text()
            # By its SHA-1, or for a store that was just started by its text.
            self._marks[script] = (load(script).sha.encode(), text.splitlines()[0].encode())
        return self._armed.setdefault(script, threading.Event())

    def forget(self, script: str) -> None:
        """Cut no more after this script."""
        self._armed.pop(script, None)

    def cut_all(self) -> None:
        """Cut every connection, at whatever byte."""
        self._loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in self._open])

    def close(self) -> None:
        """Stop listening and cut what is open."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _end(self) -> None:
        self._server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for end in self._open:
            end.transport.abort()
        if serving:
            await asyncio.wait(serving, timeout=3)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target())
        except (OSError, ValueError):
            writer.transport.abort()
            return
        ends = {writer, server_writer}
        self._open |= ends
        doom: list[threading.Event] = []
        try:
            ways = (self._requests(reader, server_writer, doom), self._replies(server_reader, writer, doom))
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doom: list) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                called = [name for name in self._armed if any(mark in data for mark in self._marks[name])]
                doom += [self._armed.pop(name) for name in called]
                writer.write(data)
                await writer.drain()

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doom: list) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if doom and not data.startswith(b"-NOSCRIPT"):
                    for event in doom:
                        event.set()
                    return
                writer.write(data)
                await writer.drain()
