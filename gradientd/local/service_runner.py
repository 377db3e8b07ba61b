"""Runs one service: starts it, sees it become ready, starts it again when it dies, with growing pauses."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gradientd.local.errors import GaveUp
from gradientd.local.output import Output
from gradientd.local.process import Launch, Process
from jobs.errors import DataLost

PROBE_EVERY_SECONDS = 0.1
CHECK_EVERY_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Service:
    """Something that should always run."""

    name: str
    launch: Callable[[], Launch]
    """What to start; asked anew for every start."""
    is_ready: Callable[[Launch], Awaitable[bool]]
    ready_within_seconds: float
    stop_within_seconds: float
    describe: Callable[[Launch], str] = lambda launch: launch.name
    """What to say of it when it is ready."""
    hushed: tuple[str, ...] = ()
    """Lines that hold one of these are not passed on."""
    after_exit: Callable[[Sequence[str]], str | None] = lambda tail: None
    """Put right what the last output of an unplanned end complains of; the answer tells the user what was done."""
    check: Callable[[], None] = lambda: None
    """Looked into while it runs; raises where it must run no longer, whatever that costs."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How a service that dies is treated."""

    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 30.0
    healthy_after_seconds: float = 60.0
    """Running time after which earlier deaths are forgotten."""
    starts: int = 3
    """Starts without ever becoming ready after which to give up."""

    def pause_seconds(self, deaths: int) -> float:
        """Pause after so many deaths in a row: doubled each time, bounded."""
        return min(self.longest_pause_seconds, self.first_pause_seconds * 2 ** min(deaths - 1, 30))


@dataclass(frozen=True)
class End:
    """How one start of a service ended."""

    words: str
    tail: tuple[str, ...] = ()
    """The last lines it wrote."""


class ServiceRunner:
    """Runs one service until the task of `run` is cancelled; `stop` then ends the process."""

    def __init__(self, service: Service, *, output: Output, patience: Patience) -> None:
        self.service = service
        self.ready = asyncio.Event()
        """Set once it has been ready; stays set over later restarts."""
        self._output = output
        self._patience = patience
        self._process: Process | None = None

    async def run(self) -> None:
        """Start the service, and start it again whenever it ends or cannot be started.

        Raises:
            GaveUp: it never became ready in `patience.starts` starts.
            GradientdError: it must not run; `service.check` and `service.after_exit` say when.
        """
        deaths = 0
        while True:
            began_at = time.monotonic()
            end = await self._run_once(began_at)
            healthy = time.monotonic() - began_at >= self._patience.healthy_after_seconds and self.ready.is_set()
            deaths = 1 if healthy else deaths + 1
            if not self.ready.is_set() and deaths >= self._patience.starts:
                raise GaveUp(self._last_words(end, starts=deaths))
            pause = self._patience.pause_seconds(deaths)
            self._output.say(f"{self.service.name} {end.words}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)

    async def stop(self, *, hurry: asyncio.Event) -> None:
        """End the process and all it started, if any is running."""
        process = self._process
        if process is None:
            return
        allowed = self.service.stop_within_seconds
        if not await process.stop(within_seconds=allowed, hurry=hurry) and not hurry.is_set():
            self._output.say(f"{self.service.name} did not stop within {allowed:g} s and was killed")

    def _start(self) -> Process:
        self._process = Process(self.service.launch(), on_line=self._forward)
        return self._process

    def _forward(self, line: str) -> None:
        if not any(hushed in line for hushed in self.service.hushed):
            self._output.forward(self.service.name, line)

    async def _run_once(self, began_at: float) -> End:
        """Start the service and return when it ended, with what could be mended put right."""
        try:
            process = self._start()
        except OSError as error:  # a full disk, no more memory or descriptors: as passing as the death of a process
            return End(f"could not be started ({error})")
        await self._run_until_exit(process, began_at=began_at)
        end = End(process.ending(), tuple(process.tail))
        try:
            note = await asyncio.to_thread(self.service.after_exit, end.tail)
        except OSError as error:
            note = f"{self.service.name} could not be mended ({error})"
        if note:
            self._output.say(note)
        return end

    async def _run_until_exit(self, process: Process, *, began_at: float) -> None:
        exited = asyncio.create_task(process.exited())
        becoming_ready = asyncio.create_task(self._announce_when_ready(process, began_at=began_at))
        checking = asyncio.create_task(self._check())
        try:
            await asyncio.wait({exited, becoming_ready, checking}, return_when=asyncio.FIRST_COMPLETED)
            if becoming_ready.done() and not becoming_ready.result():
                self._output.say(
                    f"{self.service.name} is not ready after {self.service.ready_within_seconds:g} s; stopping it"
                )
                await process.stop(within_seconds=self.service.stop_within_seconds, hurry=asyncio.Event())
            await asyncio.wait({exited, checking}, return_when=asyncio.FIRST_COMPLETED)
            if checking.done():
                process.kill()
                self._output.say(f"{checking.exception()}; {self.service.name} was killed, and all is stopped")
                await checking
        finally:
            for task in (exited, becoming_ready, checking):
                task.cancel()

    async def _check(self) -> None:
        """Look again and again; ends only by raising."""
        while True:
            self.service.check()
            await asyncio.sleep(CHECK_EVERY_SECONDS)

    async def _announce_when_ready(self, process: Process, *, began_at: float) -> bool:
        """Say so once it is ready and answer True, or False when it takes too long."""
        while not await self.service.is_ready(process.launch):
            if time.monotonic() - began_at > self.service.ready_within_seconds:
                return False
            await asyncio.sleep(PROBE_EVERY_SECONDS)
        # What is there now is seen before anybody is told: what has not been seen is not missed.
        with suppress(DataLost):  # which the next look raises
            self.service.check()
        self.ready.set()
        seconds = time.monotonic() - began_at
        what = self.service.describe(process.launch)
        self._output.say(f"{self.service.name} is ready after {seconds:.1f} s: {what} (pid {process.pid})")
        return True

    def _last_words(self, end: End, *, starts: int) -> str:
        said = "\n".join(f"  {line}" for line in end.tail) or "  (it wrote nothing)"
        return f"{self.service.name} {end.words} before it was ready, {starts} times. Its last output:\n{said}"
