"""Tables for tests, and what checking them gives."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from api.uploads.options import UploadOptions
from api.uploads.table import CheckedTable, Limits, check_table
from jobs.faults import InvalidUpload

LIMITS = Limits(most_bytes=64 << 20, most_encoded_bytes=64 << 20)


class Checked(NamedTuple):
    """A table that was checked, and its arrays."""

    table: CheckedTable
    arrays: dict[str, NDArray[Any]]


def csv_of(header: str, rows: Sequence[str]) -> bytes:
    """A CSV."""
    return "\n".join([header, *rows, ""]).encode()


def iris_like(rows: int = 100) -> bytes:
    """Two numbers and a class that depends on them."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows, 2)).round(3)
    return csv_of("a,b,kind", [f"{a},{b},{'up' if a + b > 0 else 'down'}" for a, b in values])


def check(content: bytes, folder: Path, *, limits: Limits = LIMITS, **options: Any) -> Checked:
    """Check a table in a folder, which is empty but for the arrays afterwards."""
    path = folder / "upload.csv"
    path.write_bytes(content)
    into = folder / "into"
    into.mkdir()
    table = check_table(path, UploadOptions(**options), into=into, limits=limits)
    arrays = {file.stem: np.load(file) for file in into.glob("*.npy")}
    assert sorted(arrays) == ["test_x", "test_y", "train_x", "train_y"]
    return Checked(table, arrays)


def refusal(content: bytes, folder: Path, *, limits: Limits = LIMITS, **options: Any) -> InvalidUpload:
    """Why a table is refused; no scratch file is left."""
    path = folder / "upload.csv"
    path.write_bytes(content)
    into = folder / "into"
    into.mkdir(exist_ok=True)
    with pytest.raises(InvalidUpload) as refused:
        check_table(path, UploadOptions(**options), into=into, limits=limits)
    assert list(into.iterdir()) == []
    return refused.value
