"""A Parquet file becomes what a CSV with the same values becomes, and a hostile one is refused for what it is."""

import datetime
import gzip
import io
import random
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.uploads.checker import Bounds, Checker
from api.uploads.options import UploadOptions
from api.uploads.table import Limits
from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn
from jobs.encoding import text_of
from jobs.faults import InvalidUpload
from tests.api.uploads.tables import Checked, check, csv_of, iris_like, refusal

ROWS = 120
TEXTS = ("Bonn", "Köln", " Ulm ", "NA", None, "a\nb", "")
BERLIN = "Europe/Berlin"
MORNING = datetime.datetime(2024, 1, 31, 5, tzinfo=datetime.UTC)


def parquet_of(table: "pa.Table | dict[str, Any]", **options: Any) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), file, **options)
    return file.getvalue()


def same_as_csv(values: "pa.Array | pa.ChunkedArray", texts: list[str | None], folder: Path, **options: Any) -> Checked:
    """A table of this column and two others, having checked that a CSV with these texts becomes the same."""
    others = [(f"{n % 7}", "yn"[n % 3 == 0]) for n in range(len(texts))]
    quoted = ['"{}"'.format(text or "") for text in texts]
    csv = csv_of("x,other,y", [f"{text},{other},{y}" for text, (other, y) in zip(quoted, others, strict=True)])
    columns = {"x": values, "other": [int(other) for other, _ in others], "y": [y for _, y in others]}
    folders = [folder / name for name in ("csv", "parquet")]
    for each in folders:
        each.mkdir(exist_ok=True)
    expected = check(csv, folders[0], **options)
    found = check(parquet_of(columns, row_group_size=50), folders[1], **options)
    assert found.table == expected.table
    assert found.arrays.keys() == expected.arrays.keys()
    assert all(np.array_equal(found.arrays[name], expected.arrays[name]) for name in expected.arrays)
    return found


def cycle(*values: Any) -> list[Any]:
    """These values again and again."""
    return [values[n % len(values)] for n in range(ROWS)]


