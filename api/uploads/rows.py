"""The rows of an uploaded CSV, in chunks, each row with the line that it begins on."""

import csv
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.uploads.lines import LONGEST_LINE, open_lines
from jobs.encoding import Faults, number_in, shown
from jobs.faults import Fault, InvalidUpload

Reader = Any
"""A `csv.reader`: its type has no name before Python 3.13."""

DELIMITERS = ",;\t"
MOST_COLUMNS = 10_000
LONGEST_CELL = 1 << 17
"""Characters; the csv module's own limit."""
CHUNK_CELLS = 200_000
"""Cells of a chunk, roughly."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of data one after the other. Those whose number of cells is wrong are missing."""

    rows: list[list[str]]
    numbers: list[int]
    """Of each row, from 1."""
    lines: list[int]
    """Line that each row begins on, from 1."""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV that is being read: its columns, and its rows, once."""

    columns: list[str]
    chunks: Iterator[Chunk]


@contextmanager
def open_table(path: Path, *, most_bytes: int, faults: Faults) -> Generator[Table]:
    """Read a CSV; rows with too few or too many cells go to `faults`.

    Raises:
        InvalidUpload: it is no CSV in UTF-8, or has no usable header. Raised while the rows are read, too.
    """
    csv.field_size_limit(LONGEST_CELL)
    with open_lines(path, most_bytes=most_bytes) as lines:
        first = next(lines, "")
        delimiter = _delimiter(first)
        reader = csv.reader(_again(first, lines), delimiter=delimiter, strict=True)
        columns = _header(_next_row(reader, begins_on=1))
        yield Table(columns, _chunks(reader, len(columns), faults))


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(line: str) -> str:
    """The delimiter that stands in the header most often, outside quotes; a comma where none does."""
    outside = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _header(names: list[str] | None) -> list[str]:
    """The columns' names.

    Raises:
        InvalidUpload: they name no table.
    """
    columns = [name.strip() for name in names or []]
    if len(columns) > MOST_COLUMNS:
        raise InvalidUpload(f"the header has {len(columns):,} columns; at most {MOST_COLUMNS:,} are taken")
    if len(columns) < 2:
        raise InvalidUpload("the header has one column; a table needs two, divided by commas, semicolons or tabs")
    if all(number_in(name) is not None for name in columns):
        raise InvalidUpload("the first line holds numbers; it must name the columns")
    faults = Faults()
    seen: dict[str, int] = {}
    for place, name in enumerate(columns, 1):
        if not name:
            faults.add(Fault(line=1, column=f"number {place}", found="no name", wanted="a name"))
        elif name in seen:
            faults.add(Fault(line=1, column=shown(name), found=f"it at {seen[name]} and at {place}", wanted="it once"))
        seen.setdefault(name, place)
    if faults.total:
        raise InvalidUpload("the header cannot be used", faults.named, total=faults.total)
    return columns


def _chunks(reader: Reader, width: int, faults: Faults) -> Iterator[Chunk]:
    size = max(1, CHUNK_CELLS // width)
    number = 0
    while True:
        chunk = Chunk([], [], [])
        for _ in range(size):
            begins_on = reader.line_num + 1
            row = _next_row(reader, begins_on=begins_on)
            if row is None:
                break
            if not row:  # an empty line
                continue
            number += 1
            if len(row) != width:
                wanted = f"{width:,}, as in the header"
                faults.add(Fault(row=number, line=begins_on, found=f"{len(row):,} cells", wanted=wanted))
                continue
            chunk.rows.append(row)
            chunk.numbers.append(number)
            chunk.lines.append(begins_on)
        else:
            yield chunk
            continue
        if chunk.rows:
            yield chunk
        return


def _next_row(reader: Reader, *, begins_on: int) -> list[str] | None:
    """The next row, None after the last one.

    Raises:
        InvalidUpload: it cannot be told where the row ends.
    """
    try:
        return next(reader, None)
    except csv.Error as error:
        wanted = "a quote that ends" if "end of data" in str(error) else "a cell as RFC 4180 has it"
        if "field limit" in str(error):
            wanted = f"cells of at most {LONGEST_CELL:,} characters and lines of {LONGEST_LINE:,}"
        fault = Fault(line=begins_on, found=f"a row that cannot be read ({error})", wanted=wanted)
        raise InvalidUpload("the table cannot be read to its end", [fault]) from error
