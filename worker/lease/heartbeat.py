"""Says that this worker lives, what it can train on and what it trains."""

import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import redis
import structlog

from jobs.errors import StoreUnavailable
from jobs.record import Device, Worker
from store.calls import run
from store.jobs import Store
from worker.lease.outage import Outage

log = structlog.get_logger(__name__)

LIFETIMES = 5
"""Beats that may be missed before a worker counts as gone."""


class Heartbeat:
    """Keeps the worker's entry fresh from a thread of its own."""

    def __init__(
        self,
        name: str,
        *,
        client: redis.Redis,
        store: Store,
        beat_seconds: float,
        threads: int,
        tensorflow: str,
        job_memory_bytes: int,
        devices: Callable[[], tuple[Device, ...]],
    ) -> None:
        self.name = name
        self._client = client
        self._store = store
        self._beat_seconds = beat_seconds
        self._threads = threads
        self._tensorflow = tensorflow
        self._job_memory_bytes = job_memory_bytes
        self._devices = devices
        self._started_at = datetime.now(UTC)
        self._job_id: str | None = None
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._outage = Outage()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Announce the worker, and go on doing so."""
        self._thread.start()

    def busy_with(self, job_id: str | None) -> None:
        """Tell which job is being trained, or None."""
        self._job_id = job_id
        self._changed.set()

    def stop(self) -> None:
        """Withdraw the entry."""
        self._closed.set()
        self._changed.set()
        self._thread.join(timeout=self._beat_seconds)
        try:
            run(self._client, self._store.absent(self.name))
        except StoreUnavailable as error:
            log.warning("store_away", error=str(error))

    def _beat(self) -> None:
        while not self._closed.is_set():
            self._changed.clear()
            try:
                run(self._client, self._store.present(self._entry(), lifetime_seconds=LIFETIMES * self._beat_seconds))
                self._outage.over()
            except StoreUnavailable as error:
                self._outage.met(error)
            self._changed.wait(self._beat_seconds)

    def _entry(self) -> Worker:
        return Worker(
            name=self.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            devices=self._devices(),
            threads=self._threads,
            tensorflow=self._tensorflow,
            status="busy" if self._job_id else "idle",
            job_id=self._job_id,
            job_memory_bytes=self._job_memory_bytes,
            started_at=self._started_at,
            last_heartbeat_at=datetime.now(UTC),
        )
