"""Uploads are checked by processes of their own, which take no more than they may and leave nothing."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from structlog.testing import capture_logs

from api.uploads import checker as checker_module
from api.uploads.check import Order
from api.uploads.checker import COMMAND, Bounds, Checker
from api.uploads.options import UploadOptions
from api.uploads.table import CheckedTable
from jobs.dataset_versions import StorageUnavailable
from jobs.faults import InvalidUpload
from tests.api.uploads.tables import csv_of, iris_like
from tests.disk import mounted


async def check(checker: Checker, content: bytes, folder: Path, **options: Any) -> CheckedTable:
    """Have a table checked in a folder."""
    path, into = put(content, folder)
    found = await checker.check(path, UploadOptions(**options), into=into)
    assert isinstance(found, CheckedTable)
    return found


def put(content: bytes, folder: Path) -> tuple[Path, Path]:
    """A file with this content, and an empty folder."""
    into = folder / "into"
    into.mkdir(parents=True)
    (folder / "upload").write_bytes(content)
    return folder / "upload", into


def checking() -> int:
    """How many processes of this one check uploads."""
    count = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            count += COMMAND[-1] in process.cmdline()
    return count


@pytest.mark.anyio
async def test_a_table_is_checked_elsewhere(tmp_path: Path) -> None:
    table = await check(Checker(), iris_like(100), tmp_path / "one")
    assert table.classes == ("down", "up")
    assert np.load(tmp_path / "one" / "into" / "train_x.npy").shape == (80, 2)
    assert checking() == 0


@pytest.mark.anyio
async def test_a_refusal_brings_its_faults_along(tmp_path: Path) -> None:
    content = csv_of("a,y", [f"{n},{n % 2}" for n in range(30)] + ["x,1", "1"])
    with pytest.raises(InvalidUpload) as refused:
        await check(Checker(), content, tmp_path / "one")
    assert [(fault.row, fault.line, fault.column) for fault in refused.value.faults] == [(31, 32, "a"), (32, 33, None)]
    assert refused.value.total == 2


@pytest.mark.slow
@pytest.mark.anyio
async def test_uploads_are_checked_one_at_a_time(tmp_path: Path) -> None:
    checker = Checker()
    most = 0
    checks = asyncio.gather(*(check(checker, iris_like(50), tmp_path / str(n)) for n in range(3)))
    while not checks.done():
        most = max(most, checking())
        await asyncio.sleep(0.01)
    assert len(await checks) == 3
    assert most == 1


@pytest.mark.anyio
async def test_a_check_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(InvalidUpload, match=r"takes more than 0\.01 s"):
        await check(Checker(Bounds(seconds=0.01)), iris_like(100), tmp_path / "one")
    assert checking() == 0


@pytest.mark.anyio
async def test_a_check_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    wide = csv_of(",".join(f"c{n}" for n in range(500)) + ",y", ["1," * 500 + str(n % 2) for n in range(20_000)])
    with pytest.raises(InvalidUpload, match=r"more than 40 MiB of memory|ended twice"):
        await check(Checker(Bounds(memory_bytes=40 << 20)), wide, tmp_path / "one")


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_check_that_is_killed_is_done_again(tmp_path: Path) -> None:
    task = asyncio.create_task(check(Checker(), iris_like(100_000), tmp_path / "one"))
    arrays = tmp_path / "one" / "into"
    while not (arrays.is_dir() and any(arrays.iterdir())) and not task.done():  # noqa: ASYNC110 - nothing tells us
        await asyncio.sleep(0.001)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if COMMAND[-1] in process.cmdline():
                process.kill()
    table = await task
    assert table.train_examples + table.test_examples == 100_000
    assert np.load(arrays / "train_x.npy").shape[0] == table.train_examples


@pytest.mark.anyio
async def test_a_disk_without_room_for_the_arrays_is_no_fault_of_the_table(tmp_path: Path) -> None:
    path, _ = put(iris_like(100_000), tmp_path / "one")
    with mounted(tmp_path / "small", mb=1) as is_mounted:
        if not is_mounted:
            pytest.skip("nothing can be mounted here")
        with pytest.raises(StorageUnavailable, match="No space left"):
            await Checker().check(path, UploadOptions(), into=tmp_path / "small")


@pytest.mark.anyio
async def test_a_check_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    task = asyncio.create_task(check(Checker(), iris_like(200_000), tmp_path / "one"))
    while not checking() and not task.done():  # noqa: ASYNC110 - nothing tells us
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert checking() == 0


def test_a_check_ends_with_its_api(tmp_path: Path) -> None:
    """As after a SIGKILL of the API: the pipe that the order came through is closed."""
    os.mkfifo(tmp_path / "upload")  # reading it waits for ever
    order = Order(
        path=tmp_path / "upload",
        into=tmp_path,
        options=UploadOptions(),
        most_bytes=9,
        most_encoded_bytes=9,
        memory_bytes=1 << 30,
    )
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            assert process.stdin
            process.stdin.write(order.model_dump_json().encode() + b"\n")
            process.stdin.close()
            assert process.wait(30) == 1
        finally:
            process.kill()


@pytest.mark.anyio
async def test_a_small_upload_waits_for_no_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checker = Checker()
    small = iris_like(100)
    monkeypatch.setattr("api.uploads.checker.SMALL_BYTES", len(small))
    large = asyncio.create_task(check(checker, iris_like(200_000), tmp_path / "large"))
    while not checking():  # noqa: ASYNC110 (a process' doing)
        await asyncio.sleep(0.01)
    await check(checker, small, tmp_path / "small")
    assert not large.done()
    large.cancel()
    await asyncio.gather(large, return_exceptions=True)
    assert checking() == 0


@pytest.mark.anyio
async def test_what_nobody_thought_of_is_refused_and_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check whose table reader has a bug."""
    program = (
        "import api.uploads.check as check\n"
        "def broken(*_, **__): raise KeyError('a bug')\n"
        "check.check_table = broken\n"
        "check.main()\n"
    )
    monkeypatch.setattr(checker_module, "COMMAND", (sys.executable, "-P", "-c", program))
    with capture_logs() as logs, pytest.raises(InvalidUpload, match="cannot be read: 'a bug'"):
        await check(Checker(), iris_like(10), tmp_path)
    (entry,) = logs
    assert entry["event"] == "upload_check_surprised"
    assert "in broken" in entry["traceback"]
