"""Deletes the files of jobs that were deleted."""

import threading

import redis
import structlog

from jobs.errors import StoreUnavailable
from store.artifacts import Artifacts
from store.calls import run
from store.jobs import Store

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0


class Cleaner:
    """Looks for deleted jobs from a thread of its own. Any worker that reaches the artifacts may do it."""

    def __init__(self, *, client: redis.Redis, store: Store, artifacts: Artifacts) -> None:
        self._client = client
        self._store = store
        self._artifacts = artifacts
        self._thread = threading.Thread(target=self._work, name="cleaner", daemon=True)

    def start(self) -> None:
        """Begin, for as long as the process lives."""
        self._thread.start()

    def clean(self) -> None:
        """Delete the files of the jobs that are deleted by now. Raises StoreUnavailable."""
        for job_id in run(self._client, self._store.trash()):
            try:
                self._artifacts.remove(job_id)
            except OSError as error:
                log.warning("files_not_deleted", job_id=job_id, error=str(error))
                continue
            run(self._client, self._store.emptied(job_id))
            log.info("files_deleted", job_id=job_id)

    def _work(self) -> None:
        while True:
            try:
                self.clean()
            except StoreUnavailable as error:
                log.debug("store_away", error=str(error))
            threading.Event().wait(LOOK_SECONDS)