CELLS: dict[str, tuple[Any, list[Any], list[str | None]]] = {
    "int8": (pa.int8(), cycle(1, -5, None), cycle("1", "-5", None)),
    "int64": (pa.int64(), cycle(2**60 + 1, -(2**62), 3), cycle(str(2**60 + 1), str(-(2**62)), "3")),
    "uint64": (pa.uint64(), cycle(2**64 - 1, 0, None), cycle(str(2**64 - 1), "0", None)),
    "float64": (
        pa.float64(),
        cycle(0.1, -0.0, 1e300, 2.5e-9, 3.0, float("nan"), None, 12345678901.5),
        cycle("0.1", "0", "1e+300", "2.5e-09", "3", None, None, "12345678901.5"),
    ),
    "float32": (pa.float32(), cycle(0.1, 3.0, float("nan"), 1e30), cycle("0.1", "3", None, "1e+30")),
    "float16": (pa.float16(), cycle(0.5, 3.0, None), cycle("0.5", "3", None)),
    "decimal": (pa.decimal128(9, 2), cycle(Decimal("1.50"), Decimal("-3.25"), None), cycle("1.50", "-3.25", None)),
    "large decimal": (pa.decimal256(60, 30), cycle(Decimal("1e20"), Decimal("1e-20")), cycle("1e20", "1e-20")),
    "boolean": (pa.bool_(), cycle(True, False, None), cycle("true", "false", None)),
    "text": (pa.string(), cycle(*TEXTS), cycle(*TEXTS)),
    "large text": (pa.large_string(), cycle(*TEXTS), cycle(*TEXTS)),
    "text that is numbers": (pa.string(), cycle("1", "2.5", " 3 "), cycle("1", "2.5", "3")),
    "text of few": (pa.dictionary(pa.int8(), pa.string()), cycle(*TEXTS), cycle(*TEXTS)),
    "numbers of few": (pa.dictionary(pa.int8(), pa.int64()), cycle(7, 8, None), cycle("7", "8", None)),
    "date": (pa.date32(), cycle(MORNING.date(), None), cycle("2024-01-31", None)),
    "seconds": (pa.timestamp("s"), cycle(MORNING.replace(tzinfo=None)), cycle("2024-01-31T05:00:00")),
    "an instant": (
        pa.timestamp("us", BERLIN),
        cycle(MORNING, MORNING.replace(microsecond=120_000), None),
        cycle("2024-01-31T05:00:00Z", "2024-01-31T05:00:00.12Z", None),
    ),
    "a time": (pa.time64("us"), cycle(datetime.time(5, 30), None), cycle("05:30:00", None)),
    "nothing": (pa.null(), [None] * ROWS, [None] * ROWS),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_are_those_of_a_csv(tmp_path: Path, name: str) -> None:
    kind, values, texts = CELLS[name]
    values = [np.float16(value) for value in values] if pa.types.is_float16(kind) and None not in values else values
    same_as_csv(pa.array(values, kind), texts, tmp_path)


@pytest.mark.parametrize("name", [name for name in CELLS if name not in ("nothing", "large decimal")])
def test_cells_that_are_categories_are_those_of_a_csv(tmp_path: Path, name: str) -> None:
    kind, values, texts = CELLS[name]
    column = same_as_csv(pa.array(values, kind), texts, tmp_path, categorical=("x",)).table.encoding.columns[0]
    assert isinstance(column, CategoricalColumn)


def test_numbers_of_any_size_are_written_as_a_prediction_reads_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=900) * 10.0 ** rng.integers(-300, 300, 900)
    edges = [1e-4, 9.999999999999999e-5, 1e10, 9999999999.999998, 2.0**53, 1e15, 1e16, 5e-324, -0.0]
    cells = [*values.tolist(), *edges]
    found = same_as_csv(pa.array(cells), list(map(text_of, cells)), tmp_path, categorical=("x",))
    column = found.table.encoding.columns[0]
    assert isinstance(column, CategoricalColumn)
    assert set(column.categories) <= set(map(text_of, cells))


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
@pytest.mark.parametrize("options", [{}, {"row_group_size": 7}, {"data_page_version": "2.0", "use_dictionary": False}])
def test_the_form_of_a_file_makes_no_difference(tmp_path: Path, compression: str, options: dict[str, Any]) -> None:
    plain = iris_like(50)
    (tmp_path / "csv").mkdir()
    expected = check(plain, tmp_path / "csv")
    cells = [line.split(",") for line in plain.decode().splitlines()[1:]]
    table = {
        "a": [float(row[0]) for row in cells],
        " b ": [float(row[1]) for row in cells],
        "kind": [row[2] for row in cells],
    }
    found = check(parquet_of(table, compression=compression, **options), tmp_path)
    assert found.table == expected.table
    assert all(np.array_equal(found.arrays[name], expected.arrays[name]) for name in expected.arrays)


def test_chunks_are_of_many_rows_though_row_groups_are_small(tmp_path: Path) -> None:
    content = parquet_of({"a": list(range(150_001)), "y": [n % 2 for n in range(150_001)]}, row_group_size=40_000)
    table, _ = check(content, tmp_path)
    assert table.train_examples + table.test_examples == 150_001
    column = table.encoding.columns[0]
    assert isinstance(column, NumericColumn)


def test_what_pandas_calls_an_index_without_a_name_is_no_column(tmp_path: Path) -> None:
    table = {"a": list(range(50)), "y": [n % 2 for n in range(50)], "__index_level_0__": list(range(50))}
    found, _ = check(parquet_of(table), tmp_path)
    assert [column.name for column in found.encoding.columns] == ["a", "y"]
    assert found.classes == ("0", "1")


def test_faults_are_told_by_row(tmp_path: Path) -> None:
    numbers: list[Any] = [n / 3 for n in range(100)]
    numbers[70], numbers[90] = float("inf"), float("-inf")
    words = [str(n) if n != 20 else "twenty" for n in range(100)]
    targets = [n % 2 if n != 10 else None for n in range(100)]
    content = parquet_of({"b": numbers, "a": words, "y": targets}, row_group_size=30)
    error = refusal(content, tmp_path)
    places = [(fault.row, fault.line, fault.column, fault.found) for fault in error.faults]
    assert places == [
        (11, None, "y", "nothing"),
        (21, None, "a", "twenty"),
        (71, None, "b", "inf"),
        (91, None, "b", "-inf"),
    ]
    assert error.total == 4
    (tmp_path / "skip").mkdir()
    skipped, _ = check(content, tmp_path / "skip", on_bad="skip")
    assert skipped.report.skipped == 4


