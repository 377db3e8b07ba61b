"""Follows a job to its end over HTTP, through short absences of the server."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gradientd.client._sync.client import Client
from gradientd.client.answers import Version
from gradientd.client.errors import ServerUnreachable
from jobs.record import Event, Job
from jobs.states import TERMINAL

LONG_POLL_SECONDS = 30
SHORTEST_TURN_SECONDS = 0.2
"""No more than five looks a second, however fast the job changes."""
PATIENCE_SECONDS = 30.0
"""How long the server may be away, as while it restarts."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """A job as it is now, and what happened since the update before."""

    job: Job
    events: tuple[Event, ...] = ()
    trouble: str | None = None
    """Why there is nothing newer, while the server is away."""

    @property
    def is_last(self) -> bool:
        """Whether the job can change no more."""
        return self.job.status in TERMINAL


def follow(
    client: Client,
    job_id: str,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Update]:
    """Yield an update at each change, the last with the job's final status and all its events.

    Raises:
        Refused: there is no such job.
        ServerUnreachable: at the first call, or for longer than `patience_seconds`.
    """
    version: Version | None = None
    last_event: str | None = None
    answered_at = clock()
    while True:
        turn_began_at = clock()
        try:
            newer = client.poll(job_id, newer_than=version, wait_seconds=LONG_POLL_SECONDS if version else 0)
            events = events_after(client, job_id, last_event)
            if is_behind(newer.job, events):
                newer = client.poll(job_id)
                # The events of an end that came in between must not be missing when the job is shown as ended.
                events += events_after(client, job_id, events[-1].id)
        except ServerUnreachable as error:
            if version is None or clock() - answered_at > patience_seconds:
                raise
            yield Update(job=version.job, trouble=str(error))
        else:
            version, answered_at = newer, clock()
            yield Update(job=version.job, events=events)
            last_event = events[-1].id if events else last_event
            if version.job.status in TERMINAL:
                return
        pause(max(0.0, SHORTEST_TURN_SECONDS - (clock() - turn_began_at)))


def is_behind(job: Job, events: tuple[Event, ...]) -> bool:
    """Whether the job, which was read before the events, does not know yet of the last change of status in them."""
    changes = [event.data for event in events if event.type == "status"]
    return bool(changes) and (changes[-1].get("status"), changes[-1].get("attempt")) != (job.status, job.attempt)


def events_after(client: Client, job_id: str, last_event: str | None) -> tuple[Event, ...]:
    """All that happened after an event."""
    return tuple(client.history(job_id, after=last_event))
