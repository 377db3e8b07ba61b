"""The audit log: one line, `job_status`, for each change of a job's status, whoever made it.

The scripts say what they changed, so a repeated request that changes nothing leaves no line. What is bound around
the call stands in the line too: in the API the request's id and the key's, in a worker the fence. Only a change whose
reply was lost on a broken connection leaves no line here; the job's own `transitions` have it all the same.
"""

import structlog

log = structlog.get_logger(__name__)


def note(job_id: str, *, owner: str, before: str, after: str, reason: str = "") -> None:
    """Log that a job's status changed; `before` is empty for a new job."""
    log.info("job_status", job_id=job_id, job_owner=owner, before=before, after=after, reason=reason)


def note_loss(job_id: str) -> None:
    """Log that the store has lost a job's record, so that the job is no more."""
    log.error("job_record_lost", job_id=job_id, detail="the store lost or evicted the record; the job was dropped")


def note_change(change: str) -> None:
    """The same for a change as the scripts tell it: id, before, after, reason, owner. Empty for none."""
    if change:
        job_id, before, after, reason, owner = change.split(" ", 4)
        note(job_id, owner=owner, before=before, after=after, reason=reason)