def test_infinities_are_faults_of_a_column_of_numbers_however_many(tmp_path: Path) -> None:
    numbers = [float("inf") if n % 2 else n / 7 for n in range(100)]
    assert refusal(parquet_of({"a": numbers, "y": [n % 2 for n in range(100)]}), tmp_path).total == 50


def test_a_column_of_another_type_can_be_ignored(tmp_path: Path) -> None:
    table = {"a": list(range(50)), "list": [[1, 2]] * 50, "bytes": [b"x"] * 50, "y": [n % 2 for n in range(50)]}
    error = refusal(parquet_of(table), tmp_path)
    assert [fault.column for fault in error.faults] == ["list", "bytes"]
    assert "the type list<element: int64>" in str(error)
    (tmp_path / "ignored").mkdir()
    found, _ = check(parquet_of(table), tmp_path / "ignored", ignore=("list", "bytes"))
    left_out = [column.name for column in found.encoding.columns if isinstance(column, LeftOutColumn)]
    assert left_out == ["list", "bytes", "y"]


def test_without_pyarrow_a_parquet_file_is_refused_and_a_csv_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = str(refusal(parquet_of_small(), tmp_path))
    assert "this server reads CSV alone" in said
    assert "the extra `parquet`" in said
    (tmp_path / "csv").mkdir()
    check(iris_like(), tmp_path / "csv")


def parquet_of_small(**options: Any) -> bytes:
    """A table that can be learnt from."""
    rng = np.random.default_rng(0)
    table = {"a": rng.normal(size=100), "t": [f"text {n % 5}" for n in range(100)], "y": [n % 2 for n in range(100)]}
    return parquet_of(table, **options)


def changed(content: bytes, at: int, by: bytes) -> bytes:
    """The file with other bytes at this place; a negative one counts from the end."""
    place = at % len(content)
    return content[:place] + by + content[place + len(by) :]


def no_utf_8() -> bytes:
    """A column of text whose second cell is none."""
    texts = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32).tobytes()), pa.py_buffer(b"a\xff")]
    )
    return parquet_of({"a": texts, "y": [0, 1]})


def nested(depth: int) -> pa.DataType:
    """Lists of lists, so many."""
    kind = pa.int8()
    for _ in range(depth):
        kind = pa.list_(kind)
    return kind


