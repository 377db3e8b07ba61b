"""Jobs as this process saw them last: one that has not changed since is neither read nor encoded anew."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

from api.http import conditional
from jobs.record import Job
from store.calls import Do
from store.jobs import Store

MOST_JOBS = 1000
"""Of which it knows. A job takes some 10 KB."""


@dataclass(frozen=True)
class Seen:
    """A job at one moment, and what is answered of it."""

    job: Job

    @cached_property
    def body(self) -> bytes:
        """Its JSON."""
        return self.job.model_dump_json().encode()

    @cached_property
    def etag(self) -> str:
        """Its validator."""
        return conditional.etag(self.job)


class JobCache:
    """The jobs that were asked for lately. Each reading asks the store: what it says is never old."""

    def __init__(self, store: Store, do: Do) -> None:
        self._store = store
        self._do = do
        self._seen: OrderedDict[str, Seen] = OrderedDict()

    async def read(self, job_id: str, *, owner: str) -> Seen:
        """The job as it is now. Raises JobNotFound, UnreadableRecord and StoreUnavailable."""
        seen = self._seen.get(job_id)
        job = await self._do(self._store.get(job_id, owner=owner, known=seen and seen.job))
        if seen is None or job is not seen.job:
            seen = self._seen[job_id] = Seen(job)
            if len(self._seen) > MOST_JOBS:
                self._seen.popitem(last=False)
        self._seen.move_to_end(job_id)
        return seen

    async def job(self, job_id: str, owner: str) -> Job:
        """The job alone. Raises as `read` does."""
        return (await self.read(job_id, owner=owner)).job
