"""Rows become the same numbers wherever they are read, and what cannot be read is named."""

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn, RowEncoding
from jobs.encoding import FARTHEST, MOST_FAULTS, Raw, RowEncoder, moments, number_in, text_of
from jobs.faults import Fault, UnreadableRows

DECODER = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "rows.py"))
ENCODING = RowEncoding(
    columns=(
        NumericColumn(name="age", mean=40.0, std=10.0, missing=True),
        LeftOutColumn(name="id", reason="ignored"),
        CategoricalColumn(name="town", categories=("Bonn", "Ulm"), missing=False),
        NumericColumn(name="height", mean=0.0, std=2.0, missing=False),
        CategoricalColumn(name="colour", categories=("3", "red"), missing=True),
        LeftOutColumn(name="bought", reason="target"),
    )
)
ROW: dict[str, Raw] = {"age": 50, "town": "Ulm", "height": 1.0, "colour": "red"}


def encoded(**changes: Raw) -> list[float]:
    """A row, encoded."""
    encoder = RowEncoder(ENCODING)
    (row,) = encoder.encode(encoder.read([{**ROW, **changes}]))
    return row.tolist()


def faults_of(*rows: dict[str, Raw]) -> tuple[Fault, ...]:
    """What is wrong with rows."""
    with pytest.raises(UnreadableRows) as refused:
        RowEncoder(ENCODING).read(rows)
    return refused.value.faults


def test_a_row_is_its_columns_one_after_the_other() -> None:
    assert ENCODING.width == 2 + 3 + 1 + 4
    assert encoded() == [1, 0, 0, 1, 0, 0.5, 0, 1, 0, 0]


@pytest.mark.parametrize("age", [50, 50.0, "50", " 50 ", "5e1", "50.", "+50"])
def test_a_number_is_the_same_however_it_is_written(age: Raw) -> None:
    assert encoded(age=age) == encoded()


@pytest.mark.parametrize("missing", [None, "", "  ", "NA", "N/A", "NaN", "null", "None", "?"])
def test_a_missing_number_is_the_mean_and_says_so_where_training_had_such(missing: Raw) -> None:
    assert encoded(age=missing, height=missing) == [0, 1, 0, 1, 0, 0, 0, 1, 0, 0]


def test_a_text_that_training_did_not_have_has_a_place_of_its_own() -> None:
    assert encoded(town="Köln", colour="blue")[2:5] == [0, 0, 1]
    assert encoded(town="Köln", colour="blue")[6:] == [0, 0, 0, 1]


def test_a_missing_text_has_a_place_of_its_own_where_training_had_such() -> None:
    assert encoded(town=None, colour="?")[2:5] == [0, 0, 1]
    assert encoded(town=None, colour="?")[6:] == [0, 0, 1, 0]


@pytest.mark.parametrize("three", [3, 3.0, "3", " 3"])
def test_a_category_may_be_written_as_a_number(three: Raw) -> None:
    assert encoded(colour=three)[6:] == [1, 0, 0, 0]


WRITTEN = RowEncoding(
    columns=(
        CategoricalColumn(name="flag", categories=("False", "True"), missing=False),
        CategoricalColumn(name="code", categories=("1.0", "2.50", "x"), missing=False),
        NumericColumn(name="size", mean=1.0, std=1.0, missing=True),
    ),
    missing_markers=("NA", "-999"),
)


WRITTEN_NAMES = [column.name for column in WRITTEN.columns]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((True, 1, 3.0), [0, 1, 0, 1, 0, 0, 0, 2, 0]),
        ((False, 2.5, 1), [1, 0, 0, 0, 1, 0, 0, 0, 0]),
        (("True", "1.0", "3"), [0, 1, 0, 1, 0, 0, 0, 2, 0]),
        (("true", "1", "NA"), [0, 0, 1, 0, 0, 0, 1, 0, 1]),
        ((1, True, -999), [0, 0, 1, 0, 0, 0, 1, 0, 1]),
        ((1.0, "2.5", -999.0), [0, 0, 1, 0, 0, 0, 1, 0, 1]),
    ],
)
def test_json_means_what_a_csv_means_however_that_was_written(cells: tuple[Raw, ...], expected: list[float]) -> None:
    row: dict[str, Raw] = dict(zip(WRITTEN_NAMES, cells, strict=True))
    encoder = RowEncoder(WRITTEN)
    assert encoder.encode(encoder.read([row]))[0].tolist() == expected
    assert DECODER["encode"]({"rows": WRITTEN.model_dump()}, [row])[0].tolist() == expected


