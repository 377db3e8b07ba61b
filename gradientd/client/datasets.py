"""What a client does with datasets: upload, list, look into, delete."""

import csv
import io
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, cast, runtime_checkable

from gradientd.client.connection import Connection, Progress
from gradientd.client.errors import Refused, StillRunning
from gradientd.client.packing import Array, arrays_packed, folder_packed
from gradientd.client.paths import dataset_path
from gradientd.client.responses import Document, parse
from jobs.inputs import ARRAY_ALIASES, ARRAYS
from jobs.wire import Dataset, Page, Upload

ACCEPTED = 202
UPLOAD_SECONDS = 60.0
"""Beside its own patience: how long the server may take to check an upload before it says where to ask again."""
POLL_SECONDS = 1.0
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


class DatasetCalls(Connection):
    """The calls about datasets."""

    def upload(
        self,
        name: str,
        table: Table,
        *,
        target: str | Sequence[str] = (),
        task: Literal["auto", "classification", "regression"] = "auto",
        ignore: Sequence[str] = (),
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        missing: Sequence[str] = (),
        test_split: float | None = None,
        split_seed: int | None = None,
        on_bad: Literal["refuse", "skip"] = "refuse",
        size: tuple[int, int] | None = None,
        fit: Literal["contain", "cover", "stretch"] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
        timeout_seconds: float = 3600.0,
    ) -> Dataset:
        """Upload a table, pictures or arrays; the version that it is. The same upload again is the same version.

        `target` is what is to be told, the last column by default. `size` is the height and width that pictures get,
        `fit` how, `channels` what they are made of. `progress` hears how many bytes are sent.

        Raises:
            Refused: it has faults, which `problem.faults` names; nothing was kept.
            StillRunning: it was not checked within `timeout_seconds`, and goes on.
            OSError: the file cannot be read.
        """
        several = {
            "target": target,
            "ignore": ignore,
            "numeric": numeric,
            "categorical": categorical,
            "missing": missing,
        }
        params = [(key, _quoted(text)) for key, texts in several.items() for text in _texts(texts)]
        alone = {"test_split": test_split, "split_seed": split_seed}
        params += [(key, repr(value)) for key, value in alone.items() if value is not None]
        params += [("task", task)] if task != "auto" else []
        params += [("on_bad", on_bad)] if on_bad != "refuse" else []
        params += [("size", f"{size[0]}x{size[1]}")] if size else []
        params += [("fit", fit)] if fit else []
        params += [("channels", str(channels))] if channels else []
        params += [("dry_run", "true")] if dry_run else []
        length, parts = opened(table)
        answer = self._request(
            "PUT",
            dataset_path(name),
            content=_told(parts, length, progress),
            params=params,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(length)},
            wait_seconds=UPLOAD_SECONDS,
        )
        if answer.status_code != ACCEPTED:
            return parse(answer, Dataset)
        return self._checked(parse(answer, Upload), timeout_seconds=timeout_seconds)

    def _checked(self, upload: Upload, *, timeout_seconds: float) -> Dataset:
        deadline = time.monotonic() + timeout_seconds
        while upload.status == "checking":
            if time.monotonic() > deadline:
                raise StillRunning(upload.id, status=upload.status, seconds=timeout_seconds)
            time.sleep(POLL_SECONDS)
            upload = parse(self._request("GET", f"/v1/uploads/{upload.id}"), Upload)
        if upload.dataset is None:
            assert upload.problem
            raise Refused(upload.problem)
        return upload.dataset

    def datasets(self, *, after: str | None = None, limit: int = 100) -> Page[Dataset]:
        """The datasets that a spec can name, the built-in ones first; without their columns and reports."""
        params = {"limit": str(limit)} | ({"after": after} if after else {})
        return parse(self._request("GET", "/v1/datasets", params=params), Page[Dataset])

    def dataset(self, name: str) -> Dataset:
        """All of a dataset's newest version, or of the one that `name@version` names."""
        return parse(self._request("GET", dataset_path(name)), Dataset)

    def dataset_versions(self, name: str) -> Page[Dataset]:
        """All versions of a dataset, the oldest first."""
        return parse(self._request("GET", f"{dataset_path(name)}/versions"), Page[Dataset])

    def preview(
        self, name: str, *, split: Literal["train", "val", "test"] = "train", limit: int = 10
    ) -> tuple[dict[str, Any], ...]:
        """The first rows of a part of a dataset, as a prediction takes them, with their targets."""
        bare, _, version = name.partition("@")
        params = {"split": split, "limit": str(limit)} | ({"version": version} if version else {})
        answer = self._request("GET", f"{dataset_path(bare)}/preview", params=params)
        return tuple(parse(answer, Document).root["data"])

    def preview_png(self, name: str, *, split: Literal["train", "val", "test"] = "train", limit: int = 10) -> bytes:
        """The first pictures of a part of a dataset, each above its class, as a PNG."""
        bare, _, version = name.partition("@")
        params = {"split": split, "limit": str(limit)} | ({"version": version} if version else {})
        return self._request("GET", f"{dataset_path(bare)}/preview", params=params).content

    def delete_dataset(self, name: str) -> None:
        """Delete a dataset for good, or the version that `name@version` names.

        Raises:
            Refused: a job that has not ended needs it.
        """
        self._request("DELETE", dataset_path(name))


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


def _quoted(name: str) -> str:
    """A column's name as a parameter that may hold several has it."""
    quoted = name.replace('"', '""')
    return f'"{quoted}"' if {",", '"'} & set(name) else name


def _texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    """The names. Raises TypeError for what is none."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _told(parts: Iterator[bytes], size: int, progress: Progress | None) -> Iterator[bytes]:
    sent = 0
    for part in parts:
        yield part
        sent += len(part)
        if progress:
            progress(sent, size)
