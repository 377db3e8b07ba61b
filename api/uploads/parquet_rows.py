"""The rows of an uploaded Parquet file: each cell as the text that a CSV with the same values would have.

Read by pyarrow, an extra. The file is mapped, not read, and its pages are decompressed as their rows are due.
"""

import importlib
import math
import re
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.uploads.lines import LONGEST_LINE
from api.uploads.rows import CHUNK_CELLS, LONGEST_CELL, MOST_COLUMNS, Chunk, Table, check_usable
from jobs.encoding import Faults, shown, text_of
from jobs.escapes import escaped
from jobs.faults import Fault, InvalidUpload

MAGIC = b"PAR1"
LEAST_BYTES = 12
"""Of any Parquet file: the magic at both ends, and the length of the footer."""
LONGEST_COMPLAINT = 200
"""Characters of what pyarrow says that a message shows."""

_INDEX = re.compile(r"__index_level_[0-9]+__")
"""What pandas calls an index without a name: bookkeeping, and no column of the table."""

Arrow = Any
"""pyarrow has no types."""


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


@contextmanager
def open_parquet(path: Path, *, most_bytes: int, ignore: Collection[str]) -> Generator[Table]:
    """Read a Parquet file. Columns to be ignored are empty where their type is none that is read.

    Raises:
        InvalidUpload: pyarrow is not installed, or the file is damaged, has columns of other types, or is longer than
            `most_bytes` when decompressed. Raised while the rows are read, too.
    """
    arrow = _pyarrow()
    _check_ends(path)
    with (
        _complaints_told(arrow),
        arrow.memory_map(str(path)) as source,
        arrow.parquet.ParquetFile(source, pre_buffer=False, page_checksum_verification=True) as file,
    ):
        reader = _Reader(arrow, file, most_bytes=most_bytes, ignore=ignore)
        yield Table(reader.columns, reader.chunks(), reader.numeric)


def _pyarrow() -> Arrow:
    """The library, with one thread and a pool that keeps no memory.

    Raises:
        InvalidUpload: it is not installed.
    """
    try:
        arrow = importlib.import_module("pyarrow")
        for part in ("compute", "parquet"):
            importlib.import_module(f"pyarrow.{part}")
    except ModuleNotFoundError as error:
        detail = "this server reads CSV alone, and the upload is a Parquet file"
        raise InvalidUpload(f"{detail}; with the extra `parquet` installed (pyarrow) it would read that") from error
    arrow.set_memory_pool(arrow.system_memory_pool())
    arrow.set_cpu_count(1)
    arrow.set_io_thread_count(1)
    return arrow


def _check_ends(path: Path) -> None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - len(MAGIC)))
        if size < LEAST_BYTES or file.read() != MAGIC:
            raise InvalidUpload("the Parquet file is damaged: it does not end as one; was it cut short?")


@contextmanager
def _complaints_told(arrow: Arrow) -> Generator[None]:
    """Turn what pyarrow raises for a damaged file into InvalidUpload."""
    try:
        yield
    except arrow.lib.ArrowMemoryError as error:
        # Of every column a page and a dictionary are open at a time.
        detail = "reading the Parquet file takes too much memory"
        raise InvalidUpload(f"{detail}; write it with smaller pages and dictionaries, or as CSV") from error
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not the file's
            raise
        said = escaped(str(error))[:LONGEST_COMPLAINT]
        raise InvalidUpload(f"the Parquet file is damaged, or of a kind that is not read: {said}") from error


