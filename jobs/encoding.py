"""How a table's row becomes numbers: the one place for uploads, training, predictions, and whoever takes a model home.

A row is read in two steps. `RowEncoder.read` turns raw cells, as a CSV or JSON has them, into numbers and codes;
`RowEncoder.encode` turns those into what a network is fed. With `jobs.reencoding` the only module of `jobs`
that needs NumPy.
"""

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.columns import CategoricalColumn, NumericColumn, RowEncoding
from jobs.escapes import escaped
from jobs.faults import Fault, UnreadableRows
from jobs.inputs import ArrayEncoding

Raw = str | int | float | bool | None
"""A cell as a CSV (text) or JSON has it."""

MOST_CATEGORIES = 1000
"""A column with more is left out."""
LONGEST_CATEGORY = 200
"""Characters; a column with longer texts is left out."""
MOST_WIDTH = 10_000
"""Values that an encoded row may have."""
MOST_FAULTS = 1000
"""Faults that are named; the others are only counted."""
FARTHEST = 1e6
"""Deviations from the mean beyond which a number counts as this far, so that no value overflows."""
LONGEST_SHOWN = 40
"""Characters of a cell that a message shows."""
UNSEEN = "(a text that training rows do not have)"
"""What a decoded row has in the place of such a one."""

_JSON_NUMBERS = frozenset({int, float})
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class Cells(NamedTuple):
    """Rows that were read: numbers float64 [N, K], NaN where missing; codes int32 [N, C]. Columns in their order."""

    numbers: NDArray[np.float64]
    codes: NDArray[np.int32]


