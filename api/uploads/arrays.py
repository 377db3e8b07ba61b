"""Checks arrays: `x_train` and `y_train`, and perhaps those of `test` and `val`, whatever the shape of an example.

uint8 of rank 3, or 4 with 1, 3 or 4 channels last, are images. Other uint8 go in as they are, all other numbers
standardised by the mean and deviation of the training examples: of each value of an example, or along its last axis
where there are more than `MOST_FEATURES`.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.uploads.checked import CheckedArrays, CheckedImages, Limits, Report, TargetColumn
from api.uploads.encode import PREVIEW
from api.uploads.examples import (
    HASH_BYTES,
    Places,
    check_classes,
    class_counts,
    divided,
    new_array,
    occurring_twice,
)
from api.uploads.folders import Part
from api.uploads.grid import write_grids
from api.uploads.options import MOST_TARGETS, UploadOptions
from api.uploads.stored_arrays import Arrays
from jobs.encoding import LONGEST_CATEGORY, MOST_CATEGORIES, ArrayEncoder, Faults, moments
from jobs.escapes import escaped
from jobs.faults import Fault, InvalidUpload
from jobs.inputs import ArrayEncoding, ImageEncoding
from store.dataset_files import write_sources

MOST_FEATURES = 10_000
"""Values of an example that have a mean and a deviation each."""
MOST_VALUES = 16 << 20
"""Of an example."""
BLOCK_BYTES = 16 << 20
PREVIEW_ROWS = 100
PREVIEW_VALUES = 1000
"""Values of an example that a preview shows."""
PARTS: tuple[Part, ...] = ("train", "val", "test")


class _Example(NamedTuple):
    """Shape and type of an example."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def is_image(self) -> bool:
        """Whether it is a picture: bytes, in two dimensions, with or without channels."""
        rank = len(self.shape)
        return self.dtype == np.uint8 and (rank == 2 or (rank == 3 and self.shape[-1] in (1, 3, 4)))


class _Answers(NamedTuple):
    """What is to be told of all examples, those with a fault included."""

    classes: list[str] | None
    labels: NDArray[np.int32] | None
    """int32 [N]; of an example with a fault 0."""
    numbers: NDArray[np.float64] | None
    """float64 [N, targets]."""


def check_arrays(
    arrays: Arrays, options: UploadOptions, *, into: Path, limits: Limits
) -> CheckedImages | CheckedArrays:
    """Read arrays, and write `train_x`, `train_y`, those of `test`, and of `val` where it was brought, as .npy files
    into a folder.

    Raises:
        InvalidUpload: they cannot be learnt from as they are. Names every fault, up to `MOST_FAULTS`.
    """
    parts = _parts(arrays)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            arrays[name] = array.astype(np.float64)
    example = _example(arrays, parts)
    begins: list[int] = np.cumsum([0, *(len(arrays[f"x_{part}"]) for part in parts)]).tolist()
    faults, bad = Faults(), np.zeros(begins[-1], bool)
    _check_values(arrays, parts, begins, example, faults, bad)
    answers = _answers(arrays, parts, begins, options, faults, bad)
    if faults.total and options.on_bad != "skip":
        raise InvalidUpload("", faults.named, total=faults.total)
    groups = answers.labels if answers.labels is not None else np.zeros(len(bad), np.int32)
    given: dict[Part, NDArray[np.intp]] = {
        part: begin + np.flatnonzero(~bad[begin:end])
        for part, begin, end in zip(parts, begins[:-1], begins[1:], strict=True)
    }
    places = divided(given, groups, options)
    size = begins[-1] * math.prod(example.shape) * (1 if example.dtype == np.uint8 else 4)
    if size > limits.most_encoded_bytes:
        raise InvalidUpload(f"the arrays take {size:,} bytes; at most {limits.most_encoded_bytes:,} are taken")
    x = _Joined([arrays[f"x_{part}"] for part in parts])
    encoding = None if example.dtype == np.uint8 else _standard(x, example, places.train)
    targets = _write(x, example, encoding, answers, places, into=into)
    write_sources(into, (x.source(parts, place) for place in places.test.tolist()))
    common: dict[str, Any] = {
        "task": "regression" if answers.classes is None else "classification",
        "classes": answers.classes,
        "targets": targets,
        "train_examples": len(places.train),
        "validation_examples": len(places.val),
        "test_examples": len(places.test),
        "report": _report(x, answers, places, faults, skipped=int(bad.sum())),
    }
    if example.is_image:
        height, width, channels = (*example.shape, 1)[:3]
        images = ImageEncoding.model_validate({"height": height, "width": width, "channels": channels})
        write_grids(into, images, answers.classes)
        return CheckedImages(encoding=images, **common)
    _write_preview(x, answers, places, into=into)
    dtype = "uint8" if example.dtype == np.uint8 else "float32"
    return CheckedArrays(encoding=encoding, shape=example.shape, dtype=dtype, **common)


