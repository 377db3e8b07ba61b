"""What can be done with stored jobs. Each operation is atomic in Redis and does no I/O by itself.

Hand an operation to `store.calls.run` or `store.calls.arun`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from jobs.automatic import Choice
from jobs.dataset_versions import DatasetNotFound, DatasetRef
from jobs.errors import (
    InvalidCursor,
    JobNotFound,
    NotNow,
    StaleFence,
    StoreUnavailable,
    TooManyJobs,
    UnreadableRecord,
)
from jobs.record import Artifact, InitialWeights, Job, JobError, JobSummary, Metrics, Progress, Worker
from jobs.report import Report
from jobs.settings import Settings
from jobs.spec import Spec
from jobs.states import Reason, Status
from store import audit, decoding
from store.calls import Call, Operation, script
from store.feed import Feed
from store.history import History
from store.keys import EVERYBODY, Keys
from store.lanes import Lanes
from store.webhooks import webhook_fields

J = TypeVar("J", Job, JobSummary)

SAFE_POLICY = "noeviction"
"""What Redis does when its memory is full: refuse writes, and drop nothing."""
IDEMPOTENCY_SECONDS = 24 * 3600
STAGED_SECONDS = 3600
"""How long files wait for their job to be created: more than writing them takes."""
ROWS_PER_SCAN = 500
"""Jobs that one call of a filtered list looks at, so that no list holds up Redis."""


class Created(NamedTuple):
    """A job was accepted, now or by an earlier request with the same idempotency key."""

    job: Job
    rings: int
    """Bells to ring for it."""
    conflict: bool = False
    """The idempotency key was used with another body; nothing was created."""


class Resumed(NamedTuple):
    """A job was queued again."""

    job: Job
    wake_queue: str
    """Celery queue to ring for it."""
    rings: int
    """Bells to ring."""


class Claim(NamedTuple):
    """A worker's hold on a job."""

    job: Job
    fence: int
    ran_seconds: float = 0.0
    """How long earlier claims of the job lasted, together."""
    owner: str = ""
    """Whose job it is."""


class Page(NamedTuple, Generic[J]):
    """Part of a list."""

    jobs: tuple[J, ...]
    has_more: bool
    unreadable: tuple[str, ...] = ()
    """Jobs of this part whose record cannot be read."""


