"""What can be done to jobs, and a round of it over many of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradientd.cli.tables import counted
from gradientd.client import Client
from gradientd.client.errors import Refused
from jobs.record import Job
from jobs.states import TERMINAL, Status

NOT_FOUND, TOO_MANY_REQUESTS = 404, 429
PATIENCE_SECONDS, PAUSE_SECONDS = 90.0, 1.0
"""How long a key that has sent too many requests a minute is waited for, and between two tries."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that is done to jobs."""

    verb: str
    done: str
    """What jobs are then."""
    statuses: frozenset[Status]
    """Those in which a job can have it done."""
    instead: str
    """Why it cannot be done to others."""
    run: Callable[[Client, str], Job | None]
    """Do it to one. None for a job that is no more."""


CANCEL = Action(
    verb="cancel",
    done="asked to stop",
    statuses=frozenset(Status) - TERMINAL,
    instead="has ended",
    run=lambda client, job_id: client.cancel(job_id),
)
PAUSE = Action(
    verb="pause",
    done="asked to pause",
    statuses=frozenset({Status.QUEUED, Status.RUNNING, Status.PAUSING}),
    instead="neither waits nor runs",
    run=lambda client, job_id: client.pause(job_id),
)
RESUME = Action(
    verb="resume",
    done="queued again",
    statuses=frozenset({Status.PAUSED}),
    instead="is not paused",
    run=lambda client, job_id: client.resume(job_id),
)
DELETE = Action(
    verb="delete",
    done="deleted",
    statuses=TERMINAL,
    instead="has not ended: cancel it first",
    run=lambda client, job_id: client.delete(job_id),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one job."""

    job_id: str
    job: Job | None = None
    error: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The same as JSON has it."""
        if self.error is not None:
            return {"id": self.job_id, "error": self.error}
        return {"id": self.job_id, **({"status": self.job.status} if self.job else {"deleted": True})}


@dataclass
class Round:
    """One action on several jobs, and what has become of them so far."""

    client: Client
    action: Action
    ids: Sequence[str]
    pause: Callable[[float], None] = time.sleep
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    def run(self) -> Iterator[Outcome]:
        """Do it to one job after another. One that the server refuses does not keep it from the others."""
        for job_id in self.ids:
            self.outcomes.append(self._outcome(job_id))
            yield self.outcomes[-1]

    def summary(self) -> str:
        """What has been done to how many."""
        failed = sum(outcome.error is not None for outcome in self.outcomes)
        done = len(self.outcomes) - failed
        of = counted(len(self.ids), "job") if done == len(self.ids) else f"{done:,} of {counted(len(self.ids), 'job')}"
        return f"{of} {self.action.done}" + (f"; {failed:,} refused" if failed else "")

    def _outcome(self, job_id: str) -> Outcome:
        waited_seconds = 0.0
        while True:
            try:
                return Outcome(job_id, self.action.run(self.client, job_id))
            except Refused as refused:
                status = refused.problem.status
                if status == TOO_MANY_REQUESTS and waited_seconds < PATIENCE_SECONDS:
                    self.pause(PAUSE_SECONDS)
                    waited_seconds += PAUSE_SECONDS
                elif status == NOT_FOUND and self.action is DELETE:
                    return Outcome(job_id)  # somebody was faster
                else:
                    return Outcome(job_id, error=str(refused))
