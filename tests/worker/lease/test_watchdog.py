"""Training that hangs is ended; training that goes on, however slowly, is not."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.conftest import wait_until
from worker.lease.lease import Lease, StopReason
from worker.lease.watchdog import Watchdog


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.lease.watchdog.LOOK_SECONDS", 0.01)


class Watched:
    """A hold as the watchdog sees it, and what the watchdog did."""

    def __init__(self, **state: Any) -> None:
        self.lease = SimpleNamespace(job=SimpleNamespace(id="j"), activity=0, stop_reason=None, stopping=False)
        vars(self.lease).update(state)
        self.draining = threading.Event()
        self.ends: list[StopReason | None] = []

    def watchdog(self, *, stall_seconds: float = 3600, grace_seconds: float = 3600) -> Watchdog:
        return Watchdog(
            cast("Lease", self.lease),
            stall_seconds=stall_seconds,
            grace_seconds=grace_seconds,
            draining=self.draining,
            end=self.ends.append,
        )


def looked(watched: Watched, watchdog: Watchdog, times: int = 30) -> None:
    """Let the watchdog look so many times by hand; its own thread is not started."""
    for _ in range(times):
        if watchdog._hangs():
            watched.ends.append(watched.lease.stop_reason)


def test_a_step_that_does_not_return_is_ended_once() -> None:
    watched = Watched()
    with watched.watchdog(stall_seconds=0.05):
        wait_until(lambda: watched.ends, what="the end")
    assert watched.ends == [None]


def test_every_sign_begins_the_time_anew() -> None:
    watched = Watched()
    watchdog = watched.watchdog(stall_seconds=0.1)
    for _ in range(20):
        looked(watched, watchdog, times=8)
        watched.lease.activity += 1
    assert watched.ends == []


@pytest.mark.parametrize("stop_reason", [StopReason.CANCEL, StopReason.PAUSE, StopReason.DEADLINE, StopReason.LOST])
def test_a_wish_that_is_not_heeded_is_enforced_after_the_grace(stop_reason: StopReason) -> None:
    watched = Watched(stop_reason=stop_reason)
    with watched.watchdog(grace_seconds=0.05):
        wait_until(lambda: watched.ends, what="the end")
    assert watched.ends == [stop_reason]


def test_who_has_heeded_a_wish_may_take_time_for_the_last_checkpoint() -> None:
    watched = Watched(stop_reason=StopReason.CANCEL, stopping=True)
    looked(watched, watched.watchdog(grace_seconds=0.05))
    assert watched.ends == []


@pytest.mark.parametrize("stop_reason", [StopReason.DRAIN, StopReason.CANCEL])
def test_a_worker_that_stops_waits_less(monkeypatch: pytest.MonkeyPatch, stop_reason: StopReason) -> None:
    monkeypatch.setattr("worker.lease.watchdog.DRAIN_SECONDS", 0.05)
    watched = Watched(stop_reason=stop_reason)
    watchdog = watched.watchdog()
    looked(watched, watchdog)
    assert watched.ends == []
    watched.draining.set()
    looked(watched, watchdog, times=1)
    assert watched.ends == [stop_reason]


def test_the_watch_ends_with_the_hold() -> None:
    watched = Watched()
    with watched.watchdog(stall_seconds=3600) as watchdog:
        pass
    assert not watchdog._thread.is_alive()
    assert watched.ends == []
