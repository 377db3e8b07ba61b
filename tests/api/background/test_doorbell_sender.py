"""Bells are sent behind everybody's back, and not one too few."""

import threading

import pytest

from api.background.doorbell_sender import DoorbellSender

pytestmark = pytest.mark.anyio


class Bell:
    """A doorbell that can be held fast."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.rung: list[tuple[str, int]] = []
        self.closed = False

    def warm(self) -> None: ...

    def ring(self, wake_queue: str, times: int = 1) -> None:
        self.free.wait(10)
        self.rung.append((wake_queue, times))

    def close(self) -> None:
        self.closed = True


async def test_what_is_wanted_meanwhile_is_rung_once_and_fully() -> None:
    bell = Bell()
    doorbell_sender = DoorbellSender(bell)  # pyright: ignore[reportArgumentType]
    for times in (1, 2, 5, 3, 0, -2):
        doorbell_sender.ring("bells", times)
    doorbell_sender.ring("bells-gpu", 1)
    assert bell.rung == []
    bell.free.set()
    await doorbell_sender.aclose()
    assert sum(times for kind, times in bell.rung if kind == "bells") >= 5
    assert len(bell.rung) <= 3
    assert ("bells-gpu", 1) in bell.rung
    assert bell.closed


async def test_a_frozen_broker_does_not_hold_up_the_end() -> None:
    bell = Bell()
    doorbell_sender = DoorbellSender(bell)  # pyright: ignore[reportArgumentType]
    doorbell_sender.ring("bells", 1)
    await doorbell_sender.aclose(patience_seconds=0.05)
    assert bell.closed
    bell.free.set()
