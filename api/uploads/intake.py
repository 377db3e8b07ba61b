"""Takes uploads in: from the first byte to a version of a dataset, or to nothing at all.

The bytes of an upload are set aside before they flow. What is left of an upload that is cut off at any moment is a
scratch folder, which a sweep finds, or nothing.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog

from api.uploads.checked import CheckedDataset, Progress
from api.uploads.checker import Checker
from api.uploads.options import UploadOptions
from api.uploads.receiving import Received, receive
from api.uploads.weights import KEPT
from jobs.dataset_versions import DatasetNotFound, DatasetRef, DatasetVersion, StorageFull, StorageUnavailable
from jobs.datasets import Target
from jobs.errors import StoreUnavailable
from jobs.faults import InvalidUpload, UploadTooLarge
from jobs.uploaded_weights import InvalidWeights, UploadedWeights, WeightsNotFound
from store.calls import Operation
from store.dataset_files import ARRAYS, UPLOAD, DatasetFiles
from store.datasets import DatasetStore, Published
from store.weights import PublishedWeights, WeightsStore

log = structlog.get_logger(__name__)

T = TypeVar("T")

STEP_BYTES = 64 << 20
"""Bytes that are set aside at a time for an upload that does not say how long it is."""
MOST_UNDER_WAY = 64
"""Uploads that one process receives, and checks or has waiting to be checked, at a time."""
PUBLISH_TRIES = 5
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Room:
    """How much somebody may bring."""

    most_bytes: int
    """In an upload."""
    most_stored_bytes: int
    """In all datasets of its owner."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An upload that is on the disk whole, and not yet looked at."""

    owner: str
    room: Room
    scratch: Path
    received: Received

    @property
    def token(self) -> str:
        """Names what is set aside for it."""
        return self.scratch.name


