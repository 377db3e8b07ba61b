"""Job ids: `job_` and a ULID, so that they sort by time of creation and cannot be guessed."""

import re
import secrets
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

PATTERN = re.compile(r"job_[0-9A-HJKMNP-TV-Z]{26}")


def new_job_id() -> str:
    """A new id: 48 bits of Unix time in milliseconds, then 80 random bits, in Crockford's base 32."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "job_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