def _report(x: "_Joined", answers: _Answers, places: Places, faults: Faults, *, skipped: int) -> Report:
    """What was seen. Raises InvalidUpload for classes that cannot be learnt."""
    hashes = np.array([_hash(row) for block in x.blocks(np.arange(x.count)) for row in block], f"V{HASH_BYTES}")
    twice = occurring_twice(hashes, answers.labels, places)
    counts = None
    if answers.classes is not None and answers.labels is not None:
        check_classes(answers.classes, answers.labels, places)
        counts = class_counts(answers.classes, answers.labels, places)
    return Report(
        skipped=skipped,
        faults=tuple(faults.named),
        faults_total=faults.total,
        duplicates=twice.duplicates,
        train_test_duplicates=twice.train_test,
        class_conflicts=twice.class_conflicts,
        class_counts=counts,
    )


class _Joined:
    """The examples of all parts, by their places in the upload."""

    def __init__(self, arrays: list[NDArray[Any]]) -> None:
        self._arrays = arrays
        self._begins = np.cumsum([0, *map(len, arrays)])
        self.values = math.prod(arrays[0].shape[1:])
        """Of an example."""
        self.count = sum(map(len, arrays))

    def source(self, parts: list[Part], place: int) -> str:
        """Where in which array an example is."""
        which = int(np.searchsorted(self._begins, place, side="right")) - 1
        return f"x_{parts[which]}[{place - int(self._begins[which])}]"

    def blocks(self, places: NDArray[np.intp]) -> Iterator[NDArray[Any]]:
        """The examples at these places, [n, …], so many at a time as fit into memory."""
        at_once = max(1, BLOCK_BYTES // (8 * self.values))
        for begin in range(0, len(places), at_once):
            some = places[begin : begin + at_once]
            block = np.empty((len(some), *self._arrays[0].shape[1:]), np.result_type(*self._arrays))
            which = np.searchsorted(self._begins, some, side="right") - 1
            for n, array in enumerate(self._arrays):
                block[which == n] = array[some[which == n] - self._begins[n]]
            yield block


# --- what is there ---------------------------------------------------------------------------------


def _parts(arrays: Arrays) -> list[Part]:
    """The parts that are there, training first. Raises InvalidUpload."""
    for part in PARTS:
        x, y = (arrays.get(f"{axis}_{part}") for axis in "xy")
        if (x is None) != (y is None) or (part == "train" and x is None):
            missing = [name for name, array in ((f"x_{part}", x), (f"y_{part}", y)) if array is None]
            there = ", ".join(arrays) or "no array"
            raise InvalidUpload(f"{' and '.join(missing)} is missing; there is {there}")
        if x is not None and y is not None:
            if not x.ndim or not y.ndim:
                raise InvalidUpload(f"x_{part} and y_{part} need a first axis: the examples")
            if len(x) != len(y):
                raise InvalidUpload(f"x_{part} has {len(x):,} examples, y_{part} {len(y):,}")
    return [part for part in PARTS if f"x_{part}" in arrays]


def _example(arrays: Arrays, parts: list[Part]) -> _Example:
    """What an example is. Raises InvalidUpload."""
    for part in parts:
        x = arrays[f"x_{part}"]
        if x.dtype.kind not in "biuf":
            raise InvalidUpload(f"x_{part} is of {x.dtype}; wanted: numbers")
        if x.ndim == 1:
            arrays[f"x_{part}"] = x = x.reshape(-1, 1)
        if x.shape[1:] != arrays["x_train"].shape[1:]:
            shapes = [" x ".join(map(str, arrays[name].shape[1:])) for name in ("x_train", f"x_{part}")]
            raise InvalidUpload(f"an example of x_train is {shapes[0]}, one of x_{part} {shapes[1]}")
    shape = arrays["x_train"].shape[1:]
    if not 0 < math.prod(shape) <= MOST_VALUES:
        raise InvalidUpload(f"an example has {math.prod(shape):,} values; wanted: 1 to {MOST_VALUES:,}")
    dtype = np.result_type(*(arrays[f"x_{part}"] for part in parts))
    return _Example(shape, dtype)


def _check_values(
    arrays: Arrays, parts: list[Part], begins: list[int], example: _Example, faults: Faults, bad: NDArray[np.bool_]
) -> None:
    """Note the examples that hold something else than finite numbers."""
    if example.dtype.kind != "f":
        return
    for part, begin in zip(parts, begins[:-1], strict=True):
        at = 0
        for block in _Joined([arrays[f"x_{part}"]]).blocks(np.arange(len(arrays[f"x_{part}"]))):
            flat = block.reshape(len(block), -1)
            wrong = ~np.isfinite(flat)
            for row in np.flatnonzero(wrong.any(axis=1)).tolist():
                where = np.unravel_index(int(wrong[row].argmax()), example.shape)
                found = f"{flat[row][wrong[row]][0]} at {[int(place) for place in where]}"
                faults.add(Fault(row=at + row + 1, column=f"x_{part}", found=found, wanted="finite numbers"))
                bad[begin + at + row] = True
            at += len(block)


def _answers(
    arrays: Arrays, parts: list[Part], begins: list[int], options: UploadOptions, faults: Faults, bad: NDArray[np.bool_]
) -> _Answers:
    """The labels or targets of all examples. Raises InvalidUpload."""
    kinds = {arrays[f"y_{part}"].dtype.kind for part in parts}
    are_texts = kinds <= set("US")
    if not are_texts and not kinds <= set("biuf"):
        raise InvalidUpload("the labels of one part are texts, and those of another numbers")
    if are_texts and options.task == "regression":
        raise InvalidUpload("y_train holds texts, and task=regression wants numbers")
    is_regression = options.task == "regression" or (options.task == "auto" and "f" in kinds)
    found = [_of_part(arrays[f"y_{part}"], part, several=is_regression) for part in parts]
    if is_regression:
        return _numbers(found, parts, begins, faults, bad)
    return _classes(found, parts, begins, faults, bad)


def _of_part(y: NDArray[Any], part: Part, *, several: bool) -> NDArray[Any]:
    """The answers of a part: [N, targets], or [N] of labels. Raises InvalidUpload."""
    if y.ndim == 2 and (several or y.shape[1] == 1):
        return y if several else y[:, 0]
    if y.ndim == 1:
        return y[:, None] if several else y
    shape = " x ".join(map(str, y.shape))
    wanted = "[N] or [N, targets]" if several else "[N]: the class of each example, not one-hot"
    raise InvalidUpload(f"y_{part} is {shape}; wanted: {wanted}")


def _numbers(
    found: list[NDArray[Any]], parts: list[Part], begins: list[int], faults: Faults, bad: NDArray[np.bool_]
) -> _Answers:
    widths = {part: y.shape[1] for part, y in zip(parts, found, strict=True)}
    if len(set(widths.values())) > 1 or not 1 <= widths["train"] <= MOST_TARGETS:
        told = ", ".join(f"y_{part} {width}" for part, width in widths.items())
        raise InvalidUpload(f"the number of targets is to be the same, 1 to {MOST_TARGETS}; there are: {told}")
    values = np.concatenate([np.asarray(y, np.float64) for y in found])
    wrong = np.logical_not(np.isfinite(values).all(axis=1, keepdims=True))[:, 0]
    for part, begin, end in zip(parts, begins[:-1], begins[1:], strict=True):
        for row in np.flatnonzero(wrong[begin:end]).tolist():
            strange = values[begin + row][~np.isfinite(values[begin + row])][0]
            faults.add(Fault(row=row + 1, column=f"y_{part}", found=str(strange), wanted="finite numbers"))
    bad |= wrong
    if not bad.all() and (same := (values[~bad] == values[~bad][0]).all(axis=0)).any():
        target = int(same.argmax())
        raise InvalidUpload(
            f"target {target} is {values[~bad][0][target]:g} in every example: there is nothing to learn"
        )
    return _Answers(None, None, np.where(wrong[:, None], 0.0, values))


def _classes(
    found: list[NDArray[Any]], parts: list[Part], begins: list[int], faults: Faults, bad: NDArray[np.bool_]
) -> _Answers:
    y: NDArray[Any] = np.concatenate([_texts(part) if part.dtype.kind == "S" else part for part in found])
    if y.dtype.kind == "f":
        wrong = ~(np.isfinite(y) & (y == np.round(y)))
    elif y.dtype.kind == "U":
        y = np.char.strip(y.astype(np.str_))
        wrong = (y == "") | (np.char.str_len(y) > LONGEST_CATEGORY)
    else:
        wrong = np.zeros(len(y), bool)
    for part, begin, end in zip(parts, begins[:-1], begins[1:], strict=True):
        for row in np.flatnonzero(wrong[begin:end]).tolist():
            wanted = f"a class: a whole number, or a text of 1 to {LONGEST_CATEGORY} characters"
            shown = escaped(str(y[begin + row]))[:40] or "an empty text"
            faults.add(Fault(row=row + 1, column=f"y_{part}", found=shown, wanted=wanted))
    bad |= wrong
    known, which = np.unique(y[~bad], return_inverse=True)
    if len(known) > MOST_CATEGORIES:
        raise InvalidUpload(
            f"{len(known):,} classes; at most {MOST_CATEGORIES:,} are taken: or are they numbers (task=regression)?"
        )
    labels = np.zeros(len(y), np.int32)
    labels[~bad] = which
    values = known.tolist()
    names = [_class_name(value) for value in values]
    return _Answers(names, labels, None)


def _texts(labels: NDArray[Any]) -> NDArray[Any]:
    return np.char.decode(labels, "utf-8", "replace")


def _class_name(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) else str(value)


# --- what it becomes -------------------------------------------------------------------------------


def _standard(x: _Joined, example: _Example, train: NDArray[np.intp]) -> ArrayEncoding:
    """Mean and deviation of the training examples."""
    by_feature = math.prod(example.shape) <= MOST_FEATURES
    width = math.prod(example.shape) if by_feature else example.shape[-1]
    mean = sum(block.astype(np.float64).reshape(-1, width).sum(axis=0) for block in x.blocks(train))
    count = len(train) * math.prod(example.shape) // width
    mean = np.asarray(mean / count)
    squares = sum(((block.astype(np.float64).reshape(-1, width) - mean) ** 2).sum(axis=0) for block in x.blocks(train))
    std = np.sqrt(np.asarray(squares / count))
    # Where all are the same, rounding may leave a little.
    std[std <= 1e-12 * np.abs(mean)] = 1.0
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        raise InvalidUpload("the numbers are too large for a mean and a deviation")
    return ArrayEncoding(mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def _write(
    x: _Joined, example: _Example, encoding: ArrayEncoding | None, answers: _Answers, places: Places, *, into: Path
) -> tuple[TargetColumn, ...] | None:
    """Write each part's arrays; the targets as they were standardised."""
    encoder = ArrayEncoder(encoding, example.shape) if encoding else None
    targets, y = _standard_targets(answers, places)
    for part, members in places.there.items():
        np.save(into / f"{part}_y.npy", y[members])
        shape, name = (len(members), x.values), f"{part}_x"
        out: NDArray[Any] = (
            new_array(into, name, np.float32, shape) if encoder else new_array(into, name, np.uint8, shape)
        )
        at = 0
        for block in x.blocks(members):
            encoded = encoder.encode(block) if encoder else block
            out[at : at + len(block)] = encoded.reshape(len(block), -1)
            at += len(block)
    return targets


def _standard_targets(
    answers: _Answers, places: Places
) -> tuple[tuple[TargetColumn, ...] | None, NDArray[np.int32] | NDArray[np.float32]]:
    if answers.numbers is None:
        assert answers.labels is not None
        return None, answers.labels
    count = answers.numbers.shape[1]
    names = ["target"] if count == 1 else [f"target_{n}" for n in range(count)]
    known = [(name, *moments(answers.numbers[places.train, n])) for n, name in enumerate(names)]
    means, stds = (np.array([one[place] for one in known], np.float64) for place in (1, 2))
    standard = ((answers.numbers - means) / stds).astype(np.float32)
    return tuple(TargetColumn(name=name, mean=mean, std=std) for name, mean, std in known), standard


def _write_preview(x: _Joined, answers: _Answers, places: Places, *, into: Path) -> None:
    """Write the first examples of each part, as a prediction takes them, with their answers, to `preview.json`."""
    few = max(1, min(PREVIEW_ROWS, PREVIEW_ROWS * PREVIEW_VALUES // x.values))
    preview: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    for part, members in places.there.items():
        some = members[:few]
        values = [example for block in x.blocks(some) for example in block.tolist()]
        for at, features in zip(some.tolist(), values, strict=True):
            shown: dict[str, Any] = {"features": features}
            if answers.labels is not None and answers.classes is not None:
                shown["label"] = answers.classes[int(answers.labels[at])]
            elif answers.numbers is not None:
                shown["targets"] = answers.numbers[at].tolist()
            preview[part].append(shown)
    (into / PREVIEW).write_text(json.dumps(preview), "utf-8")


def _hash(example: NDArray[Any]) -> bytes:
    return hashlib.blake2b(example.tobytes(), digest_size=HASH_BYTES).digest()
