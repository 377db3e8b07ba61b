"""Takes an upload in: to the disk as it comes, hashed meanwhile, and no more than it may have."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from jobs.faults import UploadTooLarge

BLOCK = 1 << 20
"""Bytes that are gathered before they are written."""


@dataclass(frozen=True, slots=True)
class Received:
    """An upload that is on the disk whole."""

    sha256: str
    size_bytes: int


async def receive(parts: AsyncIterator[bytes], path: Path, *, most_bytes: int) -> Received:
    """Write the parts of an upload to a new file, each before the next is asked for.

    Raises:
        UploadTooLarge: there is more; what came is at `path`, as it is with any other error.
    """
    digest = hashlib.sha256()
    size = 0
    gathered = bytearray()
    with path.open("xb") as file:

        def write(block: bytes) -> None:
            digest.update(block)
            file.write(block)

        def finish() -> None:
            write(bytes(gathered))
            file.flush()
            os.fsync(file.fileno())

        async for part in parts:
            size += len(part)
            if size > most_bytes:
                raise UploadTooLarge(most_bytes)
            gathered += part
            if len(gathered) >= BLOCK:
                await asyncio.to_thread(write, bytes(gathered))
                gathered.clear()
        await asyncio.to_thread(finish)
    return Received(digest.hexdigest(), size)
