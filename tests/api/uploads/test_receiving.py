"""Uploads are written as they come, and no further than they may."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.uploads.receiving import receive
from jobs.faults import UploadTooLarge

pytestmark = pytest.mark.anyio


async def parts(count: int, size: int) -> AsyncIterator[bytes]:
    """So many parts of so many bytes."""
    for n in range(count):
        yield bytes([n % 256]) * size


async def test_an_upload_is_on_the_disk_whole_with_its_hash(tmp_path: Path) -> None:
    received = await receive(parts(300, 10_007), tmp_path / "upload", most_bytes=300 * 10_007)
    content = (tmp_path / "upload").read_bytes()
    assert received.size_bytes == len(content) == 300 * 10_007
    assert received.sha256 == hashlib.sha256(content).hexdigest()


async def test_what_is_too_long_is_refused_at_the_limit(tmp_path: Path) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * (1 << 20)

    with pytest.raises(UploadTooLarge, match="longer than 5,000,000 bytes"):
        await receive(endless(), tmp_path / "upload", most_bytes=5_000_000)
    assert asked == 5
    assert (tmp_path / "upload").stat().st_size <= 5_000_000


async def test_nothing_is_an_upload_too(tmp_path: Path) -> None:
    assert (await receive(parts(0, 1), tmp_path / "upload", most_bytes=1)).size_bytes == 0
