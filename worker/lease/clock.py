"""Time as leases need it: it goes on while the machine sleeps."""

import time


def elapsed_seconds() -> float:
    """Seconds since some fixed moment, suspended time included where the system can tell (Linux)."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
