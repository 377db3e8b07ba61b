"""What a table's rows are to be told by: the classes or the numbers of its target columns."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from api.uploads.options import MOST_TARGETS
from api.uploads.scan import Scan
from jobs.encoding import MOST_CATEGORIES, moments, number_in, text_of
from jobs.faults import InvalidUpload

MOST_NUMBERED_CLASSES = 20
"""A target of whole numbers is one of classes where it has no more different ones."""
MOST_CLASSES = MOST_CATEGORIES


class Encoded(NamedTuple):
    """Targets of all rows of a table, in the file's order."""

    values: NDArray[np.int32] | NDArray[np.float32]
    """int32 [N], or float32 [N, targets], standardised."""
    moments: tuple[tuple[str, float, float], ...] = ()
    """Name, mean and deviation of each target of regression."""


class Target(Protocol):
    """What is to be predicted."""

    task: Literal["classification", "regression"]
    classes: tuple[str, ...] | None
    groups: NDArray[np.int32]
    """int32 [kept rows]: rows that are alike for the purpose of splitting."""
    class_counts: dict[str, int] | None

    def encoded(self, train: NDArray[np.intp]) -> Encoded:
        """The values, with statistics of the training rows."""
        ...


@dataclass(frozen=True, slots=True)
class Classes:
    """One of so many classes, in a fixed order: numbers by size, texts by their code points."""

    classes: tuple[str, ...]
    indices: NDArray[np.int32]
    """int32 [N]: of all rows; that of a row that is not kept means nothing."""
    groups: NDArray[np.int32]
    task: Literal["classification"] = "classification"

    @property
    def class_counts(self) -> dict[str, int]:
        """How many rows each class has."""
        counts = np.bincount(self.groups, minlength=len(self.classes))
        return {name: int(count) for name, count in zip(self.classes, counts, strict=True)}

    def encoded(self, train: NDArray[np.intp]) -> Encoded:
        del train
        return Encoded(self.indices)


@dataclass(frozen=True, slots=True)
class Numbers:
    """One or more numbers."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    """float64 [N, targets]: of all rows."""
    groups: NDArray[np.int32]
    task: Literal["regression"] = "regression"
    classes: None = None
    class_counts: None = None

    def encoded(self, train: NDArray[np.intp]) -> Encoded:
        known = [(name, *moments(self.values[train, n])) for n, name in enumerate(self.names)]
        means = np.array([mean for _, mean, _ in known])
        stds = np.array([std for _, _, std in known])
        return Encoded(((self.values - means) / stds).astype(np.float32), tuple(known))


def target_of(scan: Scan, names: tuple[str, ...], kept: NDArray[np.intp], *, task: str) -> Classes | Numbers:
    """The target of the rows that are kept.

    Raises:
        InvalidUpload: there is nothing to be told apart, or too much.
    """
    if len(names) > MOST_TARGETS:
        raise InvalidUpload(f"{len(names)} targets; at most {MOST_TARGETS} are taken")
    index = {column.name: place for place, column in enumerate(scan.columns)}
    if len(names) > 1 and task == "classification":
        raise InvalidUpload("classes can stand in one target column alone")
    if len(names) > 1 or task == "regression":
        return _numbers(scan, names, kept, index)
    name = "".join(names)  # the only one
    column = scan.columns[index[name]]
    if task == "auto" and column.is_numeric:
        values = scan.numbers_of(index[name])[kept]
        if (values != np.round(values)).any() or len(np.unique(values)) > MOST_NUMBERED_CLASSES:
            return _numbers(scan, names, kept, index)
    if column.overflow:
        wanted = f"at most {MOST_CLASSES:,} different texts of at most 200 characters"
        raise InvalidUpload(f"the target {column.name!r} has too many or too long classes; wanted: {wanted}")
    return _classes(column.name, column.categories, scan.codes_of(index[name]), kept)


def _classes(name: str, texts: list[str], codes: NDArray[np.int32], kept: NDArray[np.intp]) -> Classes:
    there: list[int] = np.unique(codes[kept]).tolist()
    numbers = {code: number_in(texts[code]) for code in there}
    if all(number is not None for number in numbers.values()):
        # The same number written in two ways is one class.
        labels = {code: text_of(number) or "" for code, number in numbers.items()}
        classes = sorted(set(labels.values()), key=float)
    else:
        labels = {code: texts[code] for code in there}
        classes = sorted(labels.values())
    if len(classes) < 2:
        raise InvalidUpload(f"the target {name!r} is {classes[0]!r} in every row: there is nothing to tell apart")
    place = {label: n for n, label in enumerate(classes)}
    lookup = np.zeros(max(len(texts), 1), np.int32)
    for code, label in labels.items():
        lookup[code] = place[label]
    indices = lookup[np.maximum(codes, 0)]
    return Classes(tuple(classes), indices, indices[kept])


def _numbers(scan: Scan, names: tuple[str, ...], kept: NDArray[np.intp], index: dict[str, int]) -> Numbers:
    values = np.stack([scan.numbers_of(index[name]) for name in names], axis=1)
    for n, name in enumerate(names):
        if (values[kept, n] == values[kept[0], n]).all():
            same = f"{values[kept[0], n]:g}"
            raise InvalidUpload(f"the target {name!r} is {same} in every row: there is nothing to learn")
    return Numbers(names, values, np.zeros(len(kept), np.int32))
