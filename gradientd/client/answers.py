"""What the client answers with: the API's own types, which tell themselves in a line, and show themselves in a
notebook."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from gradientd.client import display, frames
from jobs import record, wire
from jobs.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] (it has none)

JobRef = str | record.Job
"""A job, or its id."""
DatasetRef = str | wire.Dataset
"""A version of a dataset, or a name: `name` for its newest version, `name@version` for that one."""
SpecFields = Mapping[str, Any] | Spec
"""What to train: a spec's fields, of which any may be left out."""


class Job(record.Job):
    """A training job."""

    def __repr__(self) -> str:
        return f"<{display.job_line(self)}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return display.job_html(self)


class Dataset(wire.Dataset):
    """A version of a dataset."""

    def __repr__(self) -> str:
        return f"<{display.dataset_line(self)}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return display.dataset_html(self)


class Series(wire.Series):
    """A job's epochs as columns: the same index in each column is the same epoch."""

    def arrays(self) -> "dict[str, NDArray[np.float64]]":
        """The columns as NumPy arrays of float64 [epochs], by name: `epoch`, `step`, and each metric that was
        measured, NaN where it was not.

        Raises ExtraMissing (an ImportError) without NumPy.
        """
        return frames.arrays(self)

    def dataframe(self) -> "DataFrame":
        """The same as a pandas frame: a row an epoch, `epoch` its index, `step` and each metric that was measured its
        columns.

        Raises ExtraMissing (an ImportError) without pandas.
        """
        return frames.dataframe(self)

    def __repr__(self) -> str:
        return f"<{display.series_line(self)}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return display.series_html(self)


@dataclass(frozen=True)
class Version:
    """A job as it was at one moment, and the tag that asks for a newer one."""

    job: Job
    etag: str | None


def job_id(job: JobRef) -> str:
    """The id of the job that is meant. Raises TypeError for what is neither a job nor text, ValueError for what can be
    no id."""
    known: object = job if isinstance(job, str) else getattr(job, "id", None)
    if not isinstance(known, str):
        raise TypeError(f"{job!r} is neither a job nor the id of one")
    if not known or "/" in known:
        raise ValueError(f"{known!r} is no id of a job")
    return known


def dataset_name(dataset: DatasetRef) -> str:
    """What names the dataset, or the version, that is meant."""
    return dataset if isinstance(dataset, str) else dataset.id


def spec_fields(spec: SpecFields, **more: Any) -> Mapping[str, Any]:
    """The fields that were given, `more` before those of `spec`; of datasets and converted models what names them.

    Raises ValueError for what JSON cannot say: a number that is not finite, text that is none; it names the field.
    """
    given = spec.model_dump(mode="json", exclude_unset=True, warnings=False) if isinstance(spec, Spec) else spec
    given = _plain({**given, **more})
    for field, value in _leaves("", given):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field} must be a finite number, not {value}")
        if isinstance(value, str) and not _is_text(value):
            raise ValueError(f"{field} must be text in UTF-8, not {value!r}")
    return given


def _plain(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields as JSON has them."""
    fields = dict(given)
    if isinstance(dataset := fields.get("dataset"), wire.Dataset):
        fields["dataset"] = dataset.id
    model: Any = fields.get("model")
    if isinstance(described := getattr(model, "model", None), Mapping):  # a converted one
        fields["model"] = described
        if frozen := getattr(model, "freeze", ()):
            fields.setdefault("freeze", list(frozen))
    return fields


def _leaves(field: str, value: object) -> Iterator[tuple[str, object]]:
    """Each name and each value within, beside the field that it is in or of, such as `optimizer.learning_rate`."""
    if isinstance(value, Mapping):
        for name, member in cast("Mapping[Any, object]", value).items():
            yield field or "the spec", name
            yield from _leaves(f"{field}.{name}" if field else str(name), member)
    elif isinstance(value, (list, tuple)):
        for at, entry in enumerate(cast("Sequence[object]", value)):
            yield from _leaves(f"{field}.{at}", entry)
    else:
        yield field, value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
