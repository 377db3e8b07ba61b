"""Lists that the server gives page by page."""

from collections.abc import Callable
from typing import TypeVar

from jobs.wire import Page

T = TypeVar("T")


def whole(fetch: Callable[..., Page[T]]) -> Page[T]:
    """All pages as one; `fetch` gives the first, and with `after` the one behind that entry."""
    first = page = fetch()
    found = [*first.data]
    while page.has_more:
        page = fetch(after=page.last_id)
        found += page.data
    return first.model_copy(update={"data": tuple(found), "last_id": page.last_id, "has_more": False})
