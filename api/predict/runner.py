"""Runs models beside the event loop, in a bounded pool. Inputs for one model that arrive while it is busy become one
batch.

One input of a small network takes less time than a thread takes to be woken: such are run where they are.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from api.predict.model import Model
from jobs.errors import TooBusy

THREADS = 2
INLINE_SECONDS = 150e-6
"""Inputs that take no longer, as others of the model did, are run on the event loop: a thread would take as long to be
woken, and shares the interpreter."""
MOST_IN_BATCH = 4096
"""Inputs of a batch; more of one request are run as they are."""
MOST_WAITING = 100_000
"""Inputs that may wait, of all models."""
LEARNING_RATE = 0.2


class _Request(NamedTuple):
    inputs: NDArray[Any]
    answer: "asyncio.Future[NDArray[np.float32]]"


class _Ran(NamedTuple):
    outputs: NDArray[np.float32]
    seconds: float


class _Lane:
    """What waits for one model, and how fast that is."""

    def __init__(self) -> None:
        self.waiting: deque[_Request] = deque()
        self.busy = False
        self.seconds_per_input = math.inf
        """As measured lately; unknown at first."""

    def is_brief(self, inputs: int) -> bool:
        """Whether so many inputs take no longer than a thread takes to be woken."""
        return self.seconds_per_input * inputs < INLINE_SECONDS

    def measured(self, inputs: int, seconds: float) -> None:
        """Take note of how long so many inputs took."""
        one, known = seconds / inputs, self.seconds_per_input
        self.seconds_per_input = one if known == math.inf else known + LEARNING_RATE * (one - known)


class Runner:
    """Runs the models of one API process. Of one event loop."""

    def __init__(self, *, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, "predict")
        self._lanes: WeakKeyDictionary[Model, _Lane] = WeakKeyDictionary()
        self._inputs_waiting = 0

    async def run(self, model: Model, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """float32 [N, outputs] for inputs [N, …]. What its graph raises reaches all whose inputs were in the batch.

        Raises TooBusy where too many wait.
        """
        lane = self._lanes.get(model)
        if lane is None:
            lane = self._lanes[model] = _Lane()
        if not lane.busy and lane.is_brief(len(inputs)):
            ran = _run(model, [inputs])
            lane.measured(len(inputs), ran.seconds)
            return ran.outputs
        if self._inputs_waiting and self._inputs_waiting + len(inputs) > MOST_WAITING:
            raise TooBusy(f"{self._inputs_waiting:,} inputs wait already")
        request = _Request(inputs, asyncio.get_running_loop().create_future())
        lane.waiting.append(request)
        self._inputs_waiting += len(inputs)
        if not lane.busy:
            self._begin(model, lane)
        return await request.answer

    def close(self) -> None:
        """Run nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, model: Model, lane: _Lane) -> None:
        """Have what waits run: one batch after the other here, as long as they are brief, or the next one in a thread.

        Were brief ones not run here, a model that is always asked for would never come back from the threads.
        """
        while batch := self._next_batch(lane):
            inputs = [request.inputs for request in batch]
            if lane.is_brief(sum(map(len, inputs))):
                work: asyncio.Future[_Ran] = asyncio.get_running_loop().create_future()
                try:
                    work.set_result(_run(model, inputs))
                except Exception as error:  # noqa: BLE001 (whatever a graph raises)
                    work.set_exception(error)
                _settle(lane, batch, work)
                continue
            lane.busy = True
            work = asyncio.get_running_loop().run_in_executor(self._pool, _run, model, inputs, time.thread_time)
            work.add_done_callback(lambda done, batch=batch: self._end(model, lane, batch, done))
            return

    def _next_batch(self, lane: _Lane) -> list[_Request]:
        """The requests that run next: as many as fit into one batch."""
        batch: list[_Request] = []
        size = 0
        while lane.waiting and (not batch or size + len(lane.waiting[0].inputs) <= MOST_IN_BATCH):
            request = lane.waiting.popleft()
            self._inputs_waiting -= len(request.inputs)
            if not request.answer.cancelled():
                batch.append(request)
                size += len(request.inputs)
        return batch

    def _end(self, model: Model, lane: _Lane, batch: list[_Request], work: "asyncio.Future[_Ran]") -> None:
        _settle(lane, batch, work)
        lane.busy = False
        self._begin(model, lane)


def _settle(lane: _Lane, batch: list[_Request], work: "asyncio.Future[_Ran]") -> None:
    """Give each request of a batch its part of what has come out."""
    error = asyncio.CancelledError() if work.cancelled() else work.exception()
    at = 0
    for request in batch:
        count = len(request.inputs)
        if not request.answer.done():  # whoever asked may have given up
            if error:
                request.answer.set_exception(error)
            else:
                request.answer.set_result(work.result().outputs[at : at + count])
        at += count
    if not error:
        lane.measured(at, work.result().seconds)


def _run(model: Model, inputs: list[NDArray[Any]], clock: Callable[[], float] = time.perf_counter) -> _Ran:
    """The outputs of all inputs, one after the other, and how long they took. A thread's clock must not count while it
    waits for the interpreter; asking that clock takes as long as a twentieth of a prediction.
    """
    joined = np.concatenate(inputs) if len(inputs) > 1 else inputs[0]
    began = clock()
    outputs = model.outputs(joined)
    return _Ran(outputs, clock() - began)
