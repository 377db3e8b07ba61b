"""The models that are in memory: loaded once however many ask, and those used longest ago make room."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from api.predict.model import Model


class Models:
    """Models by key. Of one event loop."""

    def __init__(self, *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._loads: OrderedDict[str, asyncio.Task[Model]] = OrderedDict()

    async def get(self, key: str, load: Callable[[], Awaitable[Model]]) -> Model:
        """The model of a key; `load` loads it where it is not there. Its error reaches those who wait by then."""
        task = self._loads.get(key)
        if task is None:
            task = self._loads[key] = asyncio.ensure_future(_loaded(load))
            task.add_done_callback(lambda done: self._settle(key, done))
        self._loads.move_to_end(key)
        # Whoever gives up does not end the loading for the others.
        return await asyncio.shield(task)

    def _settle(self, key: str, task: asyncio.Task[Model]) -> None:
        if task.cancelled() or task.exception():
            if self._loads.get(key) is task:
                del self._loads[key]
            return
        self._make_room()

    def _make_room(self) -> None:
        """Drop what was used longest ago until the rest is small enough; the newest stays, whatever it takes."""
        there = [(key, task.result().size_bytes) for key, task in self._loads.items() if _is_there(task)]
        total = sum(size for _, size in there)
        for key, size in there[:-1]:
            if total <= self._most_bytes:
                return
            del self._loads[key]
            total -= size


async def _loaded(load: Callable[[], Awaitable[Model]]) -> Model:
    return await load()


def _is_there(task: asyncio.Task[Model]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
