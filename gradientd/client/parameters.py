"""Queries of the API's operations: what differs from their defaults."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from jobs.states import Status

Query = list[tuple[str, str]]


def of_jobs(
    *,
    limit: int,
    after: str | None,
    order: Literal["asc", "desc"],
    status: str | Sequence[str],
    dataset: str | None,
    metadata: Mapping[str, str] | None,
    created_after: datetime | None,
    created_before: datetime | None,
) -> Query:
    """The query of a list of jobs.

    Raises ValueError for a word that is no status, TypeError for a label that is no text.
    """
    params: Query = [("limit", str(limit))]
    params += [("order", order)] if order != "desc" else []
    params += [("after", after)] if after else []
    params += [("status", word) for word in read_statuses(status)]
    params += [("dataset", dataset)] if dataset else []
    params += [(f"metadata[{key}]", label(key, value)) for key, value in (metadata or {}).items()]
    params += [("created_after", created_after.isoformat())] if created_after else []
    params += [("created_before", created_before.isoformat())] if created_before else []
    return params


def label(key: str, value: object) -> str:
    """The label's value. Raises TypeError for what is no text: no job can have it."""
    if not isinstance(value, str):
        raise TypeError(f"the label {key!r} is text, not {value!r}")
    return value


def read_statuses(statuses: str | Sequence[str]) -> tuple[Status, ...]:
    """The statuses that the words name; a single word is one. Raises ValueError."""
    words = (statuses,) if isinstance(statuses, str) else statuses
    for word in words:
        if word not in set(Status):
            raise ValueError(f"{word!r} is not a status; there are {', '.join(Status)}")
    return tuple(map(Status, words))


def of_series(names: Sequence[str], *, after_step: int, max_points: int | None) -> Query:
    """The query of a series."""
    params = [("names", name) for name in ((names,) if isinstance(names, str) else names)]
    params += [("after_step", str(after_step))] if after_step else []
    return params + ([("max_points", str(max_points))] if max_points is not None else [])


def of_upload(
    *,
    target: str | Sequence[str],
    task: str,
    ignore: Sequence[str],
    numeric: Sequence[str],
    categorical: Sequence[str],
    missing: Sequence[str],
    test_split: float | None,
    split_seed: int | None,
    on_bad: str,
    size: tuple[int, int] | None,
    fit: str | None,
    channels: int | None,
    dry_run: bool,
) -> Query:
    """The query of an upload."""
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
    return params + ([("dry_run", "true")] if dry_run else [])


def _quoted(name: str) -> str:
    """A column's name as a parameter that may hold several has it."""
    quoted = name.replace('"', '""')
    return f'"{quoted}"' if {",", '"'} & set(name) else name


def _texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    """The names; a single one is one. Raises TypeError for what is none."""
    return (texts,) if isinstance(texts, str) else tuple(texts)
