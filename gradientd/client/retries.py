"""When a request is sent again: what may pass by itself, how often, and after how long."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from gradientd.client.errors import Refused, ServerUnreachable

MAX_RETRIES = 2
BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 8.0
LONGEST_HEEDED_SECONDS = 20.0
"""A server that asks for more patience than this is not waited for: who asked hears of it at once."""
JITTER = 0.25
"""Which share of a pause is left to chance, lest all who were turned away together come back together."""
TOO_MANY = 429


@dataclass(frozen=True)
class Retries:
    """How often a request is sent again, and the pause before the first time; each pause is twice the one before.

    Every request may be: reading and deleting can be repeated, and what creates goes out with an `Idempotency-Key`,
    the same each time.
    """

    most: int = MAX_RETRIES
    backoff_seconds: float = BACKOFF_SECONDS

    def pause_seconds(
        self, attempt: int, error: ServerUnreachable | Refused, *, draw: Callable[[], float] = random.random
    ) -> float | None:
        """How long to wait after the attempt (from 0) that ended with this error; None where it is the last.

        `draw` is uniform within [0, 1).
        """
        if attempt >= self.most or not may_pass(error):
            return None
        if error.retry_after_seconds is not None:
            asked = error.retry_after_seconds
            return asked * (1 + JITTER * draw()) if asked <= LONGEST_HEEDED_SECONDS else None
        return min(self.backoff_seconds * 2**attempt, LONGEST_BACKOFF_SECONDS) * (1 - JITTER * draw())


ONCE = Retries(most=0)
"""Nothing is sent again."""


def may_pass(error: ServerUnreachable | Refused) -> bool:
    """Whether the same request may be answered a little later."""
    return isinstance(error, ServerUnreachable) or error.problem.status == TOO_MANY
