"""What webhooks have still to be told, and what became of each delivery.

The scripts write a delivery with the change that it tells. Whoever makes it claims its job's next one, and settles it.

Hand an operation to `store.calls.run` or `store.calls.arun`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from jobs.errors import JobNotFound
from jobs.record import JobError
from jobs.settings import Settings
from jobs.spec import Spec
from jobs.webhook_messages import (
    JITTER,
    MOST_SHOWN,
    WAITS,
    Attempt,
    Delivery,
    Message,
    MessageData,
    delivery_id,
    lifetime_seconds,
)
from store import decoding
from store.calls import Operation, script
from store.keys import EVERYBODY, Keys

Outcome = Literal["delivered", "retry", "failed", "gone"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery to be made now, by nobody else until the hold ends."""

    job_id: str
    number: int
    fence: int
    url: str
    secret: str = field(repr=False)
    owner: str
    what: str = field(repr=False)
    attempts: tuple[Attempt, ...]
    tries: int
    """Attempts made since it was written, or last asked for by hand."""
    since: datetime

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return delivery_id(self.job_id, self.number)

    @property
    def host(self) -> str:
        """Whom it goes to."""
        return host_of(self.url)

    def message(self) -> Message:
        """What it tells. Raises ValueError where the store does not hold that whole."""
        try:
            return _message(self.job_id, json.loads(self.what))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the message of {self.id} cannot be read: {decoding.brief(error)}") from error


def host_of(url: str) -> str:
    """The host of a webhook, as deliveries to it are counted."""
    return (urlsplit(url).hostname or "").lower()


def webhook_fields(spec: Spec, *, owner: str, retry_seconds: float) -> tuple[str, str]:
    """A job's webhook as the script that creates the job takes it, and the events wanted; empty without one."""
    webhook = spec.webhook
    if webhook is None or webhook.secret is None:
        return "", ""
    fields = {
        "url": webhook.url,
        "host": host_of(webhook.url),
        "owner": owner,
        "secret": webhook.secret.get_secret_value(),
        "keep_ms": round(lifetime_seconds(retry_seconds) * 1000) + 3_600_000,
    }
    return json.dumps(fields), f" {' '.join(dict.fromkeys(webhook.events))} "


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The operations, for one namespace."""

    keys: Keys
    retry_seconds: float = 1.0

    @classmethod
    def of(cls, settings: Settings) -> "Webhooks":
        """Those of these settings."""
        return cls(Keys(settings.namespace), settings.webhook_retry_seconds)

    def claim(
        self,
        wanted: int,
        *,
        hold_seconds: float,
        per_host: int,
        per_owner: int,
        hosts: Mapping[str, int],
        owners: Mapping[str, int],
    ) -> Operation[tuple[Claimed, ...]]:
        """Take due deliveries, of each job the first. `hosts` and `owners` say how many the caller is making now."""
        busy = {f"host:{name}": n for name, n in hosts.items()} | {f"owner:{name}": n for name, n in owners.items()}
        furthest_seconds = max(hold_seconds, max(WAITS) * self.retry_seconds * (1 + JITTER))
        rows = yield script(
            self.keys,
            "webhook_claim",
            wanted=wanted,
            hold_ms=round(hold_seconds * 1000),
            furthest_ms=round(furthest_seconds * 1000),
            per_host=per_host,
            per_owner=per_owner,
            rest=[word for pair in busy.items() for word in pair],
        )
        return tuple(_claimed(row) for row in rows)

    def settle(
        self, claimed: Claimed, attempt: Attempt, outcome: Outcome, *, wait_seconds: float = 0.0
    ) -> Operation[bool]:
        """Say how an attempt went; tells whether the hold was still the caller's, else nothing changes."""
        log = [each.model_dump(mode="json") for each in (*claimed.attempts, attempt)[-MOST_SHOWN:]]
        reply = yield script(
            self.keys,
            "webhook_settle",
            id=claimed.job_id,
            n=claimed.number,
            fence=claimed.fence,
            outcome=outcome,
            log=json.dumps(log),
            wait_ms=round(wait_seconds * 1000),
        )
        return reply is not None

    def list(
        self, job_id: str, *, owner: str = EVERYBODY, after: int = 0, limit: int = 100
    ) -> Operation[tuple[Delivery, ...]]:
        """A job's deliveries behind the number `after`, oldest first. Raises JobNotFound."""
        rows = yield script(self.keys, "webhook_list", id=job_id, owner=owner, after=after, limit=limit)
        if rows is None:
            raise JobNotFound(job_id)
        return tuple(_delivery(job_id, row) for row in rows)

    def redeliver(self, job_id: str, number: int, *, owner: str = EVERYBODY) -> Operation[Delivery | None]:
        """Have a delivery attempted soon, settled or not; None where there is no such one. Raises JobNotFound."""
        reply = yield script(self.keys, "webhook_redeliver", id=job_id, owner=owner, n=number)
        if reply is None:
            raise JobNotFound(job_id)
        found = (yield from self.list(job_id, owner=owner, after=number - 1, limit=1)) if reply else ()
        return found[0] if found else None


def _claimed(row: Any) -> Claimed:
    job_id, number, fence, url, secret, owner, what, log, tries, since = row
    return Claimed(
        job_id=job_id,
        number=int(number),
        fence=int(fence),
        url=url,
        secret=secret,
        owner=owner,
        what=what,
        attempts=_attempts(log),
        tries=int(tries),
        since=decoding.instant(since),
    )


def _attempts(log: str) -> tuple[Attempt, ...]:
    return tuple(Attempt.model_validate(each, extra="ignore") for each in json.loads(log or "[]"))


def _message(job_id: str, what: dict[str, Any]) -> Message:
    # Older versions' names may stand in what was measured.
    told = {name: decoding.current_names(what.get(name) or "null") for name in ("epoch", "latest", "best", "error")}
    is_final = "latest" in what
    metrics = json.loads(what.get("test") or "{}") | {name: json.loads(told[name]) for name in ("latest", "best")}
    data = {
        "job_id": job_id,
        "event_id": what["event"],
        "status": what["status"],
        "status_reason": decoding.reason(what["reason"]),
        "attempt": what["attempt"],
        "epoch": json.loads(told["epoch"]),
        "metrics": metrics if is_final else None,
        "error": decoding.stored(JobError, told["error"]) if what.get("error") else None,
        "metadata": json.loads(what["metadata"] or "{}"),
    }
    return Message(
        type=what["type"],
        timestamp=decoding.instant(what["at"]),
        data=MessageData.model_validate(data, extra="ignore"),
    )


def _delivery(job_id: str, row: Any) -> Delivery:
    number, what, log, state, due = row
    told = json.loads(what)
    return Delivery.model_validate(
        {
            "id": delivery_id(job_id, int(number)),
            "type": told["type"],
            "event_id": told["event"],
            "status": state or "pending",
            "attempts": _attempts(log),
            "next_attempt_at": decoding.instant(due) if due else None,
            "created_at": decoding.instant(told["at"]),
        }
    )
