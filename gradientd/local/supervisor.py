"""Runs a stack of services: starts them in order, keeps them running, stops them in reverse order, leaves nothing."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import cast

from gradientd.local.output import Output
from gradientd.local.service_runner import Patience, Service, ServiceRunner

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Supervisor:
    """A stack of services, in tiers.

    The first tier is ready before anything else starts; the others then start together. Stopping goes from the last
    tier to the first, the services of a tier together.
    """

    def __init__(self, tiers: Sequence[Sequence[Service]], *, output: Output, patience: Patience | None = None) -> None:
        self._output = output
        patience = patience or Patience()
        self._tiers = [[ServiceRunner(service, output=output, patience=patience) for service in tier] for tier in tiers]
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    def request_stop(self) -> None:
        """Stop everything in order; asked a second time, hurry. Call it on the event loop's thread."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self, *, on_ready: Callable[[], None] = lambda: None) -> None:
        """Start everything, call `on_ready` once all is ready, and return after a requested stop.

        Must run on the main thread: the kernel ends the services with the thread that starts them.

        Raises:
            GradientdError: a service cannot be had; everything was stopped again.
        """
        loop = asyncio.get_running_loop()
        hung_up_on = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # as it is under nohup
        signals = STOP_SIGNALS if hung_up_on else STOP_SIGNALS - {signal.SIGHUP}
        for signum in signals:
            loop.add_signal_handler(signum, self._on_signal, signum)
        running = asyncio.create_task(self._run_all(on_ready))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop.set()
            running.cancel()
            stopping.cancel()
            (ended_by,) = await asyncio.gather(running, return_exceptions=True)
            await self._stop_all()
            for signum in signals:
                loop.remove_signal_handler(signum)
        raise_unless_cancelled(ended_by)

    def _on_signal(self, signum: signal.Signals) -> None:
        if self._stop.is_set():
            self._output.say("hurrying")
        else:
            self._output.say(f"{signum.name}: stopping (again to hurry)")
        self.request_stop()

    async def _run_all(self, on_ready: Callable[[], None]) -> None:
        first, *others = self._tiers
        async with asyncio.TaskGroup() as tasks:
            await bring_up(first, tasks)
            await bring_up([runner for tier in others for runner in tier], tasks)
            on_ready()

    async def _stop_all(self) -> None:
        for tier in reversed(self._tiers):
            await asyncio.gather(*(runner.stop(hurry=self._hurry) for runner in tier))


async def bring_up(runners: Sequence[ServiceRunner], tasks: asyncio.TaskGroup) -> None:
    """Start running services and return when all of them are ready."""
    for runner in runners:
        tasks.create_task(runner.run())
    for runner in runners:
        await runner.ready.wait()


def raise_unless_cancelled(ended_by: BaseException | None) -> None:
    """Raise what ended the running of services, unless that was our own stop."""
    while isinstance(ended_by, BaseExceptionGroup):
        ended_by = cast("BaseExceptionGroup[BaseException]", ended_by).exceptions[0]
    if ended_by is not None and not isinstance(ended_by, asyncio.CancelledError):
        raise ended_by
