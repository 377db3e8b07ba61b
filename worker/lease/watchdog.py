"""Notices training that hangs: a step that never returns, or a reason to stop that is not heeded.

Leases are renewed while a step hangs, so a live lease does not mean that anything happens.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from worker.lease.lease import Lease, StopReason

LOOK_SECONDS = 0.25

DRAIN_SECONDS = 4.0
"""What a stopping worker's training has to come to its next look; whoever stopped the worker waits."""


class Watchdog:
    """Looks at all leases that it watches, from one thread.

    Time is counted in looks: a process that was frozen and goes on gets its time from then on.
    """

    def __init__(self, *, stall_seconds: float, grace_seconds: float, draining: threading.Event) -> None:
        self._stall_seconds = stall_seconds
        self._grace_seconds = grace_seconds
        self._draining = draining
        self._watches: frozenset[Watch] = frozenset()
        """Replaced, never changed, so that the thread may go through it at any time."""
        self._lock = threading.Lock()
        self._watching = threading.Event()
        """Set while there is something to look at."""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._closed.set()
        self._watching.set()
        self._thread.join()

    @contextmanager
    def over(self, lease: Lease, *, end: Callable[[StopReason | None], None]) -> Iterator[None]:
        """Within, watch a lease, and call `end` once, from the watchdog's thread, when its training hangs.

        `end` takes the reason that was not heeded, or None for a step that does not return.
        """
        watch = Watch(
            lease,
            stall_seconds=self._stall_seconds,
            grace_seconds=self._grace_seconds,
            draining=self._draining,
            end=end,
        )
        with self._lock:
            self._watches |= {watch}
            self._watching.set()
        try:
            yield
        finally:
            watch.close()
            with self._lock:
                self._watches -= {watch}
                if not self._watches and not self._closed.is_set():
                    self._watching.clear()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._watching.wait()
            # Chosen before the pause: whoever comes meanwhile has a whole one before the first look.
            watches = self._watches
            self._closed.wait(LOOK_SECONDS)
            for watch in watches:
                watch.look()


class Watch:
    """What is known of one lease's training."""

    def __init__(
        self,
        lease: Lease,
        *,
        stall_seconds: float,
        grace_seconds: float,
        draining: threading.Event,
        end: Callable[[StopReason | None], None],
    ) -> None:
        self._lease = lease
        self._stall_seconds = stall_seconds
        self._grace_seconds = grace_seconds
        self._draining = draining
        self._end = end
        self._activity = lease.activity
        self._silent_seconds = 0.0
        self._unheeded_seconds = 0.0
        self._looking = threading.Lock()
        self._over = False

    def look(self) -> None:
        """Look once, and end training that hangs."""
        with self._looking:
            if not self._over and self._hangs():
                self._over = True
                self._end(self._lease.stop_reason)

    def close(self) -> None:
        """Look no more; waits for an end that has begun."""
        with self._looking:
            self._over = True

    def _hangs(self) -> bool:
        activity = self._lease.activity
        self._silent_seconds = 0.0 if activity != self._activity else self._silent_seconds + LOOK_SECONDS
        self._activity = activity
        if self._silent_seconds > self._stall_seconds:
            return True
        if self._lease.stop_reason is None or self._lease.stopping:
            return False
        self._unheeded_seconds += LOOK_SECONDS
        hurry = self._draining.is_set()
        return self._unheeded_seconds > (min(DRAIN_SECONDS, self._grace_seconds) if hurry else self._grace_seconds)
