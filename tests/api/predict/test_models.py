"""Models in memory: loaded once, dropped when they take too much."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.predict.model import Model, load_model
from api.predict.models import Models
from tests.api.models import CUSTOMERS, encoding_of, model_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def loads(tmp_path: Path) -> "Loads":
    return Loads(tmp_path)


class Loads:
    """Loads models, and counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.count = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.error: Exception | None = None

    async def __call__(self) -> Model:
        self.count += 1
        await self.may_end.wait()
        if self.error:
            raise self.error
        return model_of(CUSTOMERS, self._folder)


async def test_a_model_is_loaded_once_however_many_ask(loads: Loads) -> None:
    models = Models(most_bytes=1 << 30)
    loads.may_end.clear()
    asking = [asyncio.create_task(models.get("a", loads)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    loads.may_end.set()
    _, *found = await asyncio.gather(*asking, return_exceptions=True)
    assert len(set(map(id, found))) == 1
    assert await models.get("a", loads) is found[0]
    assert loads.count == 1


async def test_an_error_reaches_all_who_wait_and_nobody_later(loads: Loads) -> None:
    models = Models(most_bytes=1 << 30)
    loads.error = ValueError("damaged")
    found = await asyncio.gather(*[models.get("a", loads) for _ in range(3)], return_exceptions=True)
    assert all(isinstance(error, ValueError) for error in found)
    loads.error = None
    assert isinstance(await models.get("a", loads), Model)
    assert loads.count == 2


async def test_what_was_used_longest_ago_makes_room(loads: Loads, tmp_path: Path) -> None:
    models = Models(most_bytes=2 * model_of(CUSTOMERS, tmp_path).size_bytes)
    for key in ("a", "b", "a", "c", "a"):
        await models.get(key, loads)
        await asyncio.sleep(0)
    assert loads.count == 3
    await models.get("b", loads)
    assert loads.count == 4


async def test_one_that_is_too_large_alone_is_kept_while_it_is_the_newest(loads: Loads) -> None:
    models = Models(most_bytes=1)
    first = await models.get("a", loads)
    assert await models.get("a", loads) is first


def test_a_damaged_graph_is_a_value_error(tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    graph.write_bytes(b"no graph")
    with pytest.raises(ValueError, match="the graph cannot be read"):
        load_model(graph, encoding_of(CUSTOMERS))


def test_a_graph_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"model\.onnx"):
        load_model(tmp_path / "model.onnx", encoding_of(CUSTOMERS))


MANY = """
import asyncio, resource, sys
from pathlib import Path
import numpy as np
from api.predict.models import Models
from api.predict.runner import Runner
from tests.api.models import CUSTOMERS, model_of

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

async def main():
    models, runner = Models(most_bytes=4 << 20), Runner()
    async def load():
        return model_of(CUSTOMERS, Path(sys.argv[1]))
    seen = []
    for n in range(400):
        model = await models.get(str(n % 200), load)
        await runner.run(model, np.zeros((500, CUSTOMERS.values), np.float32))
        seen.append(resident())
    print(max(seen[200:]) - max(seen[:100]))

asyncio.run(main())
"""


def test_memory_is_bounded_with_many_models_asked_in_turn(tmp_path: Path) -> None:
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("needs /proc")
    done = subprocess.run([sys.executable, "-c", MANY, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 << 20
    assert done.stderr == ""