def flat(**columns: Any) -> Callable[[], bytes]:
    """A file of these columns, when it is asked for."""
    return lambda: parquet_of(columns)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "the magic alone": (lambda: b"PAR1", "cut short"),
    "the magic twice": (lambda: b"PAR1PAR1", "cut short"),
    "no footer": (lambda: b"PAR1" + bytes(4) + b"PAR1", "the Parquet file is damaged"),
    "cut short": (lambda: parquet_of_small()[:-20], "it does not end as one"),
    "a footer longer than the file": (
        lambda: changed(parquet_of_small(), -8, b"\xff\xff\xff\x7f"),
        "the Parquet file is damaged",
    ),
    "a footer of zeros": (lambda: changed(parquet_of_small(), -200, bytes(192)), "the Parquet file is damaged"),
    "a page of other bytes": (
        lambda: changed(parquet_of_small(compression="zstd"), 4, b"\xff" * 200),
        "the Parquet file is damaged",
    ),
    "a page that is not what was written": (
        lambda: changed(parquet_of_small(compression="none", write_page_checksum=True), 200, b"\1\2\3"),
        "the Parquet file is damaged",
    ),
    "an encrypted file": (lambda: b"PARE" + bytes(100) + b"PARE", "an encrypted Parquet file"),
    "a file within gzip": (lambda: gzip.compress(parquet_of_small()), "a Parquet file within gzip"),
    "a bomb": (
        lambda: parquet_of({"a": np.zeros(5_000_000), "y": np.zeros(5_000_000)}, compression="zstd", use_dictionary=[]),
        "longer than 67,108,864 bytes when decompressed",
    ),
    "a bomb of one long text": (
        flat(a=pa.DictionaryArray.from_arrays(np.zeros(2000, np.int32), ["x" * 100_000]), y=np.zeros(2000)),
        "longer than 67,108,864 bytes when decompressed",
    ),
    "a bomb of rows": (
        flat(a=pa.nulls(40_000_000, pa.bool_()), y=pa.nulls(40_000_000, pa.bool_())),
        "longer than 67,108,864 bytes when decompressed",
    ),
    "too many columns": (
        lambda: parquet_of({f"c{n}": [1.0] for n in range(100_000)}),
        "100,000 columns; at most 10,000",
    ),
    "no columns": (lambda: parquet_of(pa.table({})), "no rows"),
    "no rows": (flat(a=pa.array([], pa.int64()), y=pa.array([], pa.int64())), "columns and no rows"),
    "one column": (flat(a=[1, 2, 3]), "one column; it needs two"),
    "a name twice": (
        lambda: parquet_of(pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], ["a", "b", " a"])),
        "found it at 1 and at 3",
    ),
    "no name": (flat(**{"a": [1], " ": [2]}), "column 'number 2': found no name"),
    "a name with a NUL": (flat(**{"a\0b": [1], "c": [2]}), "column 'a\\\\x00b': found the character NUL"),
    "a huge name": (flat(**{"a" * (2 << 20): [1], "c": [2]}), "names have more than 1,048,576 characters"),
    "a struct": (flat(a=[{"b": 1}], c=[1], y=[2]), "column 'a': found the type struct<b: int64>"),
    "deep nesting": (
        lambda: parquet_of({"a": pa.array([None], nested(90)), "y": [2]}),
        "too deeply nested",
    ),
    "bytes": (flat(a=[b"\1\2"], c=[1], y=[2]), "column 'a': found the type binary"),
    "a duration": (flat(a=[datetime.timedelta(1)], c=[1], y=[2]), "column 'a': found the type duration"),
    "no UTF-8": (no_utf_8, "the Parquet file is damaged"),
    "a NUL": (flat(a=["x", "y\0z"], y=[1, 2]), "row 2, column 'a': found the character NUL"),
    "a large cell": (flat(a=["x", "y" * 140_000], y=[1, 2]), "row 2, column 'a': found a longer text"),
    "instants beyond the calendar": (
        flat(a=pa.array([2**62] * 30, pa.timestamp("ms", "No/Where")), y=[1] * 30),
        "'1' in every row",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_for_what_it_is(tmp_path: Path, name: str) -> None:
    made, said = HOSTILE[name]
    assert said in str(refusal(made(), tmp_path))


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_file_is_refused_or_read_to_its_end(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    whole = parquet_of_small(compression=rng.choice(["none", "snappy", "zstd"]), row_group_size=30)
    refused: list[str] = []
    for n in range(10):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 3, 20])):
            content[rng.randrange(4, len(content) - 4)] = rng.randrange(256)
        (tmp_path / str(n)).mkdir()
        try:
            check(bytes(content), tmp_path / str(n), limits=Limits(most_bytes=1 << 20, most_encoded_bytes=1 << 20))
        except InvalidUpload as error:
            refused.append(str(error))
    assert all(refused)


@pytest.mark.anyio
async def test_a_bomb_costs_the_checks_own_process_no_more_than_it_may_take(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(np.zeros(200_000, np.int32), ["x" * 100_000])
    (tmp_path / "upload").write_bytes(parquet_of({"a": texts, "y": np.zeros(200_000)}))
    (tmp_path / "into").mkdir()
    checker = Checker(Bounds(memory_bytes=1 << 29))
    with pytest.raises(InvalidUpload, match=r"takes too much memory|more than a check may take"):
        await checker.check(tmp_path / "upload", UploadOptions(), into=tmp_path / "into")


@pytest.mark.anyio
async def test_a_file_is_checked_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(parquet_of_small())
    (tmp_path / "into").mkdir()
    table = await Checker().check(tmp_path / "upload", UploadOptions(), into=tmp_path / "into")
    assert table.train_examples == 80