class Sweep(NamedTuple):
    """What a sweep did and left to do."""

    given_back: tuple[str, ...]
    """Jobs whose worker fell silent."""
    rings: dict[str, int]
    """Bells to ring, by Celery queue."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which jobs of a list are wanted."""

    statuses: frozenset[Status] = frozenset()
    dataset: str = ""
    """By its name, or that of a version; '' for any."""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """The operations, for one namespace."""

    keys: Keys
    lease_seconds: float = 15.0
    retention_seconds: int = 30 * 24 * 3600
    webhook_retry_seconds: float = 1.0

    @classmethod
    def of(cls, settings: Settings) -> "Store":
        """Those of these settings."""
        return cls(
            Keys(settings.namespace),
            settings.lease_seconds,
            settings.retention_seconds,
            settings.webhook_retry_seconds,
        )

    @property
    def history(self) -> History:
        """What the jobs' histories tell."""
        return History(self.keys)

    @property
    def feed(self) -> Feed:
        """What happens to all of them."""
        return Feed(self.keys)

    @property
    def _lease_ms(self) -> int:
        return round(self.lease_seconds * 1000)

    # --- for those who want something trained -----------------------------------------------------

    def create(
        self,
        job_id: str,
        spec: Spec,
        *,
        steps: int,
        train_examples: int = 0,
        owner: str = "",
        idempotency_key: str = "",
        digest: str = "",
        max_jobs: int = 0,
        max_queued: int = 0,
        dataset: DatasetRef | None = None,
        choices: Sequence[Choice] = (),
        initial_weights: InitialWeights | None = None,
    ) -> Operation[Created]:
        """Accept a job of `steps` steps, `train_examples` examples an epoch.

        With a key that was used before, answer what was answered then.

        `digest` tells requests with the same key apart: `rule:hash`, the rule being that by which the hash is made.
        `dataset` is the version of one of its owner's datasets that it needs, if it is none of the built-in ones. The
        files of `initial_weights` are there, written since `stage`.

        Raises TooManyJobs when its owner has `max_jobs` that are not final, or `max_queued` (0: any number),
        DatasetNotFound where there is no such version (any more), and StoreUnavailable where those files came too late.
        """
        lane, _ = Lanes.of(spec)
        progress = Progress(epochs=spec.epochs, steps=steps)
        fields = {
            "format": decoding.FORMAT,
            "spec": spec.model_dump_json(),
            "metadata": json.dumps(spec.metadata),
            "max_attempts": spec.max_attempts,
            "train_examples": train_examples,
            "progress": progress.model_dump_json(),
        }
        webhook, events = webhook_fields(spec, owner=owner, retry_seconds=self.webhook_retry_seconds)
        if events:
            fields["webhook"] = events
        if choices:
            fields["choices"] = json.dumps([choice.model_dump(mode="json") for choice in choices])
        if initial_weights:
            fields["initial_weights"] = initial_weights.model_dump_json()
        outcome, answer, rings = yield script(
            self.keys,
            "create",
            id=job_id,
            owner=owner,
            lane=lane,
            priority=spec.priority,
            retention_ms=self.retention_seconds * 1000,
            repeat_key=idempotency_key,
            digest=digest,
            repeat_ttl_ms=IDEMPOTENCY_SECONDS * 1000,
            max_jobs=max_jobs,
            max_queued=max_queued,
            dataset=dataset.name if dataset else "",
            version=(dataset and dataset.version) or "",
            staged="1" if initial_weights else "",
            webhook=webhook,
            rest=_flat(fields),
        )
        if outcome == "unstaged":
            raise StoreUnavailable("the job's first files took too long to be written; nothing was created")
        if outcome == "gone":
            raise DatasetNotFound(f"there is no {dataset}")
        if outcome in ("unfinished", "queued"):
            raise TooManyJobs(outcome, count=answer, limit=max_queued if outcome == "queued" else max_jobs)
        if outcome == "repeated":
            # Older versions kept neither spec nor progress with an answer.
            return _repeated({**fields, **json.loads(answer)}, digest)
        audit.note(job_id, owner=owner, before="", after=Status.QUEUED)
        told = json.loads(answer)
        newborn = decoding.newborn(
            told, spec=spec, progress=progress, choices=tuple(choices), initial_weights=initial_weights
        )
        return Created(newborn, rings)

    def stage(self, job_id: str) -> Operation[None]:
        """Say that files of a job are about to be written that is created thereafter: a writer that is killed before
        leaves none for long."""
        yield script(self.keys, "stage", id=job_id, lifetime_ms=STAGED_SECONDS * 1000)

    def unstage(self, job_id: str) -> Operation[None]:
        """Say that it is not created after all, and have its files deleted. One that was all the same keeps them."""
        yield script(self.keys, "unstage", id=job_id)

    def answered(self, idempotency_key: str, *, owner: str, digest: str) -> Operation[Created | None]:
        """What a create with this key was answered before; None if there was none, or its job is no longer known."""
        reply = yield Call(("GET", self.keys.idempotency(owner, idempotency_key)))
        if reply is None:
            return None
        answer = json.loads(reply)
        if "spec" not in answer:  # an older version's
            answer["spec"], answer["progress"] = yield Call(("HMGET", self.keys.job(answer["id"]), "spec", "progress"))
        return _repeated(answer, digest) if answer["spec"] else None

    def get(self, job_id: str, *, owner: str = EVERYBODY, known: Job | None = None) -> Operation[Job]:
        """Read a job. Raises JobNotFound and UnreadableRecord.

        `known` is the job as the caller has it, if it has: that very object comes back where nothing has changed, and
        little is read then.
        """
        version = decoding.version(known) if known else ""
        reply = yield script(self.keys, "get", id=job_id, owner=owner, known=version)
        if known and reply and len(reply) == 3:
            return decoding.known_still(known, reply, lease_seconds=self.lease_seconds)
        return self._found(job_id, reply)

    def cancel(self, job_id: str, *, owner: str = EVERYBODY) -> Operation[Job]:
        """Ask for a job's end; a final job stays as it is. Raises JobNotFound."""
        reply = yield script(self.keys, "cancel", id=job_id, owner=owner)
        return self._found(job_id, reply)

    def pause(self, job_id: str, *, owner: str = EVERYBODY) -> Operation[Job]:
        """Ask for a job to be paused. Raises JobNotFound, or NotNow where its status does not allow it."""
        reply = yield script(self.keys, "pause", id=job_id, owner=owner)
        return self._allowed(job_id, reply, "paused")

    def resume(self, job_id: str, *, owner: str = EVERYBODY, max_queued: int = 0) -> Operation[Resumed]:
        """Queue a paused job again. Raises JobNotFound, or NotNow where its status does not allow it.

        Raises TooManyJobs when its owner has `max_queued` queued jobs (0: any number).
        """
        reply = yield script(self.keys, "resume", id=job_id, owner=owner, max_queued=max_queued)
        if reply and reply[0] == "queued":
            raise TooManyJobs("queued", count=reply[1], limit=max_queued)
        job = self._allowed(job_id, reply, "resumed")
        wake_queue = Lanes.of(job.spec)[1]
        return Resumed(job, wake_queue, int(reply[2]))

    def delete(self, job_id: str, *, owner: str = EVERYBODY) -> Operation[None]:
        """Delete a final job; its files follow. Raises JobNotFound, or NotNow for a job that is not final."""
        reply = yield script(self.keys, "delete", id=job_id, owner=owner)
        if reply is None:
            raise JobNotFound(job_id)
        status, deleted = reply
        if not deleted:
            raise NotNow(f"a job that is {status} cannot be deleted; cancel it first")

    def list(
        self,
        filters: Filters,
        *,
        owner: str = EVERYBODY,
        after: str = "",
        limit: int = 20,
        newest_first: bool = True,
    ) -> Operation[Page[Job]]:
        """One page, in order of creation. Raises InvalidCursor when `after` is not a job of the owner."""
        return self._list(self._job, filters, owner, after=after, limit=limit, newest_first=newest_first)

    def summaries(
        self,
        filters: Filters,
        *,
        owner: str = EVERYBODY,
        after: str = "",
        limit: int = 20,
        newest_first: bool = True,
    ) -> Operation[Page[JobSummary]]:
        """The same page, with each job in brief."""
        return self._list(self._summary, filters, owner, after=after, limit=limit, newest_first=newest_first)

    def _list(
        self,
        read: Callable[[Any], J],
        filters: Filters,
        owner: str,
        *,
        after: str,
        limit: int,
        newest_first: bool,
    ) -> Operation[Page[J]]:
        low, high = decoding.order_bounds(filters.created_after, filters.created_before)
        statuses = sorted(filters.statuses)
        single = statuses[0] if len(statuses) == 1 else ""
        found: list[J] = []
        unreadable: list[str] = []
        while True:
            go_on, rows = yield script(
                self.keys,
                "list",
                owner=owner,
                status=single,
                newest_first=int(newest_first),
                low=low,
                high=high,
                wanted=limit + 1 - len(found),
                span=ROWS_PER_SCAN,
                cursor=after,
                dataset=filters.dataset,
                in_brief=int(read == self._summary),
                status_count=len(statuses),
                rest=[*statuses, *_flat(filters.metadata)],
            )
            if go_on == "unknown":
                raise InvalidCursor(after)
            for row in rows:
                try:
                    found.append(read(row))
                except UnreadableRecord as error:
                    unreadable.append(error.job_id)
            if not go_on or len(found) > limit:
                return Page(tuple(found[:limit]), has_more=len(found) > limit, unreadable=tuple(unreadable))
            after = ""
            low, high = (low, f"({go_on}") if newest_first else (f"({go_on}", high)

    def owned(self, owner: str, job_ids: Sequence[str]) -> Operation[frozenset[str]]:
        """Those of the jobs that are the owner's."""
        if not job_ids:
            return frozenset()
        scores = yield Call(("ZMSCORE", self.keys.index(owner), *job_ids))
        return frozenset(job_id for job_id, score in zip(job_ids, scores, strict=True) if score is not None)

    def workers(self) -> Operation[tuple[Worker, ...]]:
        """Workers that spoke lately, by name."""
        reply = yield script(self.keys, "workers")
        return tuple(sorted((decoding.stored(Worker, row) for row in reply), key=lambda worker: worker.name))

    def check_health(self) -> Operation[tuple[str, ...]]:
        """What of the store's settings endangers jobs, in words. Raises StoreUnavailable unless the store answers."""
        # Its policy stands here too, where CONFIG is not for us.
        found = yield Call(("INFO", "memory"))
        policy = found.get("maxmemory_policy", SAFE_POLICY)
        if policy == SAFE_POLICY:
            return ()
        return (
            f"the store's maxmemory-policy is {policy}, so when its memory is full it drops jobs; "
            f"set it to {SAFE_POLICY}",
        )

    def check_writes(self) -> Operation[None]:
        """Change nothing, by a command that a store which takes no writes refuses. Raises StoreUnavailable then."""
        yield Call(("LPUSHX", self.keys.nothing, ""))

    # --- for those who train ----------------------------------------------------------------------

    def claim(self, worker: str, *, token: str, lanes: Sequence[str]) -> Operation[Claim | None]:
        """Take the next job. `token` is new for every claim and repeated when the claim is sent again.

        A job that cannot be read fails, and the next one is taken.
        """
        while True:
            reply = yield script(self.keys, "claim", worker=worker, lease_ms=self._lease_ms, token=token, rest=lanes)
            if reply is None:
                return None
            record = decoding.record(reply)
            fence = int(record["fence"])
            try:
                return Claim(self._job(reply), fence, int(record.get("ran_ms", 0)) / 1000, record.get("owner", ""))
            except UnreadableRecord as unreadable:
                error = JobError(code=unreadable.code, title=unreadable.title, detail=str(unreadable))
                reason = Reason.UNREADABLE_RECORD
                yield from self.finish(unreadable.job_id, fence, Status.FAILED, reason=reason, error=error)
            token += "+"

    def beat(self, job_id: str, fence: int) -> Operation[Status]:
        """Keep a claim alive; tells the status, which may have become a wish to stop. Raises StaleFence."""
        reply = yield script(self.keys, "beat", id=job_id, fence=fence, lease_ms=self._lease_ms)
        return self._held(job_id, fence, reply)

    def report(self, job_id: str, fence: int, report: Report) -> Operation[Status]:
        """Write news, once; also a beat. Raises StaleFence."""
        reply = yield script(
            self.keys,
            "report",
            id=job_id,
            fence=fence,
            lease_ms=self._lease_ms,
            number=report.number,
            rest=report.arguments(),
        )
        return self._held(job_id, fence, reply)

    def finish(
        self,
        job_id: str,
        fence: int,
        status: Status,
        *,
        reason: Reason,
        error: JobError | None = None,
        metrics: Metrics | None = None,
        artifacts: Sequence[Artifact] = (),
    ) -> Operation[None]:
        """End a job. Of `metrics` only the test figures are taken: the rest was reported. An error is in its log, too.

        Raises StaleFence.
        """
        fields: dict[str, str] = {}
        if error:
            fields["error"] = error.model_dump_json()
        if metrics:
            fields["test"] = metrics.model_dump_json(exclude={"latest", "best"}, exclude_none=True)
        if artifacts:
            fields["artifacts"] = json.dumps([artifact.model_dump() for artifact in artifacts])
        reply = yield script(
            self.keys,
            "finish",
            id=job_id,
            fence=fence,
            status=status,
            reason=reason,
            log=error.log_line.model_dump_json() if error else "",
            rest=_flat(fields),
        )
        if reply is None:
            raise StaleFence(job_id, fence)
        audit.note_change(reply)

    def requeue(self, job_id: str, fence: int, *, reason: Reason, error: JobError | None = None) -> Operation[Status]:
        """Give a job back unfinished; tells the status it got. Raises StaleFence.

        With an error the attempt counts as lost, and the job ends with it when it may not lose another.
        """
        failure = error.model_dump_json() if error else ""
        reply = yield script(self.keys, "requeue", id=job_id, fence=fence, reason=reason, failure=failure)
        status, change = reply or (None, "")
        audit.note_change(change)
        return self._held(job_id, fence, status)

    def present(self, worker: Worker, *, lifetime_seconds: float) -> Operation[None]:
        """Say that a worker lives, for so long."""
        record, lifetime_ms = worker.model_dump_json(), round(lifetime_seconds * 1000)
        yield script(self.keys, "presence", name=worker.name, record=record, lifetime_ms=lifetime_ms)

    def absent(self, worker_name: str) -> Operation[None]:
        """Say that a worker is gone."""
        yield script(self.keys, "presence", name=worker_name, record="", lifetime_ms=0)

    def trash(self, *, limit: int = 100) -> Operation[tuple[str, ...]]:
        """Deleted jobs whose files are still to be deleted, so many of them."""
        reply = yield Call(("SRANDMEMBER", self.keys.trash, limit))
        return tuple(reply)

    def emptied(self, job_id: str) -> Operation[None]:
        """Say that a deleted job's files are gone."""
        yield Call(("SREM", self.keys.trash, job_id))

    # --- for both ---------------------------------------------------------------------------------

    def upkeep(self, *, every_seconds: float, patience: int = 3) -> Operation[Sweep]:
        """Give back lost jobs, forget deleted ones, count bells missing for `patience` sweeps.

        Harmless to call from many places: within `every_seconds` only the first call sweeps.
        """
        every_ms = round(every_seconds * 1000)
        given_back, due, changes, lost = yield script(
            self.keys, "upkeep", lease_ms=self._lease_ms, every_ms=every_ms, patience=patience
        )
        if lost:
            yield from self._clear_away(lost)
        for change in changes:
            audit.note_change(change)
        # A call that comes too soon answers nothing at all.
        rings = zip(Lanes.WAKE_QUEUES.values(), due, strict=False)
        return Sweep(tuple(given_back), {wake_queue: times for wake_queue, times in rings if times > 0})

    def _clear_away(self, job_ids: Sequence[str]) -> Operation[None]:
        """Take jobs that lost their record out of their owners' lists, whoever those are, and out of the file store."""
        cursor = 0
        while True:
            cursor, lists = yield Call(("SCAN", cursor, "MATCH", self.keys.index(EVERYBODY), "COUNT", ROWS_PER_SCAN))
            for key in lists:
                yield Call(("ZREM", key, *job_ids))
            if not cursor:
                break
        yield Call(("SADD", self.keys.trash, *job_ids))
        yield Call(("SREM", self.keys.lost, *job_ids))
        for job_id in job_ids:
            audit.note_loss(job_id)

    def _job(self, reply: Any) -> Job:
        audit.note_change(reply[3])
        return decoding.job(reply, lease_seconds=self.lease_seconds)

    def _summary(self, reply: Any) -> JobSummary:
        return decoding.summary(reply, lease_seconds=self.lease_seconds)

    def _found(self, job_id: str, reply: Any) -> Job:
        if reply is None:
            raise JobNotFound(job_id)
        return self._job(reply)

    def _allowed(self, job_id: str, reply: Any, action: str) -> Job:
        """The job of a reply (allowed, snapshot, …)."""
        if reply is None:
            raise JobNotFound(job_id)
        job = self._job(reply[1])
        if not reply[0]:
            raise NotNow(f"a job that is {job.status} cannot be {action}")
        return job

    def _held(self, job_id: str, fence: int, reply: Any) -> Status:
        if reply is None:
            raise StaleFence(job_id, fence)
        return Status(reply)


def _repeated(answer: dict[str, Any], digest: str) -> Created:
    """An earlier answer, for whoever sends the same request again, or another one with the same key.

    Raises UnreadableRecord.
    """
    try:
        spec = decoding.stored(Spec, answer["spec"])
        steps = decoding.stored(Progress, decoding.current_names(answer["progress"])).steps
    except ValueError as error:
        raise UnreadableRecord(answer["id"], decoding.brief(error)) from error
    progress = Progress(epochs=spec.epochs, steps=steps)
    job = decoding.newborn(
        answer,
        spec=spec,
        progress=progress,
        choices=decoding.choices(answer.get("choices")),
        initial_weights=decoding.initial_weights(answer.get("initial_weights")),
    )
    # Digests made by two rules cannot be compared. Then a server of another version made the first, and this counts as
    # the same request sent again: refusing it would break every retry across an upgrade.
    known = answer["digest"]
    is_other = known != digest and known.rpartition(":")[0] == digest.rpartition(":")[0]
    return Created(job, 0, conflict=is_other)


def _flat(fields: Mapping[str, str | int]) -> list[str | int]:
    return [word for pair in fields.items() for word in pair]