class _Reader:
    """Turns batches of a file into chunks of text."""

    def __init__(self, arrow: Arrow, file: Arrow, *, most_bytes: int, ignore: Collection[str]) -> None:
        """Look at the footer.

        Raises:
            InvalidUpload: what it declares is no table that is read.
        """
        self._arrow = arrow
        self._file = file
        self._most_bytes = self._left = most_bytes
        self._check_size()
        fields = [field for field in file.schema_arrow if not _INDEX.fullmatch(field.name)]
        self.columns = [field.name.strip() for field in fields]
        self._check_names()
        self._names: list[str] = [field.name for field in fields]
        types = dict(zip(self.columns, (field.type for field in fields), strict=True))
        refused = [name for name, kind in types.items() if not self._reads(kind)]
        self._refuse({name: types[name] for name in refused if name not in ignore})
        self._blank = frozenset(refused)
        self.numeric = frozenset(name for name, kind in types.items() if arrow.types.is_floating(kind))

    def chunks(self) -> Iterator[Chunk]:
        """The rows, once."""
        size = max(1, CHUNK_CELLS // len(self.columns))
        read = [raw for raw, name in zip(self._names, self.columns, strict=True) if name not in self._blank]
        every = len(read) == len(self._file.schema_arrow)
        rows: list[tuple[str, ...]] = []
        before = 0
        for batch in self._file.iter_batches(size, columns=None if every else read, use_threads=False):
            rows += self._rows_of(batch, before=before + len(rows))
            if len(rows) >= size:  # a batch ends with its row group, and that may be small
                yield _chunk(rows, before)
                before += len(rows)
                rows = []
        if rows:
            yield _chunk(rows, before)

    def _rows_of(self, batch: Arrow, *, before: int) -> Iterator[tuple[str, ...]]:
        """The rows of a batch that so many others come before."""
        batch.validate(full=True)  # that texts are UTF-8, too
        cells: list[list[str]] = []
        for raw, name in zip(self._names, self.columns, strict=True):
            if name in self._blank:
                cells.append([""] * batch.num_rows)
                continue
            column = self._decoded(batch.column(batch.schema.get_field_index(raw)))
            self._take(max(column.nbytes, len(column)))
            self._check_texts(column, name, before=before)
            cells.append(self._texts_of(column))
        return zip(*cells, strict=True)

    def _take(self, count: int) -> None:
        """Raise InvalidUpload where these bytes are more than the rest of what may be taken."""
        self._left -= count
        if self._left < 0:
            raise InvalidUpload(f"the upload is longer than {self._most_bytes:,} bytes when decompressed")

    def _check_size(self) -> None:
        """Raise InvalidUpload where the footer declares too much, or nothing."""
        declared = self._file.metadata
        if declared.num_columns > MOST_COLUMNS:
            raise InvalidUpload(f"the table has {declared.num_columns:,} columns; at most {MOST_COLUMNS:,} are taken")
        if declared.num_rows < 1:
            raise InvalidUpload("the table has columns and no rows")
        sizes = (declared.row_group(n).total_byte_size for n in range(declared.num_row_groups))
        if max(declared.num_rows * declared.num_columns, *accumulate(sizes)) > self._most_bytes:
            raise InvalidUpload(f"the upload is longer than {self._most_bytes:,} bytes when decompressed")

    def _check_names(self) -> None:
        """Raise InvalidUpload where the columns' names cannot be used."""
        if len(self.columns) < 2:
            raise InvalidUpload("the table has one column; it needs two")
        if sum(map(len, self.columns)) > LONGEST_LINE:
            raise InvalidUpload(f"the columns' names have more than {LONGEST_LINE:,} characters")
        for name in self.columns:
            if "\0" in name:
                raise InvalidUpload("", [Fault(column=shown(name), found="the character NUL", wanted="text")])
        check_usable(self.columns)

    def _refuse(self, columns: Mapping[str, Arrow]) -> None:
        """Raise InvalidUpload where there are any."""
        faults = Faults()
        for name, kind in columns.items():
            wanted = "numbers, texts, booleans, dates or times; or the column among those to ignore"
            faults.add(Fault(column=shown(name), found=f"the type {shown(str(kind))}", wanted=wanted))
        if faults.total:
            raise InvalidUpload("the table has columns that are not read", faults.named, total=faults.total)

    def _reads(self, kind: Arrow) -> bool:
        """Whether columns of a type are read."""
        types = self._arrow.types
        if types.is_dictionary(kind):
            kind = kind.value_type
        known = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
        dated = (types.is_date, types.is_time, types.is_timestamp)
        return self._is_text(kind) or any(holds(kind) for holds in (*known, *dated))

    def _is_text(self, kind: Arrow) -> bool:
        types = self._arrow.types
        return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)

    def _decoded(self, column: Arrow) -> Arrow:
        """A column without a dictionary, and its texts of one type."""
        kind = column.type
        if self._arrow.types.is_dictionary(kind):
            column = column.dictionary_decode()
        return column.cast(self._arrow.large_string()) if self._is_text(column.type) else column

    def _check_texts(self, column: Arrow, name: str, *, before: int) -> None:
        """Raise InvalidUpload where a text is none that a CSV might hold."""
        if not self._is_text(column.type):
            return
        compute = self._arrow.compute
        checks = (
            (compute.match_substring(column, "\0"), "the character NUL", "text"),
            (
                compute.greater(compute.utf8_length(column), LONGEST_CELL),
                "a longer text",
                f"cells of at most {LONGEST_CELL:,} characters",
            ),
        )
        for wrong, found, wanted in checks:
            place: int = compute.index(wrong, True).as_py()
            if place >= 0:
                raise InvalidUpload("", [Fault(row=before + place + 1, column=name, found=found, wanted=wanted)])

    def _texts_of(self, column: Arrow) -> list[str]:
        """The cells of a column, as `text_of` writes them; missing ones are empty."""
        arrow, types, kind = self._arrow, self._arrow.types, column.type
        if types.is_floating(kind):
            return self._texts_of_floats(column)
        if types.is_timestamp(kind):
            column = self._timestamps(column)
        elif types.is_time(kind):
            column = self._without_zeros(column.cast(arrow.string()))
        return column.cast(arrow.large_string()).fill_null("").to_numpy(zero_copy_only=False).tolist()

    def _texts_of_floats(self, column: Arrow) -> list[str]:
        arrow = self._arrow
        if column.type.bit_width < 64:
            column = column.cast(arrow.string()).cast(arrow.float64())  # 0.1, and not its 0.10000000149011612
        texts: list[str] = column.cast(arrow.string()).to_numpy(zero_copy_only=False).tolist()
        values: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
        # Between these, pyarrow writes what Python does, six times as fast.
        for place in np.flatnonzero(~((np.abs(values) >= 1e-4) & (np.abs(values) < 1e10))).tolist():
            value = float(values[place])
            texts[place] = "" if math.isnan(value) else text_of(value) or ""
        return texts

    def _timestamps(self, column: Arrow) -> Arrow:
        """Instants as ISO 8601 has them, those of a time zone in UTC."""
        arrow, kind = self._arrow, column.type
        texts = self._without_zeros(column.cast(arrow.timestamp(kind.unit)).cast(arrow.string()))
        texts = arrow.compute.replace_substring(texts, " ", "T", max_replacements=1)
        return arrow.compute.binary_join_element_wise(texts, "Z", "") if kind.tz else texts

    def _without_zeros(self, times: Arrow) -> Arrow:
        """Times without the zeros that end a fraction of a second."""
        return self._arrow.compute.replace_substring_regex(times, r"\.0+$|(\.[0-9]*[1-9])0+$", r"\1")


def _chunk(rows: list[tuple[str, ...]], before: int) -> Chunk:
    return Chunk(rows, range(before + 1, before + len(rows) + 1), None)