class RowEncoder:
    """Reads and encodes rows by one encoding."""

    def __init__(self, encoding: RowEncoding) -> None:
        self.encoding = encoding
        self._markers = frozenset(encoding.missing_markers)
        self._names = frozenset(column.name for column in encoding.columns)
        self._numeric = [column for column in encoding.columns if isinstance(column, NumericColumn)]
        self._categorical = [column for column in encoding.columns if isinstance(column, CategoricalColumn)]
        self.needed = tuple(column.name for column in encoding.columns if column.width)
        """Names of the columns that a row must have, in the file's order."""
        self._needed = frozenset(self.needed)
        self._codes = [{text: code for code, text in enumerate(c.categories)} for c in self._categorical]
        self._values = [_by_value(column) for column in self._categorical]
        numbers = (number_in(marker) for marker in encoding.missing_markers)
        self._missing_numbers = frozenset(number for number in numbers if number is not None)
        at = np.cumsum([0, *(column.width for column in encoding.columns)])
        place = {column.name: int(start) for column, start in zip(encoding.columns, at, strict=False)}
        self._means = np.array([column.mean for column in self._numeric])
        self._stds = np.array([column.std for column in self._numeric])
        self._at = np.array([place[column.name] for column in self._numeric], np.intp)
        self._indicated = np.flatnonzero([column.missing for column in self._numeric])
        self._one_hot_at = np.array([place[column.name] for column in self._categorical], np.intp)

    def read(self, rows: Sequence[Mapping[str, Raw]]) -> Cells:
        """Read raw rows.

        Raises:
            UnreadableRows: a column is unknown or absent, or a cell of a numeric column is no number. Names every such
                place, up to `MOST_FAULTS`.
        """
        numbers = np.empty((len(rows), len(self._numeric)))
        codes = np.empty((len(rows), len(self._categorical)), np.int32)
        faults = Faults()
        for n, row in enumerate(rows):
            if not self._names >= row.keys() >= self._needed:
                faults.extend(self._misfits(row, number=n + 1))
                continue
            cells = [row[column.name] for column in self._numeric]
            if self._missing_numbers or not _is_filled(numbers[n], cells):
                for k, (column, cell) in enumerate(zip(self._numeric, cells, strict=True)):
                    number = self.number(cell)
                    if number is None:
                        faults.add(Fault(row=n + 1, column=column.name, found=shown(cell), wanted="a number"))
                    else:
                        numbers[n, k] = number
            for c, column in enumerate(self._categorical):
                codes[n, c] = self._code(column, c, row[column.name])
        if faults.total:
            raise UnreadableRows(faults.named, total=faults.total)
        return Cells(numbers, codes)

    def check_columns(self, header: Sequence[str]) -> None:
        """Raise UnreadableRows where rows with these columns cannot be read."""
        if faults := list(self._misfits(dict.fromkeys(header), number=None)):
            raise UnreadableRows(faults[:MOST_FAULTS], total=len(faults))

    def number(self, cell: Raw) -> float | None:
        """The number in a cell: NaN where it is missing, None where there is something else."""
        if isinstance(cell, str):
            text = cell.strip()
            return math.nan if text in self._markers else number_in(text)
        if cell is None:
            return math.nan
        try:
            number = float(cell)
        except OverflowError:
            return None
        if isinstance(cell, bool) or not math.isfinite(number):
            return None
        return math.nan if number in self._missing_numbers else number

    def encode(self, cells: Cells) -> NDArray[np.float32]:
        """What a network is fed: float32 [N, width]."""
        count = len(cells.numbers)
        encoded = np.zeros((count, self.encoding.width), np.float32)
        missing = np.isnan(cells.numbers)
        standard = (cells.numbers - self._means) / self._stds
        np.minimum(np.maximum(standard, -FARTHEST, out=standard), FARTHEST, out=standard)
        standard[missing] = 0.0
        encoded[:, self._at] = standard
        if self._indicated.size:
            encoded[:, self._at[self._indicated] + 1] = missing[:, self._indicated]
        if self._one_hot_at.size:
            encoded[np.arange(count)[:, None], self._one_hot_at + cells.codes] = 1
        return encoded

    def decode(self, encoded: NDArray[np.float32]) -> dict[str, Raw]:
        """The row that became this [width], as a person can read it: numbers to a 100,000th of their column's
        deviation, None for what was missing, `UNSEEN` for a text that training rows did not have.
        """
        row: dict[str, Raw] = {}
        at = 0
        for column in self.encoding.columns:
            if isinstance(column, NumericColumn):
                is_missing = column.missing and encoded[at + 1] > 0
                row[column.name] = None if is_missing else _number(float(encoded[at]), column.mean, column.std)
            elif isinstance(column, CategoricalColumn):
                code = int(encoded[at : at + column.width].argmax())
                is_missing = column.missing and code == column.missing_code
                texts = (*column.categories, None if is_missing else UNSEEN)
                row[column.name] = texts[min(code, len(column.categories))]
            at += column.width
        return row

    def _code(self, column: CategoricalColumn, index: int, cell: Raw) -> int:
        text = text_of(cell)
        if text is None or text in self._markers:
            return column.missing_code  # the place for the unseen where there is none for missing
        code = self._codes[index].get(text)
        if code is None and not isinstance(cell, str):
            code = self._values[index].get((isinstance(cell, bool), cell))
        return column.unseen if code is None else code

    def _misfits(self, row: Mapping[str, Raw], *, number: int | None) -> Iterable[Fault]:
        for name in row:
            if name not in self._names:
                yield Fault(row=number, column=shown(name), found="a column that training did not have", wanted="none")
        for name in self.needed:
            if name not in row:
                yield Fault(row=number, column=name, found="nothing", wanted="this column; null where it is missing")


