"""What only the asynchronous client can do: much at a time on one loop, and stop when it is told to."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gradientd.client import AsyncClient
from tests.gradientd.client.flaky import flaky
from tests.gradientd.client.test_retries import AWAY, HALF
from tests.gradientd.samples import JOB_ID, dump, sample_job, succeeded_job


def run(main: Callable[[], Any]) -> None:
    """Run a coroutine, for ten seconds at most."""
    asyncio.run(asyncio.wait_for(main(), 10))


def test_many_wait_at_a_time() -> None:
    asked: list[str] = []
    ready = asyncio.Event()

    async def server(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if "If-None-Match" not in request.headers:
            return httpx.Response(200, json=dump(sample_job()), headers={"ETag": '"1"'})
        if len(asked) == 100:  # each has asked twice, and none is answered
            ready.set()
        await ready.wait()
        return httpx.Response(200, json=dump(succeeded_job()))

    async def main() -> None:
        async with AsyncClient("http://train.test", transport=httpx.MockTransport(server)) as client:
            jobs = await asyncio.gather(*(client.wait(f"job_{n}") for n in range(50)))
        assert {job.status for job in jobs} == {"succeeded"}

    run(main)


def test_waiting_can_be_called_off() -> None:
    called_off: list[bool] = []

    async def server(request: httpx.Request) -> httpx.Response:
        if "If-None-Match" not in request.headers:
            return httpx.Response(200, json=dump(sample_job()), headers={"ETag": '"1"'})
        try:
            await asyncio.Event().wait()
        finally:
            called_off.append(True)
        raise AssertionError

    async def main() -> None:
        async with AsyncClient("http://train.test", transport=httpx.MockTransport(server)) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.wait(JOB_ID)

    run(main)
    assert called_off == [True]


def test_a_download_that_is_called_off_leaves_nothing(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, backoff_seconds=60) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.download(JOB_ID, "weights.npz", tmp_path)

    with flaky(HALF, AWAY) as server:
        run(lambda: main(server.url))
        assert server.seen
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_read_slowly_holds_nobody_up(tmp_path: Path) -> None:
    """While one part is being read, the loop runs."""
    import threading

    from jobs.datasets import CATALOGUE
    from jobs.wire import Dataset

    is_running = threading.Event()

    class Slow:
        """A frame that writes itself only once the loop is seen to run."""

        def to_csv(self, path: None = None, *, index: bool = True) -> str:
            assert is_running.wait(5)
            return "a,b\r\n1,2\r\n"

    async def server(request: httpx.Request) -> httpx.Response:
        assert await request.aread() == b"a,b\r\n1,2\r\n"
        return httpx.Response(201, json=dump(Dataset.of(CATALOGUE["mnist-10k"])))

    async def main() -> None:
        async with AsyncClient("http://train.test", transport=httpx.MockTransport(server)) as client:
            sending = asyncio.create_task(client.upload("slow", Slow()))
            await asyncio.sleep(0)
            is_running.set()
            await sending

    run(main)
