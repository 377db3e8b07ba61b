"""Renews the leases of a process, however many, from one thread."""

import threading
from typing import Protocol

from worker.lease.clock import elapsed_seconds


class Renewable(Protocol):
    """A lease as the thread sees it."""

    def due_at(self) -> float | None:
        """When, on the elapsed clock, it wants to be renewed; None when it never does again."""
        ...

    def renew(self) -> bool:
        """Send what waits, or a beat. False when the store was away. Must not raise."""
        ...

    def check_silence(self) -> None:
        """The store is away: the lease is not sure any more if it has been silent for too long."""
        ...


class LeaseRenewer:
    """Renews each lease when it is due. A lease that has ended, or whose turn fails, costs the others nothing but
    the time that its call to the store takes."""

    def __init__(self) -> None:
        self._leases: frozenset[Renewable] = frozenset()
        """Replaced, never changed, so that the thread may go through it at any time."""
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more."""
        self._closed = True
        self.wake()
        self._thread.join()

    def add(self, lease: Renewable) -> None:
        """Renew a lease from now on."""
        with self._lock:
            self._leases |= {lease}
        self.wake()

    def remove(self, lease: Renewable) -> None:
        """Leave a lease alone from now on; a call that is under way may still end after this."""
        with self._lock:
            self._leases -= {lease}

    def wake(self) -> None:
        """Look again which leases are due: one may be sooner than it said."""
        self._woken.set()

    def _run(self) -> None:
        while not self._closed:
            self._woken.wait(self._seconds_to_wait())
            # Before looking, so that whatever comes from here on wakes the thread once more.
            self._woken.clear()
            self._renew_due()

    def _seconds_to_wait(self) -> float | None:
        due = [at for lease in self._leases if (at := lease.due_at()) is not None]
        return max(0.0, min(due) - elapsed_seconds()) if due else None

    def _renew_due(self) -> None:
        """Give every lease that is due one turn: one that always has something to send keeps no other waiting."""
        for lease in self._leases:
            at = lease.due_at()
            if at is None or at > elapsed_seconds() or lease.renew():
                continue
            # The store is the same for all, and each turn may take as long as its timeouts.
            for other in self._leases:
                other.check_silence()
