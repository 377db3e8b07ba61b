"""Tells of a store that is away, or takes no writes, when that begins and when it ends, and not at each attempt."""

import structlog

from store.calls import translated

log = structlog.get_logger(__name__)


class Outage:
    """What one thread of a worker has met of the store; `about` stands in each line."""

    def __init__(self, **about: str) -> None:
        self._about = about
        self._told: str | None = None

    def met(self, error: Exception) -> None:
        """The store did not do what it was asked."""
        if (said := str(translated(error))) != self._told:
            log.warning("store_away", **self._about, error=said)
            self._told = said

    def over(self) -> None:
        """The store did what it was asked."""
        if self._told is not None:
            log.info("store_back", **self._about)
            self._told = None
