"""Every Redis key there is. Python and Lua build them from the same templates."""

from dataclasses import dataclass

# Placeholders in braces become parameters; `{ns}` is the namespace.
TEMPLATES: dict[str, str] = {
    "job": "{ns}:job:{id}",  # HASH: the record
    "events": "{ns}:job:{id}:events",  # STREAM: its history
    "webhook": "{ns}:job:{id}:webhook",  # HASH: whom to tell of it, by which secret, and its deliveries by number
    "outbox": "{ns}:job:{id}:outbox",  # ZSET: numbers of its deliveries that are still to be made
    "outboxes": "{ns}:outboxes",  # ZSET: jobs with such deliveries by the time the next is due, in ms
    "changes": "{ns}:changes:{id}",  # channel: its revision, published at every change; of '*' "<job> <owner>" of all
    "feed": "{ns}:feed",  # STREAM: the last events of all jobs, each as where it is: job, owner, event
    "control": "{ns}:control:{id}",  # channel: wishes to stop a job of this worker, as "<job> <status>"
    "queue": "{ns}:queue:{lane}",  # ZSET: waiting jobs of a lane, -priority, "<order>:<id>"
    "leases": "{ns}:leases",  # ZSET: held jobs by the time their lease ends, in ms
    "index": "{ns}:index:{owner}",  # ZSET: an owner's jobs by order
    "by_status": "{ns}:index:{owner}:{status}",  # ZSET: the same, one status
    "last_order": "{ns}:order",  # STRING: the newest job's order
    "expiring": "{ns}:expiring",  # ZSET: final jobs by the time they are deleted, in ms
    "workers": "{ns}:workers",  # ZSET: live workers by the time they count as gone, in ms
    "worker": "{ns}:worker:{id}",  # STRING: one live worker, JSON
    "idempotency": "{ns}:idempotency:{owner}:{id}",  # STRING: a first answer, JSON
    "claim": "{ns}:claim:{id}",  # STRING: the job that a claim took, by the claim's token
    "api_key": "{ns}:key:{id}",  # HASH: one API key, JSON without its secret, and when it was last used, in ms
    "api_keys": "{ns}:keys",  # SET: ids of the API keys
    "rate": "{ns}:rate:{id}",  # STRING: when an API key's next request is due by its rate, in us
    "upkeep": "{ns}:upkeep",  # HASH: the last sweep, and sweeps in a row with bells missing
    "stats": "{ns}:stats",  # HASH: what was counted of all jobs since the store began, by name; how long one runs
    "lost": "{ns}:lost",  # SET: jobs without a record that may still be in their owner's lists
    "staged": "{ns}:staged",  # ZSET: ids of jobs whose files are there before they are, by when those go, in ms
    "trash": "{ns}:trash",  # SET: deleted jobs whose files are still to be deleted
    "datasets": "{ns}:datasets:{owner}",  # ZSET: names of an owner's datasets, by name
    "dataset": "{ns}:dataset:{owner}:{name}",  # HASH: the last number, the newest, and each version's record and bytes
    "dataset_jobs": "{ns}:dataset:{owner}:{name}:{n}:jobs",  # SET: jobs that need a version, some of them final by now
    "weights": "{ns}:weights:{owner}",  # HASH: records of an owner's uploaded weights, by name
    "stored_bytes": "{ns}:stored:{owner}",  # STRING: what an owner's datasets and uploaded weights take on the disk
    "reserved_bytes": "{ns}:reserved:{owner}",  # HASH: bytes set aside for uploads, by token, and until when, in ms
    "upload": "{ns}:upload:{owner}:{id}",  # STRING: what becomes of an upload, JSON
    "nothing": "{ns}:nothing",  # never there: what is added to a list only if it is shows whether writes are taken
    "wake_queue": "{ns}:celery:{wake_queue}",  # LIST: Celery's queue; see store.doorbell
}

PERMANENT = (
    "index",
    "by_status",
    "queue",
    "leases",
    "last_order",
    "expiring",
    "outboxes",
    "workers",
    "upkeep",
    "stats",
    "feed",
    "lost",
    "staged",
    "trash",
    "wake_queue",
    "api_key",
    "api_keys",
    "datasets",
    "dataset",
    "dataset_jobs",
    "weights",
    "stored_bytes",
)
"""Kinds of keys without a TTL, beside the `job`, `events`, `webhook` and `outbox` of jobs that are not final.

All but the counters shrink as jobs end and are deleted, as API keys are revoked and as datasets and weights are.
"""

BROKER_PREFIX = "{ns}:celery:"
"""Celery's own keys begin with this."""

EVERYBODY = "*"
"""The owner whose index lists all jobs."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds keys of one namespace."""

    namespace: str

    def _build(self, kind: str, **parts: str) -> str:
        return TEMPLATES[kind].format(ns=self.namespace, **parts)

    def job(self, job_id: str) -> str:
        """The record of a job."""
        return self._build("job", id=job_id)

    def events(self, job_id: str) -> str:
        """The history of a job."""
        return self._build("events", id=job_id)

    def changes(self, job_id: str) -> str:
        """The channel that tells of a job's changes."""
        return self._build("changes", id=job_id)

    @property
    def feed(self) -> str:
        """The last events of all jobs."""
        return self._build("feed")

    def control(self, worker: str) -> str:
        """The channel that tells a worker of wishes to stop its job."""
        return self._build("control", id=worker)

    def wake_queue(self, wake_queue: str) -> str:
        """Celery's list of waiting bells."""
        return self._build("wake_queue", wake_queue=wake_queue)

    def idempotency(self, owner: str, key: str) -> str:
        """The first answer to an owner's idempotency key."""
        return self._build("idempotency", owner=owner, id=key)

    def upload(self, owner: str, upload_id: str) -> str:
        """What becomes of an owner's upload."""
        return self._build("upload", owner=owner, id=upload_id)

    def dataset(self, owner: str, name: str) -> str:
        """An owner's dataset."""
        return self._build("dataset", owner=owner, name=name)

    def weights(self, owner: str) -> str:
        """An owner's uploaded weights."""
        return self._build("weights", owner=owner)

    def api_key(self, key_id: str) -> str:
        """A stored API key."""
        return self._build("api_key", id=key_id)

    def index(self, owner: str) -> str:
        """An owner's jobs."""
        return self._build("index", owner=owner)

    @property
    def lost(self) -> str:
        """Jobs that lost their record."""
        return self._build("lost")

    @property
    def staged(self) -> str:
        """Jobs whose files are there before they are."""
        return self._build("staged")

    @property
    def trash(self) -> str:
        """Deleted jobs whose files are still there."""
        return self._build("trash")

    @property
    def nothing(self) -> str:
        """A list that is never there."""
        return self._build("nothing")

    @property
    def broker_prefix(self) -> str:
        """What kombu puts before its keys."""
        return BROKER_PREFIX.format(ns=self.namespace)


def lua_builders() -> str:
    """Lua source of one function per template, named `<kind>_key`, over the local `NS`."""
    lines: list[str] = []
    for kind, template in TEMPLATES.items():
        parts = template.replace("{", "\0{").replace("}", "}\0").split("\0")
        params = [p[1:-1] for p in parts if p.startswith("{") and p != "{ns}"]
        body = " .. ".join("NS" if p == "{ns}" else p[1:-1] if p.startswith("{") else f"'{p}'" for p in parts if p)
        lines.append(f"local function {kind}_key({', '.join(params)}) return {body} end")
    return "\n".join(lines)
