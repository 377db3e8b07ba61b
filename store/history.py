"""What can be read of a job's history: its events, its epochs' metrics and its checkpoints, without the whole job.

Hand an operation to `store.calls.run` or `store.calls.arun`.
"""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from jobs.errors import JobNotFound
from jobs.record import Checkpoint, Event
from store import decoding
from store.calls import Call, Operation, script
from store.keys import EVERYBODY, Keys

ENTRIES_PER_READ = 500
"""Entries of a history that one call looks at, so that a long one holds up neither Redis nor its reader."""


class Kept(NamedTuple):
    """The checkpoints of a job."""

    last: Checkpoint | None
    best: Checkpoint | None
    """That of the epoch with the highest `val_accuracy`."""


@dataclass(frozen=True, slots=True)
class History:
    """The operations, for one namespace. Each raises JobNotFound where the owner sees no such job."""

    keys: Keys

    def events(
        self, job_id: str, *, owner: str = EVERYBODY, after: str = "", limit: int = 100
    ) -> Operation[tuple[Event, ...]]:
        """The events behind the event `after`, oldest first, `limit` at most."""
        reply = yield script(self.keys, "events", id=job_id, owner=owner, after=after, limit=limit)
        if reply is None:
            raise JobNotFound(job_id)
        return tuple(decoding.event(row) for row in reply)

    def last_event(self, job_id: str) -> Operation[str]:
        """The id of a job's last event; empty where it has none."""
        reply = yield Call(("XREVRANGE", self.keys.events(job_id), "+", "-", "COUNT", 1))
        return str(reply[0][0]) if reply else ""

    def metrics(
        self, job_id: str, *, owner: str = EVERYBODY, after_step: int = 0
    ) -> Operation[tuple[dict[str, Any], ...]]:
        """What each epoch that ended after a step measured, oldest first, as its `metric` event has it.

        Reads the history from its end, so that a reader who follows a job is told of the new ones at once.
        """
        newest_first: list[dict[str, Any]] = []
        before = ""
        while True:
            reply = yield script(
                self.keys,
                "metrics",
                id=job_id,
                owner=owner,
                after_step=after_step,
                before=before,
                span=ENTRIES_PER_READ,
            )
            if reply is None:
                raise JobNotFound(job_id)
            before, rows = reply
            newest_first += (json.loads(decoding.current_names(row)) for row in rows)
            if not before:
                return tuple(reversed(newest_first))

    def checkpoints(self, job_id: str, *, owner: str = EVERYBODY) -> Operation[Kept]:
        """The checkpoints that are kept."""
        reply = yield script(self.keys, "checkpoints", id=job_id, owner=owner)
        if reply is None:
            raise JobNotFound(job_id)
        return Kept(*(decoding.checkpoint(text) for text in reply))
