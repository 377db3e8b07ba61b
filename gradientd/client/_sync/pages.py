# Made of gradientd/client/_async/pages.py by `make client`: change it there.
"""Lists of the API, which go on from page to page by themselves."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, PrivateAttr

from gradientd.client import display
from gradientd.client._sync.connection import Connection
from gradientd.client.responses import parse
from jobs import wire

Item = TypeVar("Item")
Query = Sequence[tuple[str, str]]


class Page(wire.Page[Item], Generic[Item]):
    """A page of a list. Going through it goes through the pages behind it too; `data` is what is on this one alone."""

    _client: Connection | None = PrivateAttr(None)
    _path: str = PrivateAttr("")
    _query: Query = PrivateAttr(())

    def next_page(self) -> Self | None:
        """The page behind this one; None behind the last.

        Raises Refused where what was to be gone on behind has been deleted.
        """
        if not self.has_more or self.last_id is None or self._client is None:
            return None
        query = [(name, value) for name, value in self._query if name != "after"]
        answer = self._client._request("GET", self._path, params=[*query, ("after", self.last_id)])  # pyright: ignore[reportPrivateUsage]
        return parse(answer, type(self))._of(self._client, self._path, query)

    def pages(self) -> Iterator[Self]:
        """This page and those behind it."""
        page: Self | None = self
        while page is not None:
            yield page
            page = page.next_page()

    def __iter__(self) -> Iterator[Item]:  # pyright: ignore[reportIncompatibleMethodOverride] (a model's is of its fields)
        for page in self.pages():
            for entry in page.data:
                yield entry

    def _of(self, client: Connection, path: str, query: Query) -> Self:
        """This page, which knows where it comes from."""
        self._client, self._path, self._query = client, path, query
        return self

    def __repr__(self) -> str:
        return f"<{display.page_line(self.data, has_more=self.has_more)}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return display.page_html(self.data, has_more=self.has_more)


P = TypeVar("P", bound=BaseModel)


def listed(client: Connection, path: str, kind: type[P], query: Query = ()) -> Page[P]:
    """The first page of a list of such entries."""
    answer = client._request("GET", path, params=query)  # pyright: ignore[reportPrivateUsage]
    page: Any = parse(answer, Page[kind])
    return page._of(client, path, query)