class ArrayEncoder:
    """Encodes arrays by one encoding; without one their bytes go in as they are."""

    def __init__(self, encoding: ArrayEncoding, shape: tuple[int, ...]) -> None:
        self._means = _along(encoding.mean, shape)
        self._stds = _along(encoding.std, shape)

    def encode(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """What a network is fed: float32 [N, …] for numbers [N, …]."""
        standard = (np.asarray(values, np.float64) - self._means) / self._stds
        return np.clip(standard, -FARTHEST, FARTHEST, out=standard).astype(np.float32)

    def raw(self, encoded: NDArray[Any]) -> NDArray[np.float64]:
        """The numbers [N, …] that became these, float64."""
        return np.asarray(encoded, np.float64) * self._stds + self._means

    def decode(self, encoded: NDArray[np.float32], *, values: int) -> list[float]:
        """The first values of the example that became this, in C order, to a 100,000th of their deviation."""
        means, stds = (np.broadcast_to(one, encoded.shape).reshape(-1)[:values] for one in (self._means, self._stds))
        some = encoded.reshape(-1)[:values].tolist()
        return [_number(*of) for of in zip(some, means.tolist(), stds.tolist(), strict=True)]


def _along(values: Sequence[float], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """One for each value of an example, or for each place of its last axis: what divides an example by broadcasting."""
    array = np.array(values, np.float64)
    return array.reshape(shape) if array.size == math.prod(shape) else array


class Faults:
    """Faults as they are found: the first ones by name, all by number."""

    def __init__(self) -> None:
        self.named: list[Fault] = []
        self.total = 0

    def add(self, fault: Fault) -> None:
        """One more."""
        self.total += 1
        if len(self.named) < MOST_FAULTS:
            self.named.append(fault)

    def extend(self, faults: Iterable[Fault]) -> None:
        """Some more."""
        for fault in faults:
            self.add(fault)


def _by_value(column: CategoricalColumn) -> dict[tuple[bool, Raw], int]:
    """The codes of categories that are numbers, or true and false, however a CSV had them written: `1.0`, `True`."""
    codes: dict[tuple[bool, Raw], int] = {}
    for code, text in enumerate(column.categories):
        number = number_in(text)
        if number is not None:
            codes.setdefault((False, number), code)
        elif text.lower() in ("true", "false"):
            codes.setdefault((True, text.lower() == "true"), code)
    return codes


def _is_filled(row: NDArray[np.float64], cells: list[Raw]) -> bool:
    """Fill a row, if all cells are numbers as JSON has them: the usual case, and six times as fast as one by one."""
    if not _JSON_NUMBERS.issuperset(map(type, cells)):
        return False
    try:
        row[:] = cells
    except OverflowError:  # a whole number beyond all floats
        return False
    return bool(np.isfinite(row).all())


def number_in(text: str) -> float | None:
    """The finite number that a text is, in ASCII digits with a decimal point; None where it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def text_of(cell: Raw) -> str | None:
    """A cell as the text that a CSV would have, without the space around it; None where it is null."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return None if cell is None else str(cell)


def rounded(value: float, std: float) -> float:
    """A value that went through float32 in deviations, without the digits that it lost there."""
    # The largest ones could become too large for a float.
    return round(value, 5 - math.floor(math.log10(std))) if abs(value) < sys.float_info.max / 10 else value


def _number(encoded: float, mean: float, std: float) -> float | int:
    largest = sys.float_info.max
    number = rounded(min(max(encoded * std + mean, -largest), largest), std)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def shown(cell: Raw) -> str:
    """A cell as a message may show it: what is no text as JSON has it."""
    text = escaped(cell if isinstance(cell, str) else json.dumps(cell))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def moments(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of those that are not NaN; 1 for the deviation where all are equal, (0, 1) for none.

    Of the scaled numbers, so that even the largest do not overflow.
    """
    there = numbers[~np.isnan(numbers)]
    if not there.size:
        return 0.0, 1.0
    scale = float(np.abs(there).max()) or 1.0
    mean, std = float((there / scale).mean()) * scale, float((there / scale).std()) * scale
    equal = bool((there == there[0]).all())
    return (float(there[0]), 1.0) if equal else (mean, std if std > 0 and math.isfinite(std) else 1.0)