@pytest.mark.parametrize("cell", ["1_0", "１２", "inf", "1e400", "NAN", "0x1"])
def test_a_downloads_decoder_takes_no_other_numbers(cell: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        DECODER["encode"]({"rows": WRITTEN.model_dump()}, [{"flag": "True", "code": "x", "size": cell}])


def test_what_is_left_out_may_be_there_and_changes_nothing() -> None:
    assert encoded(id="x", bought=7) == encoded()


def test_every_fault_is_named_with_its_row_and_column() -> None:
    without = {name: cell for name, cell in ROW.items() if name != "town"}
    found = faults_of({**ROW, "age": "old", "height": True}, ROW, {**without, "twon": 1}, {**ROW, "age": math.inf})
    assert [(fault.row, fault.column) for fault in found] == [
        (1, "age"),
        (1, "height"),
        (3, "twon"),
        (3, "town"),
        (4, "age"),
    ]
    assert found[0].found == "old"


def test_so_many_faults_are_named_and_all_are_counted() -> None:
    with pytest.raises(UnreadableRows) as refused:
        RowEncoder(ENCODING).read([{**ROW, "age": "x"}] * 2000)
    assert str(refused.value) == "row 1, column 'age': found x; wanted a number (and 1,999 more)"
    assert (len(refused.value.faults), refused.value.total) == (MOST_FAULTS, 2000)


def test_the_encoding_of_a_download_encodes_alike() -> None:
    again = RowEncoder(RowEncoding.model_validate_json(ENCODING.model_dump_json()))
    assert again.encode(again.read([ROW])).tolist() == [encoded()]


def test_what_a_newer_version_wrote_beside_it_is_ignored() -> None:
    written = {**json.loads(ENCODING.model_dump_json()), "new": 1}
    assert RowEncoding.model_validate(written) == ENCODING


def test_no_number_becomes_infinite() -> None:
    assert encoded(age=1.7e308)[0] == FARTHEST
    assert encoded(age="-1e300")[0] == -FARTHEST


@pytest.mark.parametrize(
    "text", ["", "1_0", "0x1", "inf", "nan", "1,5", "١", "1 0", "1e999", "-", "e5", ".", "1e", "--1"]
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert number_in(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_as_it_was_written(number: float) -> None:
    assert number_in(repr(number)) == number


@pytest.mark.parametrize(("cell", "text"), [(True, "true"), (2.5, "2.5"), (1e300, "1e+300"), (-0.0, "0"), ("a ", "a")])
def test_a_cell_of_json_is_the_text_that_a_csv_would_have(cell: Raw, text: str) -> None:
    assert text_of(cell) == text


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([1.0, 3.0], (2.0, 1.0)), ([7.0, 7.0], (7.0, 1.0)), ([math.nan], (0.0, 1.0)), ([1.0, math.nan, 3.0], (2.0, 1.0))],
)
def test_moments_are_of_what_is_there(numbers: list[float], expected: tuple[float, float]) -> None:
    assert moments(np.array(numbers)) == expected


def test_moments_of_the_largest_numbers_are_finite() -> None:
    mean, std = moments(np.array([1.7e308, -1.7e308]))
    assert mean == 0
    assert math.isfinite(std)


def test_many_rows_are_encoded_as_each_by_itself() -> None:
    rows: list[dict[str, Raw]] = [{**ROW, "age": n, "town": town} for n, town in enumerate(("Bonn", "Ulm", "Köln", ""))]
    encoder = RowEncoder(ENCODING)
    together = encoder.encode(encoder.read(rows))
    assert together.dtype == np.float32
    assert together.tolist() == [encoder.encode(encoder.read([row]))[0].tolist() for row in rows]
