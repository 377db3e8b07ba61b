"""The forms that an uploaded table may have, told by its content: CSV and Parquet."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path

from api.uploads.csv_rows import open_csv
from api.uploads.parquet_rows import is_parquet, open_parquet
from api.uploads.rows import Table
from jobs.encoding import Faults


def open_table(
    path: Path, *, most_bytes: int, ignore: Collection[str], faults: Faults
) -> AbstractContextManager[Table]:
    """Read a table; rows with too few or too many cells go to `faults`. Columns to be ignored may hold anything.

    Raises:
        InvalidUpload: it is no usable table. Raised while the rows are read, too.
    """
    if is_parquet(path):
        return open_parquet(path, most_bytes=most_bytes, ignore=ignore)
    return open_csv(path, most_bytes=most_bytes, faults=faults)
