"""Has uploads checked, each by a process of its own: a hostile file costs nobody but its sender.

Two at a time at most: one of any size, and one small one, which waits for no large one.
"""

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from api.uploads.archives import is_archive
from api.uploads.check import Answer, Order
from api.uploads.checked import CheckedDataset, CheckedWeights, Progress
from api.uploads.options import UploadOptions
from jobs.dataset_versions import StorageUnavailable
from jobs.faults import InvalidUpload

log = structlog.get_logger(__name__)

SMALL_BYTES = 4 << 20
"""Length of an upload that is checked within a second or so."""
LONGEST_ANSWER = 64 << 20
"""Bytes of a line."""
PROGRESS = b'{"progress"'
"""How a line of progress begins."""
COMMAND = (sys.executable, "-P", "-m", "api.uploads.check")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What checking one upload may take."""

    seconds: float = 600.0
    memory_bytes: int = 1 << 30
    most_bytes: int = 1 << 30
    """Of the text, decompressed."""
    most_encoded_bytes: int = 8 << 30
    """Of the arrays that it becomes, and of what an archive holds."""


class Checker:
    """Checks uploads in the order in which they are asked for, small ones apart."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._turn, self._small_turn = asyncio.Lock(), asyncio.Lock()
        self.checking = 0
        """Uploads that are being checked now, not those that wait for it."""

    async def check(
        self, path: Path, options: UploadOptions, *, into: Path, progress: Progress = lambda _: None
    ) -> CheckedDataset:
        """Check an upload and write its arrays into a folder; see `check_upload`. Its process ends with this call.

        Raises:
            InvalidUpload: it cannot be learnt from as it is, or checking it takes too much.
            StorageUnavailable: the disk does not take its arrays.
        """
        found = await self._found(path, options, into, self._bounds.most_encoded_bytes, progress)
        assert found.kind != "weights"
        return found

    async def check_weights(self, path: Path, *, into: Path, most_bytes: int) -> CheckedWeights:
        """Check uploaded weights and write them into a folder; see `check_weights`. Raises as `check` does."""
        found = await self._found(path, None, into, most_bytes)
        assert found.kind == "weights"
        return found

    async def _found(
        self,
        path: Path,
        options: UploadOptions | None,
        into: Path,
        most_encoded_bytes: int,
        progress: Progress = lambda _: None,
    ) -> CheckedDataset | CheckedWeights:
        bounds = self._bounds
        is_small = await asyncio.to_thread(_is_small, path)
        order = Order(
            path=path,
            into=into,
            options=options,
            most_bytes=bounds.most_bytes,
            most_encoded_bytes=most_encoded_bytes,
            memory_bytes=bounds.memory_bytes // 2 if is_small else bounds.memory_bytes,
        )
        async with self._small_turn if is_small else self._turn:
            self.checking += 1
            try:
                answer = await self._ask(order, progress) or await self._ask(order, progress)
            finally:
                self.checking -= 1
        if answer is None:
            raise InvalidUpload("the upload could not be checked: the process that checks it ended twice before it did")
        if answer.storage:
            raise StorageUnavailable(f"the data directory cannot be written or read: {answer.storage}")
        if answer.surprise:
            log.error("upload_check_surprised", detail=answer.detail, traceback=answer.surprise)
        if answer.found is None:
            raise InvalidUpload(answer.detail, answer.faults, total=answer.faults_total)
        return answer.found

    async def _ask(self, order: Order, progress: Progress) -> Answer | None:
        """What a process says of the upload; None from one that was killed, perhaps for what another one took."""
        # Memory that libraries take ahead counts as well.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *COMMAND, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_ANSWER
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            process.stdin.write(order.model_dump_json().encode() + b"\n")
            async with asyncio.timeout(self._bounds.seconds):
                said, complaints = await asyncio.gather(_last_line(process.stdout, progress), process.stderr.read())
                await process.wait()
        except TimeoutError as error:
            raise InvalidUpload(f"checking the upload takes more than {self._bounds.seconds:g} s") from error
        finally:
            if process.returncode is None:
                await _end(process)
            process.stdin.close()
        if process.returncode != 0 or not said:
            log.warning("upload_check_died", code=process.returncode, said=complaints.decode(errors="replace")[-2000:])
            return None
        return Answer.model_validate_json(said)


def _is_small(path: Path) -> bool:
    """Whether an upload is checked soon, as far as can be told: much more may be packed into an archive."""
    return path.stat().st_size <= (SMALL_BYTES // 4 if is_archive(path) else SMALL_BYTES)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a process, and wait until it is dead, however often somebody cancels that: what it writes is deleted next,
    and it must not write any more."""
    process.kill()
    death = asyncio.ensure_future(process.wait())
    while not death.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(death)


async def _last_line(said: asyncio.StreamReader, progress: Progress) -> bytes:
    """What a process says at last; what it says before is its progress."""
    last = b""
    while line := await said.readline():
        last = line
        if line.startswith(PROGRESS):
            progress(Answer.model_validate_json(line).progress or 0.0)
    return last
