"""Which job an argument names: a whole id, the beginning of one, or `last`."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from gradientd.cli.errors import AmbiguousJob, NoSuchJob
from gradientd.client import Client
from jobs.ids import PATTERN
from jobs.record import Job

LAST = "last"
PREFIX = "job_"
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, in which ids are written."""
BEGINNING = re.compile(f"[0-7][{DIGITS}]{{0,24}}")

PAGE = 100
MOST_PAGES = 20
"""Jobs looked at for a beginning: two thousand, all made in the time that it stands for."""
MOST_NAMED = 5
CLOCKS_DIFFER = timedelta(hours=1)
"""How far the clock of an API, which makes ids, may be from the store's, which says when a job was created."""

_TIME_DIGITS, _DIGIT_BITS = 10, 5
_LATEST_MS = 250_000_000_000_000
"""Milliseconds of Unix time that a datetime can still hold, with some to spare."""


def find_job(client: Client, named: str) -> str:
    """The id of the job that `named` means. A whole id is taken as it is, so the server is only asked for the others.

    Raises:
        NoSuchJob: no job is meant.
        AmbiguousJob: several are.
    """
    if named == LAST:
        newest = client.list(limit=1).data
        if not newest:
            raise NoSuchJob("there is no job yet; `gradientd train` makes one")
        return newest[0].id
    digits = named.removeprefix(PREFIX).upper()
    if PATTERN.fullmatch(PREFIX + digits):
        return PREFIX + digits
    if not BEGINNING.fullmatch(digits):
        raise unknown(client, named)
    found, is_all = beginning_with(client, digits)
    if not found and is_all:
        raise unknown(client, named)
    if len(found) == 1 and is_all:
        return found[0].id
    raise ambiguous(named, found, is_all=is_all)


def beginning_with(client: Client, digits: str) -> tuple[list[Job], bool]:
    """Jobs whose ids begin so, newest first, and whether these are all: the search is bounded."""
    since, until = made_between(digits)
    found: list[Job] = []
    after = None
    for _ in range(MOST_PAGES):
        page = client.list(limit=PAGE, after=after, created_after=since, created_before=until)
        found += (job for job in page.data if job.id.startswith(PREFIX + digits))
        after = page.last_id
        if not page.has_more or after is None:
            return found, True
    return found, False


def made_between(digits: str) -> tuple[datetime | None, datetime | None]:
    """When jobs were made whose ids begin so: ids begin with milliseconds of Unix time. None for no bound."""
    known = digits[:_TIME_DIGITS]
    first = 0
    for digit in known:
        first = first << _DIGIT_BITS | DIGITS.index(digit)
    open_bits = _DIGIT_BITS * (_TIME_DIGITS - len(known))
    return _instant(first << open_bits, -CLOCKS_DIFFER), _instant((first + 1) << open_bits, CLOCKS_DIFFER)


def _instant(milliseconds: int, later_by: timedelta) -> datetime | None:
    if not 0 < milliseconds < _LATEST_MS:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC) + later_by


def ambiguous(named: str, found: Sequence[Job], *, is_all: bool) -> AmbiguousJob:
    """The error for what is not enough of an id, with the jobs that it may mean."""
    shown = found[:MOST_NAMED]
    told = ", ".join(f"{job.id} ({job.status}, {job.spec.model.type} on {job.spec.dataset})" for job in shown)
    others = len(found) - MOST_NAMED
    told += f" and {others} more" if others > 0 else ""
    if is_all:
        return AmbiguousJob(f"several jobs' ids begin with {named!r}: {told}; give more of the one you mean")
    among = f"; among them are {told}" if found else ""
    many = f"more than {MOST_PAGES * PAGE:,} were made in that time"
    return AmbiguousJob(f"{named!r} is too little to find one job by: {many}{among}")


def unknown(client: Client, named: str) -> NoSuchJob:
    """The error for what no job's id begins with, with those that were perhaps meant, or else the newest."""
    ids = [job.id for job in client.list(limit=PAGE).data]
    near = get_close_matches(named, ids, n=MOST_NAMED, cutoff=0.85)
    if near:
        return NoSuchJob(f"no job's id is or begins with {named!r}; did you mean {' or '.join(near)}?")
    newest = f"; the newest are {', '.join(ids[:3])}" if ids else "; there is none yet"
    return NoSuchJob(f"no job's id is or begins with {named!r}{newest}")
