"""Ends a trainer that lives but has fallen silent: frozen, or stuck where no thread of its own can run.

Runs in the worker's main process. The store has long given the trainer's job to another; what is left of it would
keep the GPU's memory, and the bells of this worker.
"""

import os
import signal
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import redis
import structlog

from jobs.errors import StoreUnavailable
from store.calls import run
from store.jobs import Store
from worker.kernel import lines_of

log = structlog.get_logger(__name__)


class Process(NamedTuple):
    """A process: its id, and when it began, since ids come again."""

    pid: int
    started: str


def process(pid: int) -> Process | None:
    """The process that has this id now; None where there is none, or the system does not say when it began."""
    text = "".join(lines_of(Path(f"/proc/{pid}/stat")))
    if not text:
        return None
    # The name, in parentheses, may hold anything; the start is the 22nd field, the 20th after it.
    return Process(pid, text.rpartition(")")[2].split()[19])


def kill(known: Process) -> bool:
    """Kill a process, if it is still the one that was known; tells whether it was."""
    if process(known.pid) != known:
        return False
    os.kill(known.pid, signal.SIGKILL)
    return True


class ProcessWatchdog:
    """Looks every beat whether this worker's trainer still speaks; `trainers` tells the pids that are ours."""

    def __init__(
        self,
        name: str,
        *,
        client: redis.Redis,
        store: Store,
        beat_seconds: float,
        trainers: Callable[[], Collection[int]],
    ) -> None:
        self._name = name
        self._client = client
        self._store = store
        self._beat_seconds = beat_seconds
        self._trainers = trainers
        self._known: Process | None = None
        self._looks_in_vain = 0
        self._thread = threading.Thread(target=self._watch, name="process-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch, for as long as the process lives."""
        self._thread.start()

    def look(self) -> None:
        """Look once. A store that is away or takes no writes proves nothing against a trainer; nor does one look."""
        try:
            workers = run(self._client, self._store.workers())
        except StoreUnavailable:
            self._looks_in_vain = 0
            return
        pids = {worker.pid for worker in workers if worker.name == self._name}
        if spoke := [known for pid in pids & set(self._trainers()) if (known := process(pid))]:
            self._known, self._looks_in_vain = spoke[0], 0
            return
        if self._known is None or self._known.pid not in self._trainers():
            return
        try:
            run(self._client, self._store.check_writes())
        except StoreUnavailable:
            self._looks_in_vain = 0
            return
        self._looks_in_vain += 1
        if self._looks_in_vain * self._beat_seconds > self._store.lease_seconds:
            if kill(self._known):
                log.error("silent_trainer_killed", pid=self._known.pid)
            self._known, self._looks_in_vain = None, 0

    def _watch(self) -> None:
        while True:
            threading.Event().wait(self._beat_seconds)
            self.look()