class Intake:
    """Takes the uploads of one API process."""

    def __init__(
        self,
        *,
        do: Callable[[Operation[Any]], Coroutine[Any, Any, Any]],
        datasets: DatasetStore,
        weights: WeightsStore,
        files: DatasetFiles,
        checker: Checker,
    ) -> None:
        self._do = do
        self._datasets = datasets
        self._weights = weights
        self._files = files
        self._checker = checker
        self.under_way = 0
        """Uploads that are being received, wait to be checked, are checked or published now."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._clearing: set[asyncio.Task[None]] = set()

    @property
    def is_full(self) -> bool:
        """Whether no other upload should be begun now."""
        return self.under_way >= MOST_UNDER_WAY

    @property
    def checking(self) -> int:
        """Uploads that are being checked now."""
        return self._checker.checking

    async def receive(
        self, owner: str, parts: AsyncIterator[bytes], *, room: Room, declared_bytes: int | None
    ) -> Taken:
        """Receive an upload; whoever asks has it become something by `finish`, which also ends it.

        Raises UploadTooLarge, StorageFull and StorageUnavailable.
        """
        if declared_bytes is not None and declared_bytes > room.most_bytes:
            raise UploadTooLarge(room.most_bytes)
        self.under_way += 1
        try:
            scratch = await _on_disk(self._files.begin)
        except BaseException:
            self.under_way -= 1
            raise
        try:
            parts = self._with_room(owner, scratch.name, parts, room=room, declared_bytes=declared_bytes)
            received = await _stored(receive(parts, scratch / UPLOAD, most_bytes=room.most_bytes))
        except BaseException:
            await self._discard(owner, scratch)
            raise
        return Taken(owner, room, scratch, received)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Have something done that goes on although whoever asked no longer waits; it ends with the process."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def give_up(self) -> None:
        """Have what is being checked end, and nothing be left of it: the process is about to stop."""
        for task in list(self._tasks):
            task.cancel()

    async def aclose(self) -> None:
        """Give up what is under way, and wait until nothing is left of it."""
        self.give_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._clearing, return_exceptions=True)

    async def finish(
        self,
        taken: Taken,
        name: str,
        options: UploadOptions,
        *,
        dry_run: bool = False,
        progress: Progress = lambda _: None,
    ) -> Published:
        """Have an upload checked, and publish what it is; with `dry_run` only say what it would be. `progress` is told
        of the check's.

        Raises InvalidUpload, StorageFull, StorageUnavailable and StoreUnavailable: then nothing is left of it.
        """
        kept = False
        try:
            same = None if dry_run else await self._same_as_newest(taken, name, options)
            if same:
                return Published(same, created=False)
            checked = await self._checker.check(
                taken.scratch / UPLOAD, options, into=taken.scratch / ARRAYS, progress=progress
            )
            size = await _on_disk(self._files.size_bytes, taken.scratch)
            version = _version(taken, name, options, checked, stored_bytes=size)
            if dry_run:
                return Published(version, created=True)
            await self._reserve(taken.owner, taken.token, size, room=taken.room)
            await _on_disk(self._files.keep, taken.scratch)
            kept = True
            return await self._publish(taken, version)
        finally:
            await self._discard(taken.owner, taken.scratch, has_files=not kept)

    async def finish_weights(self, taken: Taken, name: str) -> PublishedWeights:
        """Have uploaded weights checked, and give them their name, in place of what had it.

        Raises InvalidWeights, StorageFull, StorageUnavailable and StoreUnavailable: then nothing is left of them.
        """
        kept = False
        upload, checked_file = taken.scratch / UPLOAD, taken.scratch / ARRAYS / KEPT
        try:
            with suppress(WeightsNotFound):
                known: UploadedWeights = await self._do(self._weights.get(taken.owner, name))
                if known.sha256 == taken.received.sha256:
                    return PublishedWeights(known, created=False)
            try:
                checked = await self._checker.check_weights(
                    upload, into=taken.scratch / ARRAYS, most_bytes=taken.room.most_bytes
                )
            except InvalidUpload as error:
                raise InvalidWeights(str(error)) from error
            await _on_disk(checked_file.replace, upload)
            size = await _on_disk(self._files.size_bytes, taken.scratch)
            weights = UploadedWeights(
                name=name,
                sha256=taken.received.sha256,
                size_bytes=taken.received.size_bytes,
                arrays=checked.arrays,
                file_sha256=await _on_disk(_synced_digest, upload),
                stored_bytes=size,
                folder=taken.scratch.name,
                created_at=datetime.now(UTC),
            )
            await self._reserve(taken.owner, taken.token, size, room=taken.room)
            await _on_disk(self._files.keep, taken.scratch)
            kept = True
            return await self._publish_weights(taken, weights)
        finally:
            await self._discard(taken.owner, taken.scratch, has_files=not kept)

    async def _publish_weights(self, taken: Taken, weights: UploadedWeights) -> PublishedWeights:
        """Publish weights whose file is kept; that of those whose place they take is deleted."""
        most = taken.room.most_stored_bytes
        try:
            published: PublishedWeights = await self._do(
                self._weights.publish(taken.owner, taken.token, weights, most_bytes=most)
            )
        except StorageFull:
            await _on_disk(self._files.delete, weights.folder)
            raise
        # What a store that did not answer has published is the same upload when it is sent again.
        gone = published.replaced if published.created else weights
        if gone and gone.folder != published.weights.folder:
            await _on_disk(self._files.delete, gone.folder)
        return published

    async def delete_weights(self, owner: str, name: str) -> None:
        """Delete uploaded weights, with their file. Raises WeightsNotFound."""
        weights = await self._do(self._weights.delete(owner, name))
        try:
            await _on_disk(self._files.delete, weights.folder)
        except StorageUnavailable as error:
            log.warning("weights_not_deleted", folder=weights.folder, error=str(error))

    async def delete(self, owner: str, ref: DatasetRef) -> None:
        """Delete a version, or a whole dataset, with its files. Raises DatasetNotFound and DatasetInUse."""
        for version in await self._do(self._datasets.delete(owner, ref)):
            try:
                await _on_disk(self._files.delete, version.folder)
            except StorageUnavailable as error:
                log.warning("dataset_files_not_deleted", folder=version.folder, error=str(error))

    async def sweep(self) -> None:
        """Delete files that killed processes have left. Raises StoreUnavailable and StorageUnavailable."""
        known = await self._do(self._datasets.folders()) | await self._do(self._weights.folders())
        if gone := await _on_disk(self._files.sweep, known):
            log.info("abandoned_uploads_deleted", folders=gone)

    async def _same_as_newest(self, taken: Taken, name: str, options: UploadOptions) -> DatasetVersion | None:
        """The newest version where it is these bytes, read so: checking them again would tell nothing."""
        try:
            newest: DatasetVersion = await self._do(self._datasets.get(taken.owner, DatasetRef(name)))
        except DatasetNotFound:
            return None
        same = (newest.sha256, newest.options_sha256) == (taken.received.sha256, _digest(options))
        return newest if same else None

    async def _publish(self, taken: Taken, version: DatasetVersion) -> Published:
        """Publish a version whose files are kept; those that nobody will need are deleted.

        A store that is away may have done it all the same, so it is asked again; after that only a sweep can tell.
        """
        most = taken.room.most_stored_bytes
        for patience in range(PUBLISH_TRIES, 0, -1):
            try:
                published: Published = await self._do(
                    self._datasets.publish(taken.owner, taken.token, version, most_bytes=most)
                )
            except StorageFull:
                await _on_disk(self._files.delete, version.folder)
                raise
            except StoreUnavailable:
                if patience == 1:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if published.version.folder == version.folder:
                    return published._replace(created=True)
                await _on_disk(self._files.delete, version.folder)
                return published
        raise AssertionError("the last try returns or raises")

    async def _with_room(
        self, owner: str, token: str, parts: AsyncIterator[bytes], *, room: Room, declared_bytes: int | None
    ) -> AsyncIterator[bytes]:
        """The parts, with bytes set aside for each before it is passed on."""
        reserved = size = 0
        if declared_bytes is not None:
            reserved = declared_bytes
            await self._reserve(owner, token, reserved, room=room)
        async for part in parts:
            size += len(part)
            if size > reserved:
                reserved = min(size + STEP_BYTES, max(size, room.most_bytes))
                await self._reserve(owner, token, reserved, room=room)
            yield part

    async def _reserve(self, owner: str, token: str, size: int, *, room: Room) -> None:
        most = room.most_stored_bytes
        await self._do(self._datasets.reserve(owner, token, wanted_bytes=size, most_bytes=most))

    async def _discard(self, owner: str, scratch: Path, *, has_files: bool = True) -> None:
        """Leave nothing of an upload: neither files nor what was set aside. Done to its end also when cancelled."""
        self.under_way -= 1
        task = asyncio.create_task(self._cleared(owner, scratch, has_files=has_files))
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)
        await asyncio.shield(task)

    async def _cleared(self, owner: str, scratch: Path, *, has_files: bool) -> None:
        if has_files:
            await asyncio.to_thread(self._files.discard, scratch)
        try:
            await self._do(self._datasets.release(owner, scratch.name))
        except StoreUnavailable as error:
            log.warning("room_not_given_back", error=str(error))  # it comes free by itself


def _version(
    taken: Taken,
    name: str,
    options: UploadOptions,
    checked: CheckedDataset,
    *,
    stored_bytes: int,
) -> DatasetVersion:
    targets = tuple(Target(target.name, target.mean, target.std) for target in checked.targets or ())
    return DatasetVersion(
        name=name,
        sha256=taken.received.sha256,
        options_sha256=_digest(options),
        kind=checked.kind,
        task=checked.task,
        shape=checked.shape,
        dtype=checked.dtype,
        classes=checked.classes,
        targets=targets or None,
        encoding=checked.encoding.model_dump(mode="json") if checked.encoding else None,
        train_examples=checked.train_examples,
        validation_examples=checked.validation_examples,
        test_examples=checked.test_examples,
        report=checked.report.model_dump(mode="json"),
        size_bytes=taken.received.size_bytes,
        stored_bytes=stored_bytes,
        folder=taken.scratch.name,
        created_at=datetime.now(UTC),
    )


def _synced_digest(path: Path) -> str:
    """SHA-256 of a file, once it is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(options: UploadOptions) -> str:
    return hashlib.sha256(options.model_dump_json().encode()).hexdigest()


async def _on_disk(do: Callable[..., T], *arguments: Any) -> T:
    """What a function of the disk returns, beside the event loop. Raises StorageUnavailable."""
    return await _stored(asyncio.to_thread(do, *arguments))


async def _stored(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    except StoreUnavailable:
        raise
    except OSError as error:
        raise StorageUnavailable(f"the data directory cannot be written or read: {error.strerror or error}") from error
