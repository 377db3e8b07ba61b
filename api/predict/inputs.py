"""What a request wants predicted, as the arrays that a model takes."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from api.http import kinds
from api.http.pointers import to_pointer
from api.http.problems import Refused, refused_for
from api.pictures import WANTED, UnreadablePicture, decode, pixels_of
from api.predict.model import Model
from api.uploads.csv_rows import delimiter_of
from jobs.encoding import Raw, RowEncoder, shown
from jobs.faults import UnreadableRows
from jobs.inputs import ImageEncoding
from jobs.wire import MOST_ERRORS, FieldError

MOST_INSTANCES = 100_000
MOST_PIXELS_AT_ONCE = 200_000_000
"""Of all pictures of a request, as they came."""


def rows_in(instances: Sequence[Any], columns: Sequence[str]) -> list[Mapping[str, Raw]]:
    """A table's raw rows out of JSON: objects of columns, or lists of the values of all `columns` in their order.

    Raises Refused, naming each instance that is neither.
    """
    rows: list[Mapping[str, Raw]] = []
    errors: list[FieldError] = []
    for place, instance in enumerate(instances):
        if isinstance(instance, dict):
            rows.append(cast("dict[str, Raw]", instance))
        elif isinstance(instance, list) and len(cast("list[Any]", instance)) == len(columns):
            rows.append(dict(zip(columns, cast("list[Raw]", instance), strict=True)))
        else:
            detail = f"found {_kind_of(instance)}; wanted an object of columns, or a list of {len(columns):,} values"
            errors.append(FieldError(pointer=to_pointer(("instances", place)), detail=detail))
            continue
        for name, cell in rows[-1].items():
            if isinstance(cell, (dict, list)):
                pointer = to_pointer(("instances", place, name))
                errors.append(FieldError(pointer=pointer, detail=f"found {_kind_of(cell)}; wanted a number or a text"))
    if errors:
        raise refused_for(kinds.INVALID_INPUTS, errors)
    return rows


def encoded_rows(model: Model, rows: Sequence[Mapping[str, Raw]]) -> NDArray[np.float32]:
    """The rows as the model takes them: float32 [N, width].

    Raises UnreadableRows, and Refused for one that cannot be encoded by this model at all.
    """
    assert model.encoder
    return model.encoder.encode(model.encoder.read(rows))


def pointed(error: UnreadableRows) -> list[FieldError]:
    """Where in a JSON body each fault is, the first ones."""
    return [
        FieldError(
            pointer=to_pointer(("instances", (fault.row or 1) - 1, *([fault.column] if fault.column else ()))),
            detail=f"found {fault.found}; wanted {fault.wanted}",
        )
        for fault in error.faults[:MOST_ERRORS]
    ]


def images_in(instances: Sequence[Any], encoding: ImageEncoding, *, quick: bool = False) -> NDArray[np.uint8]:
    """Images out of nested lists of whole numbers, 0 to 255, a single channel of which may be left out, or of files of
    pictures in base64: `{"b64": "…"}`. uint8 [N, height, width, channels].

    Raises Refused, naming each image that is of another shape, has other values, or cannot be read; NotQuick as
    `decode` does.
    """
    images = np.empty((len(instances), *encoding.shape), np.uint8)
    errors: list[FieldError] = []
    pixels = 0
    for place, instance in enumerate(instances):
        try:
            if isinstance(instance, dict):
                pixels += _pixels_in(cast("dict[str, Any]", instance))
                if pixels > MOST_PIXELS_AT_ONCE:
                    raise Refused(
                        kinds.INVALID_INPUTS, f"more than {MOST_PIXELS_AT_ONCE:,} pixels; send fewer pictures"
                    )
                images[place] = _decoded(cast("dict[str, Any]", instance), encoding, quick=quick)
            else:
                images[place] = _bytes_in(instance, encoding.shape)
        except ValueError as error:
            errors.append(FieldError(pointer=to_pointer(("instances", place)), detail=str(error)))
    if errors:
        raise refused_for(kinds.INVALID_INPUTS, errors)
    return images


def picture_in(content: bytes, encoding: ImageEncoding, *, quick: bool = False) -> NDArray[np.uint8]:
    """The image that a picture's file is: uint8 [1, height, width, channels]. Raises Refused, and NotQuick."""
    try:
        return decode(content, encoding, quick=quick)[None]
    except UnreadablePicture as error:
        raise Refused(kinds.INVALID_INPUTS, f"found {error}; wanted {WANTED}") from error


