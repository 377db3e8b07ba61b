"""Conditional and patient reading of a job: `ETag`, `If-None-Match` (RFC 9110) and `Prefer: wait` (RFC 7240)."""

import re

from jobs.record import Job

LONGEST_WAIT_SECONDS = 60

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)


def moment(job: Job) -> str:
    """Names what a waiter waits to see changed: the revision, and the place in the queue, which moves without it."""
    place = "" if job.queue_position is None else job.queue_position
    return f"{job.revision}.{place}"


def etag(job: Job) -> str:
    """A strong validator: equal exactly when the whole answer is.

    Beside `moment` it covers what changes without a revision: the heartbeat and what follows from it, and the estimate.
    """
    beat = "" if job.last_heartbeat_at is None else round(job.last_heartbeat_at.timestamp() * 1000)
    responding = "" if job.responding is None else int(job.responding)
    start = "" if job.estimated_start_at is None else round(job.estimated_start_at.timestamp())
    return f'"{moment(job)}.{beat}.{responding}.{start}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the caller already has the answer that `tag` names."""
    if not if_none_match:
        return False
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)


def is_news(if_none_match: str | None, job: Job) -> bool:
    """Whether the job has moved on from the moment that the caller knows."""
    if not if_none_match or if_none_match.strip() == "*":
        return False
    now = moment(job)
    return not any(tag.startswith(f'"{now}.') for tag in _TAG.findall(if_none_match))


def wait_seconds(prefer: str | None) -> int:
    """How long the caller would wait for a change, bounded; 0 without a (valid) preference."""
    found = _WAIT.search(prefer) if prefer else None
    return min(int(found[1]), LONGEST_WAIT_SECONDS) if found else 0
