"""Running models: inputs that wait become one batch, and each request gets its own part."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.predict import runner as runner_module
from api.predict.model import Model
from api.predict.runner import Runner
from jobs.errors import TooBusy
from tests.api.models import PRICES, kernel_of, model_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Session:
    """A session that notes its batches and can be held up."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.batches: list[int] = []
        self.threads: list[int] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.error: Exception | None = None

    def get_inputs(self) -> Any:
        return self.session.get_inputs()

    def run(self, outputs: Any, inputs: dict[str, np.ndarray]) -> Any:
        self.batches.append(len(inputs["features"]))
        self.threads.append(threading.get_ident())
        assert self.may_run.wait(10)
        if self.error:
            raise self.error
        return self.session.run(outputs, inputs)


@pytest.fixture
def model(tmp_path: Path) -> tuple[Model, Session]:
    """A linear model, and its session."""
    loaded = model_of(PRICES, tmp_path)
    session = Session(loaded.session)
    return replace(loaded, session=session), session


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, PRICES.values)).astype(np.float32)


async def held_up(runner: Runner, model: Model, session: Session, *sizes: int) -> list["asyncio.Task[np.ndarray]"]:
    """Requests of these sizes, the first of which is being run and held up, so that the others wait."""
    session.may_run.clear()
    tasks = [asyncio.create_task(runner.run(model, rows(size, seed))) for seed, size in enumerate(sizes)]
    async with asyncio.timeout(10):
        while not session.batches:  # noqa: ASYNC110 (a thread's doing)
            await asyncio.sleep(0.001)
    return tasks


async def test_what_waits_becomes_one_batch_and_each_gets_its_part(model: tuple[Model, Session]) -> None:
    runner = Runner()
    tasks = await held_up(runner, *model, 1, 2, 3, 1)
    model[1].may_run.set()
    found = await asyncio.gather(*tasks)
    assert model[1].batches == [1, 6]
    for seed, (size, outputs) in enumerate(zip((1, 2, 3, 1), found, strict=True)):
        np.testing.assert_allclose(outputs, rows(size, seed) @ kernel_of(PRICES), rtol=1e-5)


async def test_few_inputs_of_a_fast_model_run_where_they_are(model: tuple[Model, Session]) -> None:
    runner = Runner()
    await runner.run(model[0], rows(1000))
    threads = threading.active_count()
    for _ in range(20):
        await runner.run(model[0], rows(1))
    assert model[1].batches == [1000, *[1] * 20]
    assert threading.active_count() == threads


async def test_a_fast_model_that_is_always_asked_for_comes_back_from_the_threads(model: tuple[Model, Session]) -> None:
    runner = Runner()
    tasks = await held_up(runner, *model, 1000, 1)
    model[1].may_run.set()
    await asyncio.gather(*tasks)
    assert model[1].threads[0] != model[1].threads[1] == threading.get_ident()


async def test_a_batch_has_a_bound(model: tuple[Model, Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "MOST_IN_BATCH", 5)
    runner = Runner()
    tasks = await held_up(runner, *model, 1, 4, 4, 9, 1)
    model[1].may_run.set()
    await asyncio.gather(*tasks)
    assert model[1].batches == [1, 4, 4, 9, 1]


async def test_an_error_reaches_each_of_a_batch_and_the_next_one_runs(model: tuple[Model, Session]) -> None:
    runner = Runner()
    tasks = await held_up(runner, *model, 1, 1, 1)
    model[1].error = RuntimeError("broken")
    model[1].may_run.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, RuntimeError) for error in found)
    model[1].error = None
    assert (await runner.run(model[0], rows(1))).shape == (1, 1)


async def test_who_gives_up_harms_nobody(model: tuple[Model, Session]) -> None:
    runner = Runner()
    tasks = await held_up(runner, *model, 1, 2, 3)
    tasks[0].cancel()
    tasks[1].cancel()
    model[1].may_run.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[2], np.ndarray)
    np.testing.assert_allclose(found[2], rows(3, 2) @ kernel_of(PRICES), rtol=1e-5)
    assert model[1].batches == [1, 3]


async def test_too_many_waiting_inputs_are_refused(
    model: tuple[Model, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "MOST_WAITING", 5)
    runner = Runner()
    tasks = await held_up(runner, *model, 1, 4)
    with pytest.raises(TooBusy):
        await runner.run(model[0], rows(2))
    model[1].may_run.set()
    await asyncio.gather(*tasks)
    assert len(await runner.run(model[0], rows(50))) == 50