def arrays_in(model: Model, instances: Sequence[Any]) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Arrays out of nested lists of numbers: [N, …] of the model's shape and type, encoded.

    Raises Refused, naming each array that is of another shape or has other values.
    """
    shape, encoder = model.encoding.shape, model.array_encoder
    arrays = np.empty((len(instances), *shape), np.float64 if encoder else np.uint8)
    errors: list[FieldError] = []
    for place, instance in enumerate(instances):
        try:
            arrays[place] = _numbers_in(instance, shape) if encoder else _bytes_in(instance, shape)
        except ValueError as error:
            errors.append(FieldError(pointer=to_pointer(("instances", place)), detail=str(error)))
    if errors:
        raise refused_for(kinds.INVALID_INPUTS, errors)
    return encoder.encode(arrays) if encoder else arrays.astype(np.uint8, copy=False)


def _decoded(instance: Mapping[str, Any], encoding: ImageEncoding, *, quick: bool) -> NDArray[np.uint8]:
    """The picture in `{"b64": "…"}`. Raises ValueError."""
    try:
        return decode(_file_in(instance), encoding, quick=quick)
    except UnreadablePicture as error:
        raise ValueError(f"found {error}; wanted {WANTED}") from error


def _pixels_in(instance: Mapping[str, Any]) -> int:
    """How many a picture's head tells of. Raises ValueError."""
    try:
        return pixels_of(_file_in(instance))
    except UnreadablePicture as error:
        raise ValueError(f"found {error}; wanted {WANTED}") from error


def _file_in(instance: Mapping[str, Any]) -> bytes:
    """The bytes in `{"b64": "…"}`. Raises ValueError."""
    text = instance.get("b64")
    if list(instance) != ["b64"] or not isinstance(text, str):
        raise ValueError('found an object; wanted nested lists of values, or {"b64": "…"} with a picture\'s file')
    try:
        return base64.b64decode("".join(text.split()), validate=True)  # commands break its lines
    except ValueError as error:
        raise ValueError("found no base64 in b64") from error


def _bytes_in(instance: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Whole numbers from 0 to 255. Raises ValueError."""
    found = _shaped(instance, shape)
    if not _are_pixels(found):
        raise ValueError("found other values than whole numbers from 0 to 255")
    return found


def _numbers_in(instance: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Finite numbers. Raises ValueError."""
    found = _shaped(instance, shape)
    if found.dtype.kind not in "biuf" or not np.isfinite(found).all():
        raise ValueError("found other values than finite numbers")
    return found


def _shaped(instance: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Nested lists as an array of this shape; a last axis of one may be left out. Raises ValueError."""
    try:
        found = np.asarray(instance)
    except (ValueError, OverflowError):
        found = np.empty(0, object)
    if found.shape == shape[:-1] and shape[-1] == 1:
        found = found[..., None]
    if found.shape != shape:
        wanted = " x ".join(map(str, shape))
        got = " x ".join(map(str, found.shape)) if found.size and found.ndim else _kind_of(instance)
        raise ValueError(f"found {got}; wanted nested lists of {wanted} values")
    return found


def rows_of_csv(content: bytes, encoder: RowEncoder) -> list[Mapping[str, Raw]]:
    """A table's raw rows out of a CSV with a header.

    Raises Refused, also for rows with too few or too many cells, and UnreadableRows for columns that do not fit.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_csv(f"the CSV is not in UTF-8: {error.reason}") from error
    if "\0" in text:
        raise _no_csv("the CSV holds the character NUL")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text.split("\n", 1)[0]), strict=True)
        header = [name.strip() for name in next(reader, list[str]())]
        table = [row for row in reader if row]
    except csv.Error as error:
        raise _no_csv(f"the CSV cannot be read: {error}") from error
    if len(set(header)) < len(header) or not all(header):
        raise _no_csv("the CSV's header has a column twice, or one without a name")
    encoder.check_columns(header)
    if not table:
        raise _no_csv("the CSV has no rows")
    if len(table) > MOST_INSTANCES:
        raise _no_csv(f"{len(table):,} rows; at most {MOST_INSTANCES:,} are predicted at once")
    for number, row in enumerate(table, 1):
        if len(row) != len(header):
            raise _no_csv(f"row {number} has {len(row)} cells, the header {len(header)}")
    return [dict(zip(header, row, strict=True)) for row in table]


def _no_csv(detail: str) -> Refused:
    return Refused(kinds.INVALID_INPUTS, detail)


def _are_pixels(found: NDArray[Any]) -> bool:
    if found.dtype.kind not in "iuf":
        return False
    return bool(((found >= 0) & (found <= 255)).all()) and bool((found == np.floor(found)).all())


def _kind_of(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value):,} values"  # pyright: ignore[reportUnknownArgumentType]
    return shown(value)
