"""The rows of an uploaded table, whatever its form, in chunks of cells of text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.encoding import Faults, shown
from jobs.faults import Fault, InvalidUpload

MOST_COLUMNS = 10_000
LONGEST_CELL = 1 << 17
"""Characters; the csv module's own limit."""
CHUNK_CELLS = 200_000
"""Cells of a chunk, roughly."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of data one after the other. Those whose number of cells is wrong are missing."""

    rows: Sequence[Sequence[str]]
    numbers: Sequence[int]
    """Of each row, from 1."""
    lines: Sequence[int] | None
    """Line that each row begins on, from 1; None where the form has no lines."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is being read: its columns, and its rows, once."""

    columns: list[str]
    chunks: Iterator[Chunk]
    numeric: frozenset[str] = frozenset()
    """Columns that are declared to hold numbers that may be infinite."""


def check_usable(columns: Sequence[str], *, line: int | None = None) -> None:
    """Raise InvalidUpload where a table cannot have these columns. `line` is the one that names them."""
    if len(columns) > MOST_COLUMNS:
        raise InvalidUpload(f"the table has {len(columns):,} columns; at most {MOST_COLUMNS:,} are taken")
    faults = Faults()
    seen: dict[str, int] = {}
    for place, name in enumerate(columns, 1):
        if not name:
            faults.add(Fault(line=line, column=f"number {place}", found="no name", wanted="a name"))
        elif name in seen:
            found = f"it at {seen[name]} and at {place}"
            faults.add(Fault(line=line, column=shown(name), found=found, wanted="it once"))
        seen.setdefault(name, place)
    if faults.total:
        raise InvalidUpload("the columns' names cannot be used", faults.named, total=faults.total)
