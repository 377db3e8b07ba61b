"""What the cells of each column of a table are: numbers, texts, missing; kept in scratch files and not in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from jobs.encoding import LONGEST_CATEGORY, MOST_CATEGORIES, number_in
from jobs.faults import Fault

NUMERIC_SHARE = 0.95
"""A column is numeric where at least this share of its present cells are numbers; the others are faults."""
NO_NUMBER = np.inf
"""Stands in the scratch file for a cell that is neither a number nor missing. No number is infinite."""
MISSING_CODE = -1
NO_CODE = -2
"""Code of a text beyond the categories that a column may have."""

_IN_NUMBERS = frozenset("0123456789+-.eE")

Use = Literal["auto", "numeric", "categorical"]


@dataclass(slots=True)
class ColumnScan:
    """What was seen of one column so far."""

    name: str
    use: Use
    present: int = 0
    """Cells that are not missing."""
    numbers: int = 0
    """Of these, numbers."""
    codes: dict[str, int] = field(default_factory=dict[str, int])
    """Number of each text, by first appearance; also of each way to write a missing one."""
    known: int = 0
    """How many of these texts are not missing."""
    overflow: Literal["too_many_categories", "too_long_texts"] | None = None
    """Why its texts can be no categories."""
    no_numbers: list[Fault] = field(default_factory=list[Fault])
    """The first cells that are neither numbers nor missing."""
    missing: list[Fault] = field(default_factory=list[Fault])
    """The first missing cells, where somebody wants to know."""

    @property
    def is_numeric(self) -> bool:
        """Whether it is to be read as numbers."""
        if self.use == "auto":
            return self.present > 0 and self.numbers >= NUMERIC_SHARE * self.present
        return self.use == "numeric"

    @property
    def categories(self) -> list[str]:
        """Its texts, by code."""
        return [text for text, code in self.codes.items() if code >= 0]

    def scan(self, cells: list[str], markers: frozenset[str]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Numbers (NaN missing, NO_NUMBER neither) and codes (MISSING_CODE, NO_CODE) of further cells, stripped."""
        missing = np.zeros(len(cells), bool)
        there = cells
        if not markers.isdisjoint(cells):
            missing = np.fromiter(map(markers.__contains__, cells), bool, len(cells))
            there = [cell for cell in cells if cell not in markers]
        self.present += len(there)
        numbers = np.full(len(cells), np.nan)
        if self.use != "categorical":
            numbers[~missing] = found = numbers_in(there)
            self.numbers += int(np.isfinite(found).sum())
        return numbers, self._codes_of(cells)

    def _codes_of(self, cells: list[str]) -> NDArray[np.int32]:
        if not self.overflow:
            for text in dict.fromkeys(cells):
                if text not in self.codes and not self._add(text):
                    break
        if self.overflow:
            return np.full(len(cells), NO_CODE, np.int32)
        return np.fromiter(map(self.codes.__getitem__, cells), np.int32, len(cells))

    def _add(self, text: str) -> bool:
        if len(text) > LONGEST_CATEGORY:
            self.overflow = "too_long_texts"
        elif self.known >= MOST_CATEGORIES:
            self.overflow = "too_many_categories"
        else:
            self.codes[text] = self.known
            self.known += 1
        return not self.overflow


def numbers_in(cells: list[str]) -> NDArray[np.float64]:
    """The numbers in stripped cells, as `number_in` reads them; NO_NUMBER where there is none."""
    if _IN_NUMBERS.issuperset("".join(cells)):
        try:
            # Of these characters alone, Python's numbers are ours. One beyond all bounds becomes infinite: NO_NUMBER.
            values = np.fromiter(map(float, cells), np.float64, len(cells))
            values[values == -np.inf] = NO_NUMBER
            return values
        except ValueError:
            pass  # a sign alone, say
    read = {cell: number_in(cell) for cell in set(cells)}
    numbers = {cell: NO_NUMBER if number is None else number for cell, number in read.items()}
    return np.fromiter(map(numbers.__getitem__, cells), np.float64, len(cells))


class Spool:
    """Values of all columns of a table, written chunk by chunk to a scratch file and read column by column."""

    def __init__(self, file: "IO[bytes]", *, columns: int, dtype: type[np.float64] | type[np.int32]) -> None:
        self._file = file
        self._columns = columns
        self._dtype = np.dtype(dtype)
        self._rows: list[int] = []

    def append(self, columns: Iterable[NDArray[np.float64] | NDArray[np.int32]], *, rows: int) -> None:
        """Add a chunk: all columns, in their order."""
        for values in columns:
            self._file.write(values.astype(self._dtype, copy=False).tobytes())
        self._rows.append(rows)

    def column(self, index: int) -> NDArray[np.float64 | np.int32]:
        """All values of a column."""
        self._file.flush()
        values = np.empty(sum(self._rows), self._dtype)
        at = begin = 0
        for rows in self._rows:
            self._file.seek(begin + index * rows * self._dtype.itemsize)
            values[at : at + rows] = np.frombuffer(self._file.read(rows * self._dtype.itemsize), self._dtype)
            at += rows
            begin += self._columns * rows * self._dtype.itemsize
        return values
