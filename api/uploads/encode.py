"""Statistics of a table's training rows, and the arrays that a network is fed."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.uploads.columns import MISSING_CODE, ColumnScan
from api.uploads.examples import new_array
from api.uploads.scan import Scan
from jobs.columns import CategoricalColumn, Column, LeftOutColumn, NumericColumn, RowEncoding
from jobs.encoding import Cells, RowEncoder, moments

BLOCK = 1 << 16
"""Rows that are encoded at once."""
PREVIEW = "preview.json"
PREVIEW_ROWS = 100
"""Rows of each part that can be looked at."""


class Parts(NamedTuple):
    """The rows of each part, in the order in which they are kept: places in the file's order."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def describe(scan: Scan, index: int, train: NDArray[np.intp]) -> Column:
    """How a feature's cells are encoded, by the training rows alone."""
    column = scan.columns[index]
    if not column.present:
        return LeftOutColumn(name=column.name, reason="no_values")
    if column.is_numeric:
        values = scan.numbers_of(index)[train]
        mean, std = moments(values)
        return NumericColumn(name=column.name, mean=mean, std=std, missing=bool(np.isnan(values).any()))
    if column.overflow:
        return LeftOutColumn(name=column.name, reason=column.overflow)
    codes: list[int] = np.unique(scan.codes_of(index)[train]).tolist()
    texts = column.categories
    categories = tuple(sorted(texts[code] for code in codes if code >= 0))
    return CategoricalColumn(name=column.name, categories=categories, missing=MISSING_CODE in codes)


def write_arrays(scan: Scan, encoding: RowEncoding, parts: Parts, targets: NDArray[np.generic], *, into: Path) -> None:
    """Write each part's x (float32 [N, width]) and y as .npy files. Raises OSError where the disk has no room."""
    for name, rows in parts._asdict().items():
        np.save(into / f"{name}_y.npy", targets[rows])
        x = new_array(into, f"{name}_x", np.float32, (len(rows), encoding.width))
        at = 0
        for index, column in enumerate(encoding.columns):
            if column.width:
                _write_column(x[:, at : at + column.width], scan, index, column, rows)
            at += column.width


def write_preview(scan: Scan, parts: Parts, names: Collection[str], *, into: Path) -> None:
    """Write the first rows of each part, as objects of raw values that a prediction would take, to `preview.json`.

    Texts of a column that has too many or too long ones are not kept, so they are not shown.
    """
    shown = [rows[:PREVIEW_ROWS] for rows in parts]
    columns = {
        column.name: [_raw_values(scan, index, column, rows) for rows in shown]
        for index, column in enumerate(scan.columns)
        if column.name in names and (column.is_numeric or not column.overflow)
    }
    preview = {
        part: [{name: values[n][row] for name, values in columns.items()} for row in range(len(shown[n]))]
        for n, part in enumerate(Parts._fields)
    }
    (into / PREVIEW).write_text(json.dumps(preview), "utf-8")


def _raw_values(scan: Scan, index: int, column: ColumnScan, rows: NDArray[np.intp]) -> list[float | int | str | None]:
    if column.is_numeric:
        numbers: list[float] = scan.numbers_of(index)[rows].tolist()
        return [None if number != number else int(number) if number.is_integer() else number for number in numbers]  # noqa: PLR0124
    texts = column.categories
    codes: list[int] = scan.codes_of(index)[rows].tolist()
    return [texts[code] if code >= 0 else None for code in codes]


def _write_column(x: NDArray[np.float32], scan: Scan, index: int, column: Column, rows: NDArray[np.intp]) -> None:
    cells = _cells(scan, index, column)
    encoder = RowEncoder(RowEncoding(columns=(column,)))
    for begin in range(0, len(rows), BLOCK):
        some = rows[begin : begin + BLOCK]
        x[begin : begin + BLOCK] = encoder.encode(Cells(cells.numbers[some], cells.codes[some]))


def _cells(scan: Scan, index: int, column: Column) -> Cells:
    """A column as the encoder reads one: float64 [N, 1] and int32 [N, 0], or the other way round."""
    if isinstance(column, NumericColumn):
        numbers = scan.numbers_of(index)
        return Cells(numbers[:, None], np.empty((len(numbers), 0), np.int32))
    assert isinstance(column, CategoricalColumn)
    codes = scan.codes_of(index)
    return Cells(np.empty((len(codes), 0)), _codes(scan.columns[index], column)[codes + 1][:, None])


def _codes(seen: ColumnScan, column: CategoricalColumn) -> NDArray[np.int32]:
    """The encoder's code for each code of the scan, that of a missing cell first."""
    place = {text: code for code, text in enumerate(column.categories)}
    texts = (place.get(text, column.unseen) for text in seen.categories)
    return np.array([column.missing_code, *texts], np.int32)
