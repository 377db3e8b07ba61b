"""The requests to one API process: how many, of what, answered how, and after what time.

An observation is a look into a dictionary and two additions: predictions come by the thousand a second. No locks, for
one event loop makes them all.
"""

import math
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import Any

from store.buckets import Histogram

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From a small network's prediction to a long poll."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
OTHER = "other"
"""Methods and paths that no operation has, all together: whoever sends them makes them up."""
UNANSWERED = "none"


class _Answers:
    """Those to requests of one kind."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_SECONDS) + 1)
        """By the time after which they began: one for each bound, and one for those beyond the last."""
        self.seconds = 0.0

    def add(self, others: "_Answers") -> None:
        """Count others as well."""
        self.counts = [one + other for one, other in zip(self.counts, others.counts, strict=True)]
        self.seconds += others.seconds

    def histogram(self) -> Histogram:
        """The same as one."""
        return Histogram(tuple(zip((*BOUNDS_SECONDS, math.inf), accumulate(self.counts), strict=True)), self.seconds)


class Traffic:
    """What a process was asked since it began."""

    def __init__(self) -> None:
        self.in_flight = 0
        """Requests that are being answered now."""
        self._answers: dict[tuple[str | None, str, int], _Answers] = {}

    def note(self, route: Any, *, method: str, status: int, seconds: float) -> None:
        """Count a request that the route matched, if any did. `status` 0 is no answer."""
        kind = (route and route.path_format, method, status)
        answers = self._answers.get(kind)
        if answers is None:
            path, method, status = kind
            kind = (path, method if method in METHODS else OTHER, status)
            answers = self._answers.setdefault(kind, _Answers())
        answers.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        answers.seconds += seconds

    def requests(self) -> dict[tuple[str, str, str], int]:
        """How many there were, by path of the route, method and class of status."""
        found: Counter[tuple[str, str, str]] = Counter()
        for (path, method, status), answers in self._answers.items():
            found[path or OTHER, method, f"{status // 100}xx" if status else UNANSWERED] += sum(answers.counts)
        return found

    def durations(self) -> dict[tuple[str, str], Histogram]:
        """After what time answers began, by path of the route and method."""
        found: dict[tuple[str, str], _Answers] = {}
        for (path, method, _), answers in self._answers.items():
            found.setdefault((path or OTHER, method), _Answers()).add(answers)
        return {kind: answers.histogram() for kind, answers in found.items()}
