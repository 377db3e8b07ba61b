"""Chooses the form of an answer by `Accept` (RFC 9110)."""

from collections.abc import Sequence

from api.http import kinds
from api.http.problems import Refused

MOST_RANGES = 50
"""Of which so many are looked at, the first."""


def choose(accept: str | None, offers: Sequence[str]) -> str:
    """The media type of `offers` that the caller likes best; the first of equals. Raises Refused (406)."""
    if not accept or accept == "*/*" or not accept.strip():
        return offers[0]
    ranges = [_parse(part) for part in accept.split(",", MOST_RANGES)[:MOST_RANGES]]
    best = max(offers, key=lambda offer: _liking(offer, ranges))
    if _liking(best, ranges) <= 0:
        raise Refused(kinds.NOT_ACCEPTABLE, f"this can be had as {' or '.join(offers)}")
    return best


def _parse(text: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip().lower() for part in text.split(";", 9))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(1.0, max(0.0, float(value)))
            except ValueError:
                quality = 0.0
    return media_range, quality


def _liking(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The quality of the most specific range that covers the offer; 0 when none does."""
    for candidate in (offer, offer.split("/", maxsplit=1)[0] + "/*", "*/*"):
        found = [quality for media_range, quality in ranges if media_range == candidate]
        if found:
            return max(found)
    return 0.0
