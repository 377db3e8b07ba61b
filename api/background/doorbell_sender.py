"""Rings the doorbell without making anybody wait for the broker."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from store.doorbell import Doorbell
from store.lanes import Lanes


class DoorbellSender:
    """Sends bells from a few threads. What is wanted while a bell is on its way is rung right after it.

    So at most one thread for each kind of bells is busy, however slow the broker and however many jobs arrive.
    """

    def __init__(self, doorbell: Doorbell) -> None:
        self._doorbell = doorbell
        self._threads = ThreadPoolExecutor(max_workers=len(Lanes.WAKE_QUEUES), thread_name_prefix="bell")
        self._lock = Lock()
        self._wanted: dict[str, int] = {}
        self._busy: set[str] = set()
        self._threads.submit(doorbell.warm)

    def ring(self, wake_queue: str, times: int) -> None:
        """Have so many bells sent soon. Returns at once."""
        if times <= 0:
            return
        with self._lock:
            # Each caller counted what was missing in the store: two counts overlap, so they do not add up.
            self._wanted[wake_queue] = max(times, self._wanted.get(wake_queue, 0))
            if wake_queue in self._busy:
                return
            self._busy.add(wake_queue)
        self._threads.submit(self._send, wake_queue)

    def _send(self, wake_queue: str) -> None:
        while True:
            with self._lock:
                times = self._wanted.pop(wake_queue, 0)
                if not times:
                    self._busy.discard(wake_queue)
                    return
            self._doorbell.ring(wake_queue, times)

    async def aclose(self, *, patience_seconds: float = 6.0) -> None:
        """Send what is still wanted, then let the broker go. Bells a dead broker keeps are rung by upkeep later."""
        draining = asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        await asyncio.wait([draining], timeout=patience_seconds)
        self._doorbell.close()
