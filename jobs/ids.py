"""Job ids: `job_` and a ULID, so that they sort by time of creation and cannot be guessed."""

import re
import secrets
import threading
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)
_SHIFTS = tuple(range(120, -1, -10))
_RANDOM_BITS = 80

PATTERN = re.compile(r"job_[0-9A-HJKMNP-TV-Z]{26}")


class IdSource:
    """Makes ids of 48 bits of Unix time in milliseconds and 80 random bits, in Crockford's base 32.

    Ids of one source only grow, also within a millisecond and over a clock that is set back: the next one then lies
    a random distance (40 bits) behind the last, as monotonic ULIDs do. Between processes ids sort by their clocks'
    milliseconds; the list's own order is the store's, which is exact.
    """

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """A new id."""
        now = (time.time_ns() // 1_000_000) << _RANDOM_BITS
        with self._lock:
            fresh = now | secrets.randbits(_RANDOM_BITS)
            following = self._last + 1 + secrets.randbits(40)
            self._last = number = fresh if now > self._last else following
        return "job_" + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


new_job_id = IdSource()
"""The source of this process."""
