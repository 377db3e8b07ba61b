"""The buckets in which durations are counted, and what is counted in them. Lua is told of them from here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

BOUNDS_SECONDS = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0),
)
"""Longest duration of each bucket: of an epoch of a small table, and of a job that trains for a day."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many durations there were of which length."""

    buckets: tuple[tuple[float, int], ...]
    """Bounds in seconds, rising, each with how many were no longer; the last is infinite."""
    seconds: float
    """All of them together."""

    @classmethod
    def of(cls, counts: Mapping[float, int], *, seconds: float) -> "Histogram":
        """The one of these counts by bucket. Buckets that are not there are empty; those of other versions stay."""
        bounds = sorted({*BOUNDS_SECONDS, *counts, math.inf})
        return cls(tuple(zip(bounds, accumulate(counts.get(bound, 0) for bound in bounds), strict=True)), seconds)


def lua_function() -> str:
    """Lua source of `bucket_of(seconds)`: the bound of the bucket that a duration belongs to, as `float` reads it."""
    bounds = ", ".join(f"{bound:.15g}" for bound in BOUNDS_SECONDS)
    return (
        f"local function bucket_of(seconds)\n  for _, bound in ipairs({{{bounds}}}) do\n"
        "    if seconds <= bound then return tostring(bound) end\n  end\n  return 'inf'\nend"
    )
