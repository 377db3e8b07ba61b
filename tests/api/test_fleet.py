"""The live workers, as often as submissions ask."""

import asyncio

import pytest

from api import fleet
from jobs.record import Worker

pytestmark = pytest.mark.anyio


class Counting:
    """A read of no workers that counts."""

    def __init__(self) -> None:
        self.reads = 0

    async def __call__(self) -> tuple[Worker, ...]:
        self.reads += 1
        await asyncio.sleep(0)
        return ()


async def test_many_who_ask_at_once_cost_one_read() -> None:
    read = Counting()
    asked = fleet.Fleet(read)
    await asyncio.gather(*(asked.workers() for _ in range(50)))
    assert read.reads == 1


async def test_an_old_answer_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Counting()
    asked = fleet.Fleet(read)
    await asked.workers()
    monkeypatch.setattr(fleet, "KEPT_SECONDS", 0.0)
    await asked.workers()
    assert read.reads == 2
