"""One pass over a table: what each column holds, its values on scratch files, and what is wrong with which row."""

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from api.uploads.columns import MISSING_CODE, ColumnScan, Spool, Use
from api.uploads.formats import open_table
from api.uploads.rows import Chunk
from jobs.encoding import MOST_FAULTS, Faults, shown
from jobs.faults import Fault, InvalidUpload

MOST_REMEMBERED = 200_000
"""Cells that are remembered as possible faults before it is known which columns are numeric."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a table holds. Rows whose number of cells is wrong are in `ragged` alone."""

    columns: list[ColumnScan]
    numbers: Spool
    codes: Spool
    hashes: NDArray[np.int64]
    """Of each whole row, to find those that are the same."""
    row_numbers: NDArray[np.int64]
    """Of each row among the rows of data, from 1."""
    ragged: Faults

    def numbers_of(self, index: int) -> NDArray[np.float64]:
        """The numbers of a column: float64 [rows], NaN where missing, NO_NUMBER where there is something else."""
        return self.numbers.column(index).astype(np.float64, copy=False)

    def codes_of(self, index: int) -> NDArray[np.int32]:
        """The codes of a column's texts: int32 [rows]."""
        return self.codes.column(index).astype(np.int32, copy=False)

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.hashes)


@contextmanager
def scanned(
    path: Path,
    *,
    scratch: Path,
    most_bytes: int,
    uses: Mapping[str, Use],
    targets: Collection[str],
    target_use: Use,
    ignore: Collection[str],
    markers: Collection[str],
) -> Generator[Scan]:
    """Read a table once.

    `uses` says what columns are to be read as, where that is given, and `target_use` the same of the targets. An empty
    `targets` is the last column. The scratch files, in the folder `scratch`, end with the context.

    Raises:
        InvalidUpload: it is no usable table, or has not the columns that are named.
    """
    ragged = Faults()
    with (
        open_table(path, most_bytes=most_bytes, ignore=ignore, faults=ragged) as table,
        TemporaryFile(dir=scratch) as numbers_file,
        TemporaryFile(dir=scratch) as codes_file,
    ):
        check_names([*uses, *targets], table.columns)
        wanted = set(targets or table.columns[-1:])
        uses = {**dict.fromkeys(wanted, target_use), **uses}
        uses |= {name: "numeric" for name in table.numeric if uses.get(name, "auto") == "auto"}
        columns = [ColumnScan(name, uses.get(name, "auto")) for name in table.columns]
        for column in columns:
            column.codes.update(dict.fromkeys(markers, MISSING_CODE))
        numbers = Spool(numbers_file, columns=len(columns), dtype=np.float64)
        codes = Spool(codes_file, columns=len(columns), dtype=np.int32)
        reading = _Reading(columns, numbers, codes, wanted, markers)
        taken = [(reading.take(chunk), np.array(chunk.numbers, np.int64)) for chunk in table.chunks]
        hashes, row_numbers = (np.concatenate([np.empty(0, np.int64), *(each[n] for each in taken)]) for n in (0, 1))
        yield Scan(columns, numbers, codes, hashes, row_numbers, ragged)


def check_names(names: Collection[str], columns: Collection[str]) -> None:
    """Raise InvalidUpload where a name is none of the columns'."""
    for name in names:
        if name not in columns:
            there = ", ".join(list(columns)[:20]) + (", …" if len(columns) > 20 else "")
            raise InvalidUpload(f"there is no column {name!r}; there are: {there}")


class _Reading:
    """Takes chunks in."""

    def __init__(
        self, columns: list[ColumnScan], numbers: Spool, codes: Spool, targets: set[str], markers: Collection[str]
    ) -> None:
        self._columns = columns
        self._numbers = numbers
        self._codes = codes
        self._targets = targets
        self._markers = frozenset(markers)
        self._remembered = 0

    def take(self, chunk: Chunk) -> NDArray[np.int64]:
        """Write a chunk's values to the scratch files; the rows' hashes."""
        numbers: list[NDArray[np.float64]] = []
        codes: list[NDArray[np.int32]] = []
        for column, raw in zip(self._columns, zip(*chunk.rows, strict=True), strict=True):
            cells = list(map(str.strip, raw))
            column_numbers, column_codes = column.scan(cells, self._markers)
            numbers.append(column_numbers)
            codes.append(column_codes)
            self._remember(column, cells, column_numbers, chunk)
        self._numbers.append(numbers, rows=len(chunk.rows))
        self._codes.append(codes, rows=len(chunk.rows))
        return np.fromiter((hash("\x1f".join(row)) for row in chunk.rows), np.int64, len(chunk.rows))

    def _remember(self, column: ColumnScan, cells: list[str], numbers: NDArray[np.float64], chunk: Chunk) -> None:
        """Remember cells that are faults, should the column turn out to be numeric, or as it is a target."""
        if column.use != "categorical" and self._remembered < MOST_REMEMBERED:
            bad = np.flatnonzero(np.isinf(numbers))
            room = MOST_FAULTS - len(column.no_numbers)
            wanted = "a number, as in the rest of the column"
            found = _faults_at(column.name, cells, bad, chunk, wanted=wanted, most=room)
            column.no_numbers += found
            self._remembered += len(found)
        if column.name in self._targets:
            absent = np.flatnonzero(np.fromiter(map(self._markers.__contains__, cells), bool, len(cells)))
            room = MOST_FAULTS - len(column.missing)
            wanted = "a value, as this is the target"
            column.missing += _faults_at(column.name, cells, absent, chunk, wanted=wanted, most=room)


def _faults_at(
    name: str, cells: list[str], at: NDArray[np.intp], chunk: Chunk, *, wanted: str, most: int
) -> list[Fault]:
    """Faults of those cells of a chunk's column, at most so many."""
    return [
        Fault(
            row=chunk.numbers[n],
            line=chunk.lines[n] if chunk.lines else None,
            column=name,
            found=shown(cells[n]) or "nothing",
            wanted=wanted,
        )
        for n in map(int, at[: max(0, most)])
    ]
