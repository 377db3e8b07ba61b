"""The housekeeping that every API process takes part in: lost leases, deleted jobs, missing bells."""

import asyncio
import time

import structlog
from redis.asyncio import Redis

from api.background.doorbell_sender import DoorbellSender
from api.uploads.intake import Intake
from jobs.dataset_versions import StorageUnavailable
from jobs.errors import StoreUnavailable
from store.calls import arun
from store.jobs import Store

FIRST_UPLOADS_SECONDS = 15.0
UPLOADS_SECONDS = 3600.0
"""How often abandoned uploads are looked for."""

log = structlog.get_logger(__name__)


async def keep_up(client: Redis, store: Store, doorbell_sender: DoorbellSender, *, every_seconds: float) -> None:
    """Sweep until cancelled. A store that is away is waited for; its absence and its return are logged once.

    A store whose settings endanger jobs is told of at the start and at each return.
    """
    away_since: float | None = None
    checked = False
    while True:
        try:
            await sweep(client, store, doorbell_sender, every_seconds=every_seconds)
            if not checked:
                for warning in await arun(client, store.check_health()):
                    log.warning("store_may_lose_jobs", detail=warning)
                checked = True
        except StoreUnavailable as error:
            if away_since is None:
                away_since = time.monotonic()
                log.warning("store_away", error=str(error))
                checked = False
        else:
            if away_since is not None:
                log.info("store_back", seconds=round(time.monotonic() - away_since, 1))
                away_since = None
        await asyncio.sleep(every_seconds)


async def sweep_uploads(intake: Intake) -> None:
    """Delete what killed uploads have left, soon after the start and then now and then, until cancelled."""
    wait_seconds = FIRST_UPLOADS_SECONDS
    while True:
        await asyncio.sleep(wait_seconds)
        wait_seconds = UPLOADS_SECONDS
        try:
            await intake.sweep()
        except (StoreUnavailable, StorageUnavailable) as error:
            log.warning("uploads_not_swept", error=str(error))


async def sweep(client: Redis, store: Store, doorbell_sender: DoorbellSender, *, every_seconds: float) -> None:
    """Do what is due, once. Raises StoreUnavailable."""
    # Other processes sweep too: a little less than the period lets this one have its own turn again.
    done = await arun(client, store.upkeep(every_seconds=0.9 * every_seconds))
    for job_id in done.given_back:
        log.warning("job_given_back", job_id=job_id, reason="its worker fell silent")
    for wake_queue, times in done.rings.items():
        log.info("bells_were_missing", wake_queue=wake_queue, times=times)
        doorbell_sender.ring(wake_queue, times)
