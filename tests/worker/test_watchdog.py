"""Training that hangs is ended; training that goes on, however slowly, is not."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.conftest import wait_until
from worker.hold import Hold, Wish
from worker.watchdog import Watchdog


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.watchdog.LOOK_SECONDS", 0.01)


class Watched:
    """A hold as the watchdog sees it, and what the watchdog did."""

    def __init__(self, **state: Any) -> None:
        self.hold = SimpleNamespace(job=SimpleNamespace(id="j"), signs=0, wish=None, stopping=False)
        vars(self.hold).update(state)
        self.draining = threading.Event()
        self.ends: list[Wish | None] = []

    def watchdog(self, *, stall_seconds: float = 3600, grace_seconds: float = 3600) -> Watchdog:
        return Watchdog(
            cast("Hold", self.hold),
            stall_seconds=stall_seconds,
            grace_seconds=grace_seconds,
            draining=self.draining,
            end=self.ends.append,
        )


def looked(watched: Watched, watchdog: Watchdog, times: int = 30) -> None:
    """Let the watchdog look so many times by hand; its own thread is not started."""
    for _ in range(times):
        if watchdog._hangs():
            watched.ends.append(watched.hold.wish)


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
        watched.hold.signs += 1
    assert watched.ends == []


@pytest.mark.parametrize("wish", [Wish.CANCEL, Wish.PAUSE, Wish.DEADLINE, Wish.LOST])
def test_a_wish_that_is_not_heeded_is_enforced_after_the_grace(wish: Wish) -> None:
    watched = Watched(wish=wish)
    with watched.watchdog(grace_seconds=0.05):
        wait_until(lambda: watched.ends, what="the end")
    assert watched.ends == [wish]


def test_who_has_heeded_a_wish_may_take_time_for_the_last_checkpoint() -> None:
    watched = Watched(wish=Wish.CANCEL, stopping=True)
    looked(watched, watched.watchdog(grace_seconds=0.05))
    assert watched.ends == []


@pytest.mark.parametrize("wish", [Wish.DRAIN, Wish.CANCEL])
def test_a_worker_that_stops_waits_less(monkeypatch: pytest.MonkeyPatch, wish: Wish) -> None:
    monkeypatch.setattr("worker.watchdog.DRAIN_SECONDS", 0.05)
    watched = Watched(wish=wish)
    watchdog = watched.watchdog()
    looked(watched, watchdog)
    assert watched.ends == []
    watched.draining.set()
    looked(watched, watchdog, times=1)
    assert watched.ends == [wish]


def test_the_watch_ends_with_the_hold() -> None:
    watched = Watched()
    with watched.watchdog(stall_seconds=3600) as watchdog:
        pass
    assert not watchdog._thread.is_alive()
    assert watched.ends == []
