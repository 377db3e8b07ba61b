"""What an uploaded table becomes, and what is said of one that cannot become anything."""

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.uploads.table import Limits
from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn
from jobs.encoding import RowEncoder
from tests.api.uploads.tables import check, csv_of, iris_like, refusal


def test_numbers_and_classes_become_arrays(tmp_path: Path) -> None:
    table, arrays = check(iris_like(100), tmp_path)
    assert (table.task, table.classes) == ("classification", ("down", "up"))
    assert (table.train_examples, table.test_examples) == (80, 20)
    assert arrays["train_x"].shape == (80, 2)
    assert arrays["train_x"].dtype == np.float32
    assert arrays["train_y"].dtype == np.int32
    np.testing.assert_allclose(arrays["train_x"].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(arrays["train_x"].std(axis=0), 1, atol=1e-6)
    a, b = table.encoding.columns[:2]
    assert isinstance(a, NumericColumn)
    assert isinstance(b, NumericColumn)
    sums = arrays["test_x"] @ [a.std, b.std] + a.mean + b.mean
    assert (arrays["test_y"] == (sums > 0)).all()


def test_what_was_trained_on_is_what_its_raw_rows_are_encoded_as(tmp_path: Path) -> None:
    towns = ["Bonn", "Ulm", "", "Köln", "a\nb"]
    rows = [f"{towns[n % 5] if n % 5 < 4 else chr(34) + towns[4] + chr(34)};{n % 7 or 'NA'};{n}" for n in range(200)]
    table, arrays = check(csv_of("town;count;value", rows), tmp_path, task="regression")
    encoder = RowEncoder(table.encoding)
    raw = [{"town": towns[n % 5], "count": str(n % 7 or "NA")} for n in range(200)]
    known = {tuple(row) for row in encoder.encode(encoder.read(raw)).tolist()}
    for part in ("train_x", "test_x"):
        assert {tuple(row) for row in arrays[part].tolist()} <= known
    assert table.targets
    (target,) = table.targets
    values = np.concatenate([arrays["train_y"], arrays["test_y"]])[:, 0] * target.std + target.mean
    np.testing.assert_allclose(sorted(values), range(200), atol=1e-3)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("form", ["plain", "bom", "crlf", "gzip", "cr"])
def test_the_form_of_a_table_makes_no_difference(tmp_path: Path, delimiter: str, form: str) -> None:
    plain = iris_like(50)
    (tmp_path / "plain").mkdir()
    expected = check(plain, tmp_path / "plain")
    changed = plain.replace(b",", delimiter.encode())
    forms = {
        "plain": changed,
        "bom": b"\xef\xbb\xbf" + changed,
        "crlf": changed.replace(b"\n", b"\r\n"),
        "cr": changed.replace(b"\n", b"\r"),
        "gzip": gzip.compress(changed),
    }
    found = check(forms[form], tmp_path)
    assert found.table == expected.table
    assert all((found.arrays[name] == expected.arrays[name]).all() for name in expected.arrays)


def test_columns_are_what_their_cells_are(tmp_path: Path) -> None:
    header = "number,id,mostly,text,many,long,empty,same,skipped,y"
    rows = [f"{n / 3},{7 * n},{n if n % 40 else '?'},{'ab'[n % 2]},t{n},{'x' * 300},,5,s,{n % 3}" for n in range(1200)]
    table, _ = check(csv_of(header, rows), tmp_path, ignore=("skipped",))
    columns = {column.name: column for column in table.encoding.columns}
    assert isinstance(columns["number"], NumericColumn)
    assert columns["mostly"] == columns["mostly"].model_copy(update={"missing": True})
    assert isinstance(columns["text"], CategoricalColumn)
    left_out = {name: column.reason for name, column in columns.items() if isinstance(column, LeftOutColumn)}
    assert left_out == {
        "many": "too_many_categories",
        "long": "too_long_texts",
        "empty": "no_values",
        "skipped": "ignored",
        "y": "target",
    }
    assert table.report.constant_columns == ("same",)
    assert table.report.unique_columns == ("id",)


def test_statistics_are_of_training_rows_alone(tmp_path: Path) -> None:
    table, arrays = check(iris_like(200), tmp_path, test_split=0.5)
    assert len(arrays["train_x"]) == 100
    np.testing.assert_allclose(arrays["train_x"].mean(axis=0), 0, atol=1e-6)
    assert np.abs(arrays["test_x"].mean(axis=0)).max() > 1e-3
    assert table.report.class_counts is not None
    assert sum(table.report.class_counts.values()) == 200


@pytest.mark.parametrize(
    ("targets", "options", "task", "classes"),
    [
        (range(100), {}, "regression", None),
        ([n % 3 for n in range(100)], {}, "classification", ("0", "1", "2")),
        ([(n % 3) + 0.5 for n in range(100)], {}, "regression", None),
        ([n % 3 for n in range(100)], {"task": "regression"}, "regression", None),
        ([n % 25 for n in range(100)], {}, "regression", None),
        ([n % 25 for n in range(100)], {"task": "classification"}, "classification", tuple(map(str, range(25)))),
        ([f"{n % 2}.0" if n % 4 else f"{n % 2}" for n in range(100)], {}, "classification", ("0", "1")),
        ([("yes", "no")[n % 2] for n in range(100)], {}, "classification", ("no", "yes")),
    ],
)
def test_the_task_is_what_the_target_is(
    tmp_path: Path, targets: list[object], options: dict[str, Any], task: str, classes: tuple[str, ...] | None
) -> None:
    rows = [f"{n % 10},{target}" for n, target in enumerate(targets)]
    table, _ = check(csv_of("x,y", rows), tmp_path, **options)
    assert (table.task, table.classes) == (task, classes)


def test_a_named_task_decides_how_the_target_is_read(tmp_path: Path) -> None:
    rows = [f"{n},{n % 3 if n % 40 else 'x'}" for n in range(200)]
    error = refusal(csv_of("a,y", rows), tmp_path, task="regression")
    assert [(fault.row, fault.column, fault.found) for fault in error.faults] == [
        (row, "y", "x") for row in (1, 41, 81, 121, 161)
    ]
    (tmp_path / "other").mkdir()
    table, _ = check(csv_of("a,y", rows), tmp_path / "other", task="classification")
    assert table.classes == ("0", "1", "2", "x")
    assert refusal(csv_of("a,y", [f"{n},word" for n in range(30)]), tmp_path, task="regression").total == 30


def test_several_targets_are_regression(tmp_path: Path) -> None:
    rows = [f"{n},{n % 7},{n * n}" for n in range(50)]
    table, arrays = check(csv_of("p,x,q", rows), tmp_path, targets=("p", "q"))
    assert arrays["train_y"].shape == (40, 2)
    assert [target.name for target in table.targets or ()] == ["p", "q"]
    np.testing.assert_allclose(arrays["train_y"].std(axis=0), 1, atol=1e-5)


def test_duplicates_are_counted(tmp_path: Path) -> None:
    table, _ = check(iris_like(50) + iris_like(50).partition(b"\n")[2], tmp_path)
    assert table.report.duplicates == 50
    assert 0 < table.report.train_test_duplicates <= 20


def faulty(seed: int, *, rows: int, faults: int) -> tuple[bytes, list[tuple[int, str | None]], list[str]]:
    """A table, the rows and columns of its faults, and its other rows."""
    rng = random.Random(seed)
    lines = [f"{rng.random():.6f},{rng.randrange(1000)},w{rng.randrange(5)},{rng.choice('yn')}" for _ in range(rows)]
    places: list[tuple[int, str | None]] = []
    bad = sorted(rng.sample(range(rows), faults))
    for place in bad:
        cells = lines[place].split(",")
        kind = rng.randrange(4)
        if kind == 0:
            cells[0] = rng.choice(["abc", "1,5".replace(",", "."), "--", "1e999", "0x10"])
            cells[0] = "abc" if cells[0] == "1.5" else cells[0]
            places.append((place + 1, "a"))
        elif kind == 1:
            cells[1] = "twelve"
            places.append((place + 1, "b"))
        elif kind == 2:
            cells[3] = rng.choice(["", "NA", "?"])
            places.append((place + 1, "y"))
        else:
            cells = cells[:3] if rng.random() < 0.5 else [*cells, "more"]
            places.append((place + 1, None))
        lines[place] = ",".join(cells)
    return csv_of("a,b,c,y", lines), places, [line for n, line in enumerate(lines) if n not in set(bad)]


def test_every_seeded_fault_is_named_and_no_other(tmp_path: Path) -> None:
    content, places, _ = faulty(5, rows=20_000, faults=50)
    error = refusal(content, tmp_path)
    assert error.total == 50
    assert [(fault.row, fault.column) for fault in error.faults] == places
    assert [fault.line for fault in error.faults] == [row + 1 for row, _ in places]


def test_skipping_trains_on_exactly_the_rest(tmp_path: Path) -> None:
    content, places, rest = faulty(6, rows=3000, faults=40)
    (tmp_path / "rest").mkdir()
    skipped = check(content, tmp_path, on_bad="skip")
    clean = check(csv_of("a,b,c,y", rest), tmp_path / "rest")
    assert skipped.table.report.skipped == skipped.table.report.faults_total == len(places)
    assert skipped.table.encoding == clean.table.encoding
    assert all((skipped.arrays[name] == clean.arrays[name]).all() for name in clean.arrays)


def test_a_fault_after_a_quoted_newline_has_its_own_line(tmp_path: Path) -> None:
    rows = [f'{n},"two\nlines",{n % 2}' for n in range(40)]
    rows[30] = 'x,"two\nlines",1'
    (fault,) = refusal(csv_of("a,b,y", rows), tmp_path).faults
    assert (fault.row, fault.line, fault.column, fault.found) == (31, 62, "a", "x")


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the upload is empty"),
    "no rows": (b"a,b\n", "a header and no rows"),
    "one column": (b"a\n1\n2\n", "the header has one column"),
    "too many columns": (b",".join(b"c%d" % n for n in range(100_000)) + b"\n", "100,000 columns; at most 10,000"),
    "no header": (b"1,2\n3,4\n", "must name the columns"),
    "a name twice": (b"a,b,a\n1,2,3\n", "found it at 1 and at 3"),
    "no name": (b"a,,b\n1,2,3\n", "column 'number 2': found no name"),
    "ragged": (b"a,b\n1,2,3\n1,2\n", "row 1, line 2: found 3 cells; wanted 2"),
    "NUL": (b"a,b\n1,\x002\n", "line 2: found the character NUL"),
    "unclosed quote": (b'a,b\n1,"2\n3,4\n', "line 2: found a row that cannot be read"),
    "text after a quote": (b'a,b\n1,"2"3\n', "line 2: found a row that cannot be read"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "in UTF-16"),
    "UTF-16 without a mark": ("a,b\n1,2\n".encode("utf-16-le"), "in UTF-16"),
    "no UTF-8": (b"a,b\n1,2\n\xff,2\n", "line 3: found bytes that are no UTF-8"),
    "a huge cell": (b"a,b\n1," + b"x" * (2 << 20) + b"\n", "is longer than"),
    "a large cell": (b"a,b\n1," + b"x" * (200 << 10) + b"\n", "cells of at most 131,072 characters"),
    "a zip": (b"PK\x03\x04xxxx", "a zip archive"),
    "a program": (bytes(range(1, 256)), "no UTF-8"),
    "a gzip cut short": (gzip.compress(iris_like(50))[:-20], "the gzip file is damaged"),
    "a gzip damaged": (gzip.compress(iris_like(50))[:30] + b"xxxx" + gzip.compress(iris_like(50))[34:], "damaged"),
    "a gzip bomb": (
        gzip.compress(b"a,b\n" + (b"1," + b"2" * 100_000 + b"\n") * 700),
        "longer than 67,108,864 bytes when decompressed",
    ),
    "a target that is missing": (b"a,y\n" + b"1,\n" * 30, "wanted a value, as this is the target"),
    "a constant target": (b"a,y\n" + b"1,no\n" * 30, "'no' in every row"),
    "a constant number": (b"a,y\n" + b"1,0.5\n" * 30, "0.5 in every row"),
    "one row": (b"a,y\n1,2\n", "there is nothing to"),
    "nothing to learn from": (b"a,y\n" + b"".join(b",%d\n" % (n % 2) for n in range(30)), "no column is left"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_table_is_refused_for_what_it_is(tmp_path: Path, name: str) -> None:
    content, said = HOSTILE[name]
    assert said in str(refusal(content, tmp_path))


def test_options_that_name_no_column_are_refused(tmp_path: Path) -> None:
    for name in ("targets", "ignore", "numeric", "categorical"):
        options: dict[str, Any] = {name: ("z",)}
        assert "there is no column 'z'; there are: a, b, kind" in str(refusal(iris_like(), tmp_path, **options))


def test_a_table_too_wide_or_too_large_when_encoded_is_refused(tmp_path: Path) -> None:
    header = ",".join(f"c{n}" for n in range(12)) + ",y"
    rows = [",".join(f"t{n % 950}" for _ in range(12)) + f",{n % 2}" for n in range(2000)]
    assert "at most 10,000" in str(refusal(csv_of(header, rows), tmp_path))
    small = Limits(most_bytes=1 << 20, most_encoded_bytes=799)
    assert "takes 800 bytes; at most 799" in str(refusal(iris_like(100), tmp_path, limits=small))


def test_missing_values_may_be_written_otherwise(tmp_path: Path) -> None:
    rows = [f"{n if n % 9 else 'unbekannt'},{n % 2}" for n in range(90)]
    column = check(csv_of("a,y", rows), tmp_path, missing=("unbekannt",)).table.encoding.columns[0]
    assert isinstance(column, NumericColumn)
    assert column.missing


def test_the_last_column_that_is_not_left_out_is_the_target(tmp_path: Path) -> None:
    table, _ = check(csv_of("a,y,id", [f"{n},{n % 2},{n}" for n in range(50)]), tmp_path, ignore=("id",))
    assert table.classes == ("0", "1")


@pytest.mark.parametrize("options", [{"targets": ("y",), "ignore": ("y",)}, {"numeric": ("a",), "categorical": ("a",)}])
def test_a_column_is_not_two_things_at_once(options: dict[str, Any], tmp_path: Path) -> None:
    refused = refusal(csv_of("a,y", ["1,2", "3,4"]), tmp_path, **options)
    assert "is named by" in refused.detail
