"""How a dataset's stored examples become what another one's network is fed: for jobs that begin with its weights.

Examples are stored encoded by the statistics of their own dataset. A numeric column's two encodings differ by an affine
map, a categorical one's by where each text stands.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn, RowEncoding
from jobs.datasets import DatasetInfo
from jobs.encoding import FARTHEST, ArrayEncoder, number_in
from jobs.errors import InvalidSpec
from jobs.model_encoding import ModelEncoding

BLOCK_VALUES = 1 << 21
"""Values that are turned in one go, in float64."""
NEAR = 1e-5
"""Deviations within which a stored number is taken for a marker of missing ones."""

_KINDS = {"images": "images", "table": "rows of a table", "arrays": "arrays"}
Turn = Callable[[NDArray[Any], NDArray[np.float32]], None]
"""Writes what becomes of examples float32 [N, width] into columns of the others [N, width']."""


def adopted(own: ModelEncoding, given: ModelEncoding, *, dataset: str, source: str) -> ModelEncoding:
    """The encoding of a network that learns a dataset, whose own is `own`, by examples as `source` was given them.

    The classes or targets are the dataset's own. Pictures go in as they are, of whatever size.

    Raises InvalidSpec where the dataset lacks what `source` was given, naming the column.
    """

    def refuse(detail: str) -> InvalidSpec:
        return InvalidSpec(f"{detail}; bring such data, or begin without init_from", pointer="/init_from")

    if own.kind != given.kind:
        raise refuse(f"{source} learnt {_KINDS[given.kind]}, and {dataset} has {_KINDS[own.kind]}")
    if own.rows and given.rows:
        _check_columns(own.rows, given.rows, refuse, dataset=dataset, source=source)
        rows = _rows(own.rows, given.rows)
        return own.model_copy(update={"rows": rows, "shape": (rows.width,)})
    if own.kind != "arrays":
        return own
    if given.dtype == "uint8":
        if own.dtype != "uint8":
            raise refuse(f"{source} learnt arrays of bytes, and {dataset} has other numbers")
        return own
    if own.shape != given.shape:
        shapes = [" x ".join(map(str, each.shape)) for each in (given, own)]
        raise refuse(f"{source} learnt arrays of {shapes[0]}, and {dataset} has some of {shapes[1]}")
    return own.model_copy(update={"dtype": given.dtype, "arrays": given.arrays})


def check_outputs(own: ModelEncoding, given: ModelEncoding, *, dataset: str, source: str, layer: str) -> None:
    """Raise InvalidSpec where a dataset's classes or targets are not those that `source` tells, which the layer of this
    name stands for."""
    names = [_outputs(each) for each in (own, given)]
    if own.task == given.task and names[0] == names[1]:
        return
    what = "classes" if own.task == "classification" else "targets"
    others = "classes" if given.task == "classification" else "targets"
    raise InvalidSpec(
        f"{dataset} has the {what} {_some(names[0])}, and {source} tells the {others} {_some(names[1])}, in this "
        f"order; reinitialize {layer!r}, or bring the same",
        pointer="/init_from",
    )


def info_with(info: DatasetInfo, encoding: ModelEncoding) -> DatasetInfo:
    """What is known of a dataset whose examples are encoded so."""
    return replace(info, shape=encoding.shape, targets=encoding.targets, array_dtype=encoding.dtype)


class Reencoder:
    """Turns a dataset's stored examples, and its targets, into those of an encoding that was `adopted` for it."""

    def __init__(self, own: ModelEncoding, new: ModelEncoding) -> None:
        self._own, self._new = own, new
        self._turns = list(_turns(own.rows, new.rows)) if own.rows and new.rows else []

    def examples(self, x: NDArray[Any]) -> NDArray[Any]:
        """Examples [N, values] as they are to be; the same object where nothing is to be changed."""
        own, new = self._own, self._new
        if (own.rows, own.arrays, own.dtype) == (new.rows, new.arrays, new.dtype):
            return x
        turned = np.zeros((len(x), new.rows.width if new.rows else x.shape[1]), np.float32)
        at_once = max(1, BLOCK_VALUES // max(x.shape[1], turned.shape[1]))
        for begin in range(0, len(x), at_once):
            block, into = x[begin : begin + at_once], turned[begin : begin + at_once]
            if new.rows:
                for turn in self._turns:
                    turn(block, into)
            else:
                into[:] = self._array(block)
        return turned

    def targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """Labels as they are; standardised targets [N, targets] by the deviations that they are to have."""
        own, new = self._own.targets, self._new.targets
        if not own or own == new:
            return y
        (mean, std), (to_mean, to_std) = (
            (np.array([target.mean for target in each]), np.array([target.std for target in each]))
            for each in (own, new)
        )
        return ((y.astype(np.float64) * std + mean - to_mean) / to_std).astype(np.float32)

    def _array(self, block: NDArray[Any]) -> NDArray[np.float32]:
        shape = self._own.shape
        values = block.reshape(-1, *shape).astype(np.float64)
        if self._own.arrays:
            values = ArrayEncoder(self._own.arrays, shape).raw(values)
        return ArrayEncoder(self._new.arrays, shape).encode(values).reshape(len(block), -1)  # pyright: ignore[reportArgumentType] (arrays of other numbers have one)


# --- rows -----------------------------------------------------------------------------------------


def _check_columns(
    own: RowEncoding, given: RowEncoding, refuse: Callable[[str], InvalidSpec], *, dataset: str, source: str
) -> None:
    """Raise InvalidSpec, naming the column, where rows lack one that is needed, or have another kind of it."""
    columns = {column.name: column for column in own.columns}
    for wanted in given.columns:
        if isinstance(wanted, LeftOutColumn):
            continue
        found = columns.get(wanted.name)
        if found is None:
            raise refuse(f"{source} learnt from a column {wanted.name!r}, which {dataset} does not have")
        if isinstance(found, LeftOutColumn):
            raise refuse(
                f"{source} learnt from the column {wanted.name!r}, which {dataset} leaves out ({found.reason})"
            )
        if found.kind != wanted.kind:
            raise refuse(f"the column {wanted.name!r} is {wanted.kind} in {source}, and {found.kind} in {dataset}")


def _rows(own: RowEncoding, given: RowEncoding) -> RowEncoding:
    """The encoding that was given, for rows that may have more columns: those are left out."""
    known = {column.name for column in given.columns}
    more = tuple(
        LeftOutColumn(name=column.name, reason=column.reason if isinstance(column, LeftOutColumn) else "ignored")
        for column in own.columns
        if column.name not in known
    )
    return given.model_copy(update={"columns": (*given.columns, *more)})


def _turns(own: RowEncoding, new: RowEncoding) -> Iterator[Turn]:
    if own == new:
        return
    places = dict(_placed(own))
    numbers = [number for marker in new.missing_markers if (number := number_in(marker)) is not None]
    found = {column.name: column for column in own.columns}
    for name, to in _placed(new):
        wanted, column = next(each for each in new.columns if each.name == name), found[name]
        if isinstance(wanted, NumericColumn) and isinstance(column, NumericColumn):
            yield _numeric(column, places[name], wanted, to, numbers)
        elif isinstance(wanted, CategoricalColumn) and isinstance(column, CategoricalColumn):
            yield _categorical(column, places[name], wanted, to, frozenset(new.missing_markers))


def _placed(encoding: RowEncoding) -> Iterator[tuple[str, int]]:
    """Where each column begins in an encoded row."""
    at = 0
    for column in encoding.columns:
        if column.width:
            yield column.name, at
        at += column.width


def _numeric(own: NumericColumn, at: int, new: NumericColumn, to: int, markers: list[float]) -> Turn:
    def turn(x: NDArray[Any], into: NDArray[np.float32]) -> None:
        numbers = x[:, at].astype(np.float64) * own.std + own.mean
        missing = x[:, at + 1] > 0 if own.missing else np.zeros(len(x), bool)
        for marker in markers:
            missing |= np.abs(numbers - marker) <= NEAR * own.std
        standard = np.clip((numbers - new.mean) / new.std, -FARTHEST, FARTHEST)
        standard[missing] = 0.0
        into[:, to] = standard
        if new.missing:
            into[:, to + 1] = missing

    return turn


def _categorical(own: CategoricalColumn, at: int, new: CategoricalColumn, to: int, markers: frozenset[str]) -> Turn:
    codes = {text: code for code, text in enumerate(new.categories)}
    places = [new.missing_code if text in markers else codes.get(text, new.unseen) for text in own.categories]
    if own.missing:
        places.append(new.missing_code)
    places.append(new.unseen)
    table = np.array(places, np.intp)

    def turn(x: NDArray[Any], into: NDArray[np.float32]) -> None:
        which = table[x[:, at : at + own.width].argmax(axis=1)]
        into[np.arange(len(x)), to + which] = 1.0

    return turn


def _outputs(encoding: ModelEncoding) -> tuple[str, ...]:
    return encoding.classes or tuple(target.name for target in encoding.targets)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
