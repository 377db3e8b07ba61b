"""Training that hangs is ended; training that goes on, however slowly, is not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.conftest import wait_until
from worker.lease.lease import Lease, StopReason
from worker.lease.watchdog import Watch, Watchdog


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.lease.watchdog.LOOK_SECONDS", 0.01)


class Watched:
    """A lease as the watchdog sees it, and what the watchdog did."""

    def __init__(self, **state: Any) -> None:
        self.lease = SimpleNamespace(job=SimpleNamespace(id="j"), activity=0, stop_reason=None, stopping=False)
        vars(self.lease).update(state)
        self.draining = threading.Event()
        self.ends: list[StopReason | None] = []

    def watch(self, *, stall_seconds: float = 3600, grace_seconds: float = 3600) -> Watch:
        """What the watchdog has, to look at by hand."""
        return Watch(
            cast("Lease", self.lease),
            stall_seconds=stall_seconds,
            grace_seconds=grace_seconds,
            draining=self.draining,
            end=self.ends.append,
        )

    @contextmanager
    def watchdog(self, *, stall_seconds: float = 3600, grace_seconds: float = 3600) -> Iterator[Watchdog]:
        """One that runs, and watches this lease."""
        watchdog = Watchdog(stall_seconds=stall_seconds, grace_seconds=grace_seconds, draining=self.draining)
        watchdog.start()
        try:
            with watchdog.over(cast("Lease", self.lease), end=self.ends.append):
                yield watchdog
        finally:
            watchdog.stop()


def looked(watch: Watch, times: int = 30) -> None:
    """Look so many times."""
    for _ in range(times):
        watch.look()


def test_a_step_that_does_not_return_is_ended_once() -> None:
    watched = Watched()
    with watched.watchdog(stall_seconds=0.05):
        wait_until(lambda: watched.ends, what="the end")
    assert watched.ends == [None]


def test_every_activity_begins_the_time_anew() -> None:
    watched = Watched()
    watch = watched.watch(stall_seconds=0.1)
    for _ in range(20):
        looked(watch, times=8)
        watched.lease.activity += 1
    assert watched.ends == []


@pytest.mark.parametrize("stop_reason", [StopReason.CANCEL, StopReason.PAUSE, StopReason.DEADLINE, StopReason.LOST])
def test_a_reason_to_stop_that_is_not_heeded_is_enforced_after_the_grace(stop_reason: StopReason) -> None:
    watched = Watched(stop_reason=stop_reason)
    with watched.watchdog(grace_seconds=0.05):
        wait_until(lambda: watched.ends, what="the end")
    assert watched.ends == [stop_reason]


def test_training_that_has_heeded_one_may_take_time_for_the_last_checkpoint() -> None:
    watched = Watched(stop_reason=StopReason.CANCEL, stopping=True)
    looked(watched.watch(grace_seconds=0.05))
    assert watched.ends == []


@pytest.mark.parametrize("stop_reason", [StopReason.DRAIN, StopReason.CANCEL])
def test_a_worker_that_stops_waits_less(monkeypatch: pytest.MonkeyPatch, stop_reason: StopReason) -> None:
    monkeypatch.setattr("worker.lease.watchdog.DRAIN_SECONDS", 0.05)
    watched = Watched(stop_reason=stop_reason)
    watch = watched.watch()
    looked(watch)
    assert watched.ends == []
    watched.draining.set()
    looked(watch, times=1)
    assert watched.ends == [stop_reason]


class Progressing:
    """A lease whose training has always gone on since the last look."""

    stop_reason = None

    def __init__(self) -> None:
        self.looks = 0

    @property
    def activity(self) -> int:
        self.looks += 1
        return self.looks


def test_each_lease_is_watched_by_itself_until_it_is_left() -> None:
    going_on, left, hanging = Progressing(), Progressing(), Watched()
    ends: list[StopReason | None] = []
    with hanging.watchdog(stall_seconds=0.1) as watchdog, watchdog.over(cast("Lease", going_on), end=ends.append):
        with watchdog.over(cast("Lease", left), end=ends.append):
            wait_until(lambda: left.looks > 3, what="some looks")
        looks_at_left, looks = left.looks, going_on.looks
        wait_until(lambda: hanging.ends and going_on.looks > looks + 30, what="the end of the one that hangs")
    assert (ends, hanging.ends, left.looks) == ([], [None], looks_at_left)
