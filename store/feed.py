"""What happens to all jobs, in one order: for whoever follows those of an owner.

Hand an operation to `store.calls.run` or `store.calls.arun`.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from jobs.wire import JobEvent
from store import decoding
from store.calls import Call, Operation, script
from store.keys import EVERYBODY, Keys

ENTRIES_PER_READ = 500
"""Entries that one call looks at."""


class Entry(NamedTuple):
    """An event of some job."""

    event: JobEvent
    owner: str
    """Whose job it is."""


class Part(NamedTuple):
    """A stretch of the feed."""

    cursor: str
    """Its last entry, the owner's or another's: where to go on."""
    entries: tuple[Entry, ...]
    has_more: bool
    is_broken: bool
    """Whether entries behind the one asked for are no longer kept."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The operations, for one namespace."""

    keys: Keys

    def position(self) -> Operation[str]:
        """The last entry there is."""
        reply = yield Call(("XREVRANGE", self.keys.feed, "+", "-", "COUNT", 1))
        return str(reply[0][0]) if reply else "0-0"

    def part(self, after: str, *, owner: str = EVERYBODY) -> Operation[Part]:
        """The events of an owner's jobs among the next entries behind `after`, oldest first."""
        reply: Any = yield script(self.keys, "feed", owner=owner, after=after, span=ENTRIES_PER_READ)
        cursor, looked_at, is_broken, rows = reply
        entries = tuple(Entry(_job_event(entry, job_id, row), owner) for entry, job_id, owner, row in rows)
        return Part(cursor, entries, has_more=looked_at == ENTRIES_PER_READ, is_broken=bool(is_broken))


def _job_event(entry: str, job_id: str, row: Any) -> JobEvent:
    event = decoding.event(row)
    return JobEvent(id=entry, job_id=job_id, job_event_id=event.id, type=event.type, at=event.at, data=event.data)
