"""What one API process works with, made once when it starts."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis

from api.background.change_feed import ChangeFeed
from api.background.doorbell_sender import DoorbellSender
from api.background.event_feed import EventFeed
from api.background.job_feed import Do, JobFeed
from api.background.upkeep import keep_up, sweep_uploads
from api.background.webhook_delivery import WebhookDelivery
from api.fleet import Fleet
from api.job_cache import JobCache
from api.predict.predictor import Predictor
from api.uploads.checker import Bounds, Checker
from api.uploads.intake import Intake
from api.webhooks.addresses import Resolver
from api.webhooks.sender import Sender
from jobs.errors import DataLost
from jobs.settings import Settings
from store.api_keys import KeyRing
from store.artifacts import LocalArtifacts
from store.batches import Batches
from store.calls import Operation, aconnect
from store.dataset_files import DatasetFiles
from store.datasets import DatasetStore
from store.doorbell import Doorbell, make_celery
from store.files import Folder
from store.jobs import Store
from store.webhooks import Webhooks
from store.weights import WeightsStore

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The store and what stands around it."""

    settings: Settings
    client: Redis
    batches: Batches
    store: Store
    doorbell_sender: DoorbellSender
    job_cache: JobCache
    change_feed: ChangeFeed
    job_feed: JobFeed
    event_feed: EventFeed
    key_ring: KeyRing
    data_dir: Folder
    fleet: Fleet
    datasets: DatasetStore
    dataset_files: DatasetFiles
    weights: WeightsStore
    intake: Intake
    artifacts: LocalArtifacts
    predictor: Predictor
    webhooks: Webhooks

    async def do(self, operation: Operation[T]) -> T:
        """Carry out a store operation. Raises StoreUnavailable and whatever the operation raises."""
        return await self.batches.do(operation)

    def check_data_dir(self) -> None:
        """Raise DataLost where the data directory is not the one that was there before."""
        if self.data_dir.is_lost():
            raise DataLost(f"the data directory {self.data_dir.path} was deleted or replaced while the service ran")


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """Connect lazily, keep the store in order meanwhile, and end without losing a bell."""
    if unverified := settings.store_address.unverified:
        log.warning("store_not_verified", detail=unverified)
    store = Store.of(settings)
    artifacts = LocalArtifacts.of(settings)
    datasets, dataset_files = DatasetStore.of(settings), DatasetFiles.of(settings)
    doorbell_sender = DoorbellSender(Doorbell(make_celery(settings)))
    with Folder(settings.data_dir) as folder:
        async with aconnect(settings) as client, Batches(client) as batches:
            do = batches.do
            services = Services(
                settings,
                client,
                batches,
                store,
                doorbell_sender,
                job_cache := JobCache(store, do),
                change_feed := ChangeFeed(client, store.keys),
                JobFeed(change_feed, store=store, do=do),
                EventFeed(change_feed, feed=store.feed, job_cache=job_cache, do=do),
                KeyRing.of(settings),
                folder,
                Fleet(lambda: do(store.workers())),
                datasets,
                dataset_files,
                weights := WeightsStore.of(settings),
                intake := Intake(
                    do=do,
                    datasets=datasets,
                    weights=weights,
                    files=dataset_files,
                    checker=Checker(Bounds(most_bytes=settings.max_upload_mb << 20)),
                ),
                artifacts,
                predictor := Predictor(
                    read_job=job_cache.job,
                    artifacts=artifacts,
                    most_bytes=settings.predict_memory_mb << 20,
                ),
                webhooks := Webhooks.of(settings),
            )
            upkeep = keep_up(client, store, doorbell_sender, every_seconds=settings.upkeep_seconds)
            async with (
                _delivering(webhooks, settings, do=do),
                _beside(services.change_feed.run()),
                _beside(upkeep),
                _beside(sweep_uploads(intake)),
            ):
                try:
                    yield services
                finally:
                    services.change_feed.close()
                    await intake.aclose()
                    predictor.close()
            await doorbell_sender.aclose()


@asynccontextmanager
async def _delivering(webhooks: Webhooks, settings: Settings, *, do: Do) -> AsyncGenerator[None]:
    """Tell webhooks what they have to be told, beside the body."""
    resolver = Resolver()
    sender = Sender(
        resolver,
        allow_private=settings.webhooks_allow_private,
        user_agent=f"gradientd/{version('gradientd')}",
    )
    delivery = WebhookDelivery(webhooks, do=do, send=sender)
    try:
        async with _beside(delivery.run()):
            yield
        await delivery.aclose()
    finally:
        await sender.aclose()
        resolver.close()


@asynccontextmanager
async def _beside(coroutine: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run a coroutine that never ends beside the body, and end it with the body."""
    task = asyncio.create_task(coroutine)
    task.add_done_callback(_note_end)
    try:
        yield
    finally:
        # Not every cancellation arrives: Python 3.11's wait_for, used by redis-py, can lose one.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.1)


def _note_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("background_task_died", exc_info=error)
