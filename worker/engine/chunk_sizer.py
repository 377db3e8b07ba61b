"""How many steps to run in one call, so that a call takes about as long as a user may wait for a cancel."""

AIM_SECONDS = 0.1
"""Time a chunk should take: the bound on how late a cancel is seen, and the rhythm of progress."""

FIRST_STEPS = 4
GROWTH = 4
"""Largest factor from one chunk to the next, while little is known."""


class ChunkSizer:
    """Learns the time of a step. Its choices never change a result: a chunk may end anywhere."""

    def __init__(self) -> None:
        self._steps = FIRST_STEPS

    def steps(self) -> int:
        """Steps for the next chunk."""
        return self._steps

    def took(self, steps: int, seconds: float) -> None:
        """Learn from a chunk, from the last one only: a chunk that something held up makes just the next one short."""
        wanted = int(AIM_SECONDS * steps / seconds)
        self._steps = max(1, min(wanted, self._steps * GROWTH))
