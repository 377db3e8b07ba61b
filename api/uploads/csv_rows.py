"""The rows of an uploaded CSV, each with the line that it begins on."""

import csv
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.uploads.lines import LONGEST_LINE, open_lines
from api.uploads.rows import CHUNK_CELLS, LONGEST_CELL, Chunk, Table, check_usable
from jobs.encoding import Faults, number_in
from jobs.faults import Fault, InvalidUpload

Reader = Any
"""A `csv.reader`: its type has no name before Python 3.13."""

DELIMITERS = ",;\t"


@contextmanager
def open_csv(path: Path, *, most_bytes: int, faults: Faults) -> Generator[Table]:
    """Read a CSV; rows with too few or too many cells go to `faults`.

    Raises:
        InvalidUpload: it is no CSV in UTF-8, or has no usable header. Raised while the rows are read, too.
    """
    csv.field_size_limit(LONGEST_CELL)
    with open_lines(path, most_bytes=most_bytes) as lines:
        first = next(lines, "")
        delimiter = delimiter_of(first)
        reader = csv.reader(_again(first, lines), delimiter=delimiter, strict=True)
        columns = _header(_next_row(reader, begins_on=1))
        yield Table(columns, _chunks(reader, len(columns), faults))


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def delimiter_of(line: str) -> str:
    """The delimiter that stands in the header most often, outside quotes; a comma where none does."""
    outside = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _header(names: list[str] | None) -> list[str]:
    """The columns' names.

    Raises:
        InvalidUpload: they name no table.
    """
    columns = [name.strip() for name in names or []]
    if len(columns) < 2:
        raise InvalidUpload("the header has one column; a table needs two, divided by commas, semicolons or tabs")
    if all(number_in(name) is not None for name in columns):
        raise InvalidUpload("the first line holds numbers; it must name the columns")
    check_usable(columns, line=1)
    return columns


def _chunks(reader: Reader, width: int, faults: Faults) -> Iterator[Chunk]:
    size = max(1, CHUNK_CELLS // width)
    number = 0
    while True:
        rows: list[list[str]] = []
        numbers: list[int] = []
        lines: list[int] = []
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
            rows.append(row)
            numbers.append(number)
            lines.append(begins_on)
        else:
            yield Chunk(rows, numbers, lines)
            continue
        if rows:
            yield Chunk(rows, numbers, lines)
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
