"""One running process: started to end with us, in its own group, read line by line, stopped with all it started."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gradientd.local import parent_death

LONGEST_LINE_BYTES = 64 * 1024
TAIL_LINES = 30
HURRIED_SECONDS = 1.0
"""Time a process still has to stop by itself once the user is in a hurry."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Everything that one start of a process is made of."""

    name: str
    """Unique to this start."""
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    """Additions to our own environment. May hold passwords."""
    pass_fds: tuple[int, ...] = ()
    parent_death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when we die without having stopped it."""


class Process:
    """A started process. Create it on the main thread of a running event loop; OSError where it cannot be started."""

    def __init__(self, launch: Launch, *, on_line: Callable[[str], None]) -> None:
        self.launch = launch
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        """The last lines it wrote."""
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self._exited = asyncio.Event()
        self._buffer = b""
        self._process = subprocess.Popen(  # noqa: S603 - the commands are ours
            command_ending_with_us(launch),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **launch.environment},
            pass_fds=launch.pass_fds,
            process_group=0,  # a terminal's Ctrl-C reaches only us: we stop the parts in order
        )
        assert self._process.stdout is not None
        self._stdout = self._process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        self._loop.add_reader(self._stdout.fileno(), self._read)
        try:
            threading.Thread(target=self._wait, name=f"wait-{launch.name}", daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._kill_group()
            self._process.wait()
            self._close()
            raise OSError(errno.EAGAIN, str(error)) from error

    @property
    def pid(self) -> int:
        """Process id; also the id of its process group."""
        return self._process.pid

    @property
    def has_exited(self) -> bool:
        """Whether it ended and all its output was read."""
        return self._exited.is_set()

    async def exited(self) -> None:
        """Return once it ended and all its output was read."""
        await self._exited.wait()

    def ending(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        if code is None:
            return "is running"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"exited with code {code}"

    async def stop(self, *, within_seconds: float, hurry: asyncio.Event) -> bool:
        """Ask it to end, wait, then kill what is left of its group. True if it ended by itself."""
        if self.has_exited:  # and so has its group; its number may be another's by now
            return True
        self._process.terminate()
        await self._exited_or(hurry, within_seconds=within_seconds)
        if hurry.is_set():
            await self._exited_or(within_seconds=HURRIED_SECONDS)
        if self.has_exited:
            return True
        self._kill_group()
        await self._exited.wait()
        return False

    def kill(self) -> None:
        """End it and its group at once."""
        if not self.has_exited:
            self._kill_group()

    async def _exited_or(self, *events: asyncio.Event, within_seconds: float) -> None:
        waiting = [asyncio.create_task(event.wait()) for event in (self._exited, *events)]
        await asyncio.wait(waiting, timeout=within_seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # nobody left; macOS says it the second way
            os.killpg(self.pid, signal.SIGKILL)

    def _wait(self) -> None:
        """On a thread of its own: wait for the end, then let nothing that it started outlive it."""
        self._process.wait()
        self._kill_group()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        while not self._stdout.closed and self._read():
            pass
        if not self._stdout.closed:  # a process that left the group still has the pipe's other end
            self._close()
        self._exited.set()

    def _read(self) -> bool:
        """Take what is there of its output. False when there is nothing at the moment, or ever again."""
        try:
            chunk = os.read(self._stdout.fileno(), LONGEST_LINE_BYTES)
        except BlockingIOError:
            return False
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        if not chunk or len(self._buffer) > LONGEST_LINE_BYTES:
            lines, self._buffer = [*lines, *filter(None, [self._buffer])], b""
        for line in lines:
            self._emit(line.rstrip(b"\r").decode("utf-8", "replace"))
        if not chunk:
            self._close()
        return bool(chunk)

    def _emit(self, line: str) -> None:
        self.tail.append(line)
        self._on_line(line)

    def _close(self) -> None:
        self._loop.remove_reader(self._stdout.fileno())
        self._stdout.close()


def command_ending_with_us(launch: Launch) -> list[str]:
    """The command that asks for the launch's signal on this process's death and then becomes the launch's."""
    wrapper = [sys.executable, "-I", "-S", str(Path(parent_death.__file__)), str(os.getpid())]
    return [*wrapper, str(int(launch.parent_death_signal)), *launch.command]
