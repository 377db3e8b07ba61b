"""What is predicted, as JSON has it, and what is wrong with it, as the caller named it."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

from jobs.wire import FieldError


def by_file_name(error: FieldError, pictures: Sequence[str | os.PathLike[str] | bytes]) -> FieldError:
    """What is wrong with a picture, by its file's name where it has one."""
    place = (error.pointer or "").removeprefix("/instances/")
    picture = pictures[int(place)] if place.isdigit() and int(place) < len(pictures) else b""
    if isinstance(picture, bytes):
        return error
    return error.model_copy(update={"detail": f"{os.fspath(picture)}: {error.detail}"})


def plain(value: Any) -> Any:
    """An example as JSON has it: NumPy's arrays and numbers as lists and Python's own, NaN as null."""
    listed: Any = getattr(value, "tolist", None)
    if listed:
        value = listed()
    if isinstance(value, Mapping):
        return {name: plain(cell) for name, cell in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(cell) for cell in cast("Sequence[Any]", value)]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
