"""What a lease has yet to send, merged: a report that waits takes in what comes after it."""

import threading
from collections.abc import Callable
from dataclasses import replace

from jobs.record import Checkpoint, EpochMetrics, LogLine, Progress, Runtime
from jobs.report import Report
from jobs.states import Phase

MOST_LOGS = 90
"""Log lines that wait at most: the store keeps no more of the last ones either."""


class Outbox:
    """Newer progress, phases and checkpoints replace older ones; epochs are all kept, and the last log lines. Any
    thread may use it.

    `wake` is called whenever there is more to send, or more reason to send it soon.
    """

    def __init__(self, *, wake: Callable[[], None], monitor: str | None = None) -> None:
        """`monitor` is what early stopping watches."""
        self._wake = wake
        self._changed = threading.Condition()
        self._nothing = self._pending = Report(0, monitor=monitor)
        self._sending: Report | None = None
        self._last_number = 0
        self._flushing = False

    def add(
        self,
        *,
        epoch: EpochMetrics | None = None,
        log: LogLine | None = None,
        **newest: Phase | Runtime | Progress | Checkpoint | float,
    ) -> None:
        """Leave an epoch, a log line, or the newest `phase`, `run`, `progress`, `remaining_seconds`, `checkpoint` or
        `best`."""
        with self._changed:
            epochs = (*self._pending.epochs, epoch) if epoch else self._pending.epochs
            logs = (*self._pending.logs, log)[-MOST_LOGS:] if log else self._pending.logs
            self._pending = replace(self._pending, epochs=epochs, logs=logs, **newest)
        self._wake()

    @property
    def empty(self) -> bool:
        """Whether nothing waits: neither what is new nor what was taken and has not arrived."""
        return self._sending is None and self._pending.empty

    @property
    def urgent(self) -> bool:
        """Whether more than progress waits, or somebody waits for all of it to be sent."""
        return self._flushing or not self._pending.only_progress

    def take(self) -> Report | None:
        """The report to send, numbered: the same again until `sent` is called. None when there is nothing to send."""
        with self._changed:
            if self._sending is None and not self._pending.empty:
                self._sending = replace(self._pending, number=self._last_number + 1)
                self._pending = self._nothing
            return self._sending

    def sent(self) -> None:
        """What was taken has arrived."""
        with self._changed:
            self._last_number += 1
            self._sending = None
            self._changed.notify_all()

    def flush(self, give_up: Callable[[], bool]) -> None:
        """Wait until all has arrived, urgently from now on, or until `give_up` holds; see `give_up_changed`."""
        self._flushing = True
        self._wake()
        with self._changed:
            self._changed.wait_for(lambda: (self._sending is None and self._pending.empty) or give_up())

    def give_up_changed(self) -> None:
        """Have whoever flushes look again whether to give up."""
        with self._changed:
            self._changed.notify_all()
