"""Models in memory: loaded once, dropped when they take too much."""

import asyncio
import os
import subprocess
import sys

import pytest

from api.predict.model import Model, load_model
from api.predict.models import Models
from tests.api.models import CUSTOMERS, encoding_of, graph_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def model() -> Model:
    return load_model(graph_of(CUSTOMERS), encoding_of(CUSTOMERS))


class Loads:
    """Loads models, and counts."""

    def __init__(self) -> None:
        self.count = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.error: Exception | None = None

    async def __call__(self) -> Model:
        self.count += 1
        await self.may_end.wait()
        if self.error:
            raise self.error
        return model()


async def test_a_model_is_loaded_once_however_many_ask() -> None:
    models, loads = Models(most_bytes=1 << 30), Loads()
    loads.may_end.clear()
    asking = [asyncio.create_task(models.get("a", loads)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    loads.may_end.set()
    _, *found = await asyncio.gather(*asking, return_exceptions=True)
    assert len(set(map(id, found))) == 1
    assert await models.get("a", loads) is found[0]
    assert loads.count == 1


async def test_an_error_reaches_all_who_wait_and_nobody_later() -> None:
    models, loads = Models(most_bytes=1 << 30), Loads()
    loads.error = ValueError("damaged")
    found = await asyncio.gather(*[models.get("a", loads) for _ in range(3)], return_exceptions=True)
    assert all(isinstance(error, ValueError) for error in found)
    loads.error = None
    assert isinstance(await models.get("a", loads), Model)
    assert loads.count == 2


async def test_what_was_used_longest_ago_makes_room() -> None:
    one = model().size_bytes
    models, loads = Models(most_bytes=2 * one), Loads()
    for key in ("a", "b", "a", "c", "a"):
        await models.get(key, loads)
        await asyncio.sleep(0)
    assert loads.count == 3
    await models.get("b", loads)
    assert loads.count == 4


async def test_one_that_is_too_large_alone_is_kept_while_it_is_the_newest() -> None:
    models, loads = Models(most_bytes=1), Loads()
    first = await models.get("a", loads)
    assert await models.get("a", loads) is first


def test_a_damaged_graph_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="the graph cannot be read"):
        load_model(b"no graph", encoding_of(CUSTOMERS))


MANY = """
import asyncio, resource
import numpy as np
from api.predict.model import load_model
from api.predict.models import Models
from api.predict.runner import Runner
from tests.api.models import CUSTOMERS, encoding_of, graph_of

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

async def main():
    models, runner = Models(most_bytes=4 << 20), Runner()
    graph, encoding = graph_of(CUSTOMERS), encoding_of(CUSTOMERS)
    async def load():
        return load_model(graph, encoding)
    seen = []
    for n in range(400):
        model = await models.get(str(n % 200), load)
        await runner.run(model, np.zeros((500, CUSTOMERS.values), np.float32))
        seen.append(resident())
    print(max(seen[200:]) - max(seen[:100]))

asyncio.run(main())
"""


def test_memory_is_bounded_with_many_models_asked_in_turn() -> None:
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("needs /proc")
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 << 20
    assert done.stderr == ""
