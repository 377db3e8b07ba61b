"""Hears at once when somebody wants a job of this worker stopped."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from jobs.states import Status
from store.keys import Keys
from worker.lease.outage import Outage

POLL_SECONDS = 0.2
RETRY_SECONDS = 0.5


class ControlListener:
    """One subscription for the life of the process. What it misses comes with the next beat of the job's lease."""

    def __init__(self, worker: str, *, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._channel = keys.control(worker)
        self._on_status: dict[str, Callable[[Status], None]] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="control", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._closed.set()
        self._thread.join()

    @contextmanager
    def about(self, job_id: str, on_status: Callable[[Status], None]) -> Iterator[None]:
        """Within, hand a job's status to `on_status` when somebody wants it stopped."""
        self._on_status[job_id] = on_status
        try:
            yield
        finally:
            del self._on_status[job_id]

    def _listen(self) -> None:
        outage = Outage()
        while not self._closed.is_set():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(self._channel)
                    outage.over()
                    while not self._closed.is_set():
                        if message := pubsub.get_message(timeout=POLL_SECONDS):
                            self._pass_on(message["data"])
            except (redis.RedisError, OSError) as error:
                outage.met(error)
                self._closed.wait(RETRY_SECONDS)

    def _pass_on(self, message: str) -> None:
        job_id, status = message.split()
        if on_status := self._on_status.get(job_id):
            on_status(Status(status))
