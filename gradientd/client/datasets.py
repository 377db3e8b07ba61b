"""What becomes a dataset, or is predicted: files, folders, frames, columns and arrays, as the bytes that are sent."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from gradientd.client.packing import Array, arrays_packed, folder_packed
from jobs.inputs import ARRAY_ALIASES, ARRAYS

CHUNK_BYTES = 1 << 20


@runtime_checkable
class Frame(Protocol):
    """A pandas frame, or what writes itself as CSV in the same way."""

    def to_csv(self, path: None = None, *, index: bool = True) -> str:
        """Its rows as CSV."""
        ...


Table = str | os.PathLike[str] | bytes | Frame | Mapping[str, Sequence[Any] | Array]
"""A file's path, its bytes, a pandas frame, or columns by their names: lists or NumPy arrays of one length.

An upload may also be a folder of class folders with pictures, or the arrays `x_train` and `y_train`, of any shape, and
perhaps those of `val` and `test`.
"""


NamedArrays = str | os.PathLike[str] | bytes | Mapping[str, Array]
"""Weights: a `.npz`'s path, its bytes, or NumPy arrays by their names, `layer/weight`."""


def opened_arrays(arrays: NamedArrays) -> tuple[int, Iterator[bytes]]:
    """The bytes of weights: how many, and they themselves. Raises OSError and ValueError."""
    return opened(arrays_packed(arrays) if isinstance(arrays, Mapping) else arrays)


def opened(table: Table) -> tuple[int, Iterator[bytes]]:
    """A table's bytes: how many, and they themselves, a file's as they are read. Raises OSError and ValueError."""
    if isinstance(table, (str, os.PathLike)):
        path = Path(table)
        return folder_packed(path) if path.is_dir() else (path.stat().st_size, _read(path))
    if isinstance(table, bytes):
        content = table
    elif isinstance(table, Frame):
        content = table.to_csv(index=False).encode()
    elif isinstance(table, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] (whatever a caller may give)
        content = arrays_packed(cast("Mapping[str, Any]", table)) if _are_arrays(table) else columns_as_csv(table)
    else:
        wanted = "a path, bytes, a pandas frame, or a mapping of columns"
        raise TypeError(f"cannot upload {type(table).__name__}; wanted: {wanted}")
    return len(content), (content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES))


def _are_arrays(table: Mapping[str, Any]) -> bool:
    """Whether these are the arrays of whole parts, rather than columns of a table, which may be called x and y too."""
    if not all(hasattr(array, "tobytes") for array in table.values()):
        return False
    if {"x_train", "y_train"} <= table.keys():
        return True
    named = {ARRAY_ALIASES.get(name, name): array for name, array in table.items()}
    x: Any = named.get("x_train")
    return {"x_train", "y_train"} <= named.keys() <= set(ARRAYS) and x.ndim > 1


def columns_as_csv(columns: Mapping[str, Sequence[Any] | Array]) -> bytes:
    """Columns as a CSV with a header; None and NaN are missing. Raises ValueError where they differ in length."""
    if not columns:
        raise ValueError("there are no columns")
    listed = {name: _listed(values) for name, values in columns.items()}
    lengths = {name: len(values) for name, values in listed.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {lengths}")
    for name, values in listed.items():
        if any(isinstance(value, (list, tuple, dict)) for value in values):
            detail = f"the column {name!r} holds more than one value a row"
            raise ValueError(f"{detail}; examples of several values go as NumPy arrays x_train and y_train")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in zip(*listed.values(), strict=True))
    return text.getvalue().encode()


def _listed(values: Sequence[Any] | Array) -> Sequence[Any]:
    """NumPy's numbers as Python's own, which write themselves shortly."""
    listed: Any = getattr(values, "tolist", None)
    return cast("Sequence[Any]", listed() if listed else values)


def _cell(value: Any) -> Any:
    """A value as text, so that a prediction of the same value means the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or value != value else value  # noqa: PLR0124 (NaN alone differs from itself)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
