"""What a worker waits for before it begins: a store that can be reached and takes writes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog

from jobs.errors import StoreUnavailable
from jobs.settings import Settings
from store.calls import connect, run
from store.jobs import Store
from worker.lease.outage import Outage

RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


def await_store(settings: Settings) -> bool:
    """Return once the store takes writes; what stands in the way is told when it begins or changes.

    Celery would end over a full store, and tell of each attempt at one that is away. False: asked to stop meanwhile. On
    the main thread.
    """
    if unverified := settings.store_address.unverified:
        log.warning("store_not_verified", detail=unverified)
    outage, store = Outage(), Store.of(settings)
    with _stop_signals() as stopping, connect(settings) as client:
        while not stopping.is_set():
            try:
                run(client, store.check_writes())
            except (StoreUnavailable, redis.RedisError) as error:
                outage.met(error)
                stopping.wait(RETRY_SECONDS)
            else:
                outage.over()
                return True
    return False


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, for the time being."""
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
