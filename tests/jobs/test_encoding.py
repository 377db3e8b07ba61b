"""Rows become the same numbers wherever they are read, and what cannot be read is named."""

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn, RowEncoding
from jobs.encoding import (
    FARTHEST,
    MOST_FAULTS,
    UNSEEN,
    ArrayEncoder,
    Raw,
    RowEncoder,
    moments,
    number_in,
    rounded,
    text_of,
)
from jobs.faults import Fault, UnreadableRows
from jobs.inputs import ArrayEncoding

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


# --- back again -----------------------------------------------------------------------------------


def again(row: dict[str, Raw], encoding: RowEncoding = ENCODING) -> dict[str, Raw]:
    """The row, encoded and decoded."""
    encoder = RowEncoder(encoding)
    return encoder.decode(encoder.encode(encoder.read([row]))[0])


def numeric(mean: float, std: float) -> RowEncoding:
    """The encoding of one column of numbers."""
    return RowEncoding(columns=(NumericColumn(name="x", mean=mean, std=std, missing=False),))


TENTHS = st.integers(-500, 900).map(lambda tenths: tenths / 10)
"""Numbers as people have them, whole ones among them, within ten deviations or so."""


@given(
    st.one_of(st.none(), TENTHS),
    st.one_of(st.sampled_from(["Bonn", "Ulm"]), st.text().filter(lambda text: text.strip() not in ("Bonn", "Ulm"))),
    TENTHS.map(lambda number: number / 5),
    st.one_of(st.sampled_from(["3", "red", None, "?", ""]), st.just("blue")),
)
@example(None, "", 0.0, None)
@example(40.0, "Ulm", 0.0, "3")
def test_a_row_comes_back_as_it_was(age: float | None, town: str, height: float, colour: str | None) -> None:
    found = again({"age": age, "town": town, "height": height, "colour": colour})
    assert list(found) == ["age", "town", "height", "colour"]
    assert (found["age"], found["height"]) == (age, pytest.approx(height, abs=1e-9))
    assert found["town"] == (town if town in ("Bonn", "Ulm") else UNSEEN)
    assert found["colour"] == {"3": "3", "red": "red", "blue": UNSEEN}.get(colour or "")


def test_what_is_left_out_does_not_come_back() -> None:
    assert again({**ROW, "id": "x", "bought": "yes"}) == ROW


def test_whole_numbers_come_back_as_such() -> None:
    found = again({**ROW, "age": "51.0", "height": 2.5})
    assert [type(found[name]) for name in ("age", "height")] == [int, float]


def test_a_missing_value_comes_back_as_one_where_training_had_such() -> None:
    found = again({"age": "NA", "town": None, "height": "NA", "colour": "NA"})
    assert found == {"age": None, "town": UNSEEN, "height": 0, "colour": None}


@given(st.floats(-1e9, 1e9), st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_a_number_comes_back_to_a_hundred_thousandth_of_the_deviation(x: float, mean: float, std: float) -> None:
    away = abs(x - mean) / std
    found = again({"x": x}, numeric(mean, std))["x"]
    assert isinstance(found, int | float)
    if away < FARTHEST:
        # Beside the rounding float32 has 24 bits of the distance, and float64 53 of number and mean.
        assert abs(found - x) <= std * (1e-5 + 2**-24 * away) + 1e-15 * (abs(x) + abs(mean))
    else:
        assert abs(found - mean) == pytest.approx(FARTHEST * std, rel=1e-6, abs=2e-15 * abs(mean))


@pytest.mark.parametrize("x", [1.7976931348623157e308, -1.7976931348623157e308, 1.7e308])
@pytest.mark.parametrize("std", [1e303, 1.3e303, 1.7e308])
def test_the_largest_numbers_come_back_finite(x: float, std: float) -> None:
    found = again({"x": x}, numeric(0.0, std))["x"]
    assert isinstance(found, int | float)
    assert math.isfinite(found)
    assert found == pytest.approx(x, rel=1e-4)


@pytest.mark.parametrize(
    ("value", "std", "expected"),
    [
        (12.3456789, 1.0, 12.34568),
        (12345.6789, 1000.0, 12345.68),
        (12345.6789, 999.0, 12345.679),
        (12345.6789, 1e7, 12300.0),
        (0.123456789, 1e-3, 0.12345679),
        (0.1 + 0.2, 1e-30, 0.1 + 0.2),
        (5e-324, 5e-324, 5e-324),
        (1.23456789e300, 1e300, 1.23457e300),
        (math.inf, 1.0, math.inf),
    ],
)
def test_digits_that_float32_lost_are_left_out(value: float, std: float, expected: float) -> None:
    assert rounded(value, std) == expected


@pytest.mark.parametrize("shape", [(4,), (2, 2), (3, 1, 4)])
def test_values_of_an_array_come_back_in_their_order(shape: tuple[int, ...]) -> None:
    size = math.prod(shape)
    raw = np.arange(size).reshape(shape) * 1.5 - 2
    for width in {size, shape[-1]}:
        encoding = ArrayEncoding(mean=tuple(range(width)), std=tuple(n + 0.5 for n in range(width)))
        encoder = ArrayEncoder(encoding, shape)
        encoded = encoder.encode(raw[None])[0]
        for most in (0, 1, 3, 1000):
            found = encoder.decode(encoded, values=most)
            assert found == pytest.approx(raw.reshape(-1)[:most].tolist(), abs=1e-9)
