"""Tables as wide as the terminal: whole columns are left out where it is too narrow; no id and no name is ever cut."""

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from jobs.escapes import escaped

GAP = "  "
LEAST_WRAPPED = 24
"""Characters that sentences to be wrapped need beside the other columns, or they are not wrapped."""


class Table:
    """Rows under headings, without lines, as `ps` and `docker` print them."""

    def __init__(self, *columns: str, left_out: Sequence[str] = (), wrapped: str | None = None) -> None:
        """`left_out`: what a narrow terminal may do without, the least important first; the others always stay.

        `wrapped`: the last column, if it holds sentences that may go over several lines.
        """
        self._columns = tuple(map(escaped, columns))  # a dataset's are a stranger's
        self._left_out = [name for name in dict.fromkeys(map(escaped, left_out)) if name in self._columns]
        self._wrapped = wrapped
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Add a row, with a cell for each column. What is not a `Text` may be a stranger's: see `escaped`."""
        self._rows.append([cell if isinstance(cell, Text) else Text(escaped(cell)) for cell in cells])

    def lines(self, width: int | None) -> list[Text]:
        """The table's lines, of at most `width` columns if what must stay allows it; all of it for None."""
        widths = [max(map(cell_len, texts)) for texts in zip(self._columns, *self._plain(), strict=True)]
        shown = [at for at, name in enumerate(self._columns) if name not in self._left_out]
        for name in reversed(self._left_out):
            with_it = sorted([*shown, self._columns.index(name)])
            shown = with_it if width is None or self._fits(with_it, widths, width) else shown
        heading = [Text(name, "bold") for name in self._columns]
        return [line for row in (heading, *self._rows) for line in self._row(row, shown, widths, width)]

    def _row(self, cells: Sequence[Text], shown: Sequence[int], widths: Sequence[int], width: int | None) -> list[Text]:
        last = shown[-1]
        line = Text()
        for at in shown[:-1]:
            line.append_text(cells[at]).append(" " * (widths[at] - cell_len(cells[at].plain)) + GAP)
        room = 0 if width is None else width - line.cell_len
        if self._columns[last] != self._wrapped or room < LEAST_WRAPPED:
            line.append_text(cells[last])
            line.rstrip()
            return [line]
        first, *others = textwrap.wrap(cells[last].plain, room) or [""]
        indent = " " * line.cell_len
        return [line.append(first, cells[last].style), *(Text(indent + other) for other in others)]

    def _fits(self, shown: Sequence[int], widths: Sequence[int], width: int) -> bool:
        least = LEAST_WRAPPED if self._columns[shown[-1]] == self._wrapped else widths[shown[-1]]
        return sum(widths[at] + len(GAP) for at in shown[:-1]) + least <= width

    def _plain(self) -> list[list[str]]:
        return [[cell.plain for cell in row] for row in self._rows]


def print_table(console: Console, table: Table) -> None:
    """Print a table: as wide as the terminal, or in full where it is piped elsewhere."""
    for line in table.lines(console.width if console.is_terminal else None):
        console.print(line, soft_wrap=True)
