"""Raw rows of a table to what a downloaded model takes, by its `encoding.json`. Needs NumPy alone."""

import math
import re

import numpy as np

FARTHEST = 1e6
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def encode(encoding, rows):
    """Rows, mappings of raw cells by column, as float32 [N, width]. Raises ValueError for a cell that is no number."""
    columns, missing = encoding["rows"]["columns"], set(encoding["rows"]["missing_markers"])
    return np.array([[x for c in columns for x in values(c, row, missing)] for row in rows], np.float32)


def values(column, row, missing):
    """What a column of a row becomes."""
    if column["kind"] == "left_out":
        return []
    raw = row[column["name"]]
    cell = text(raw)
    is_missing = cell is None or cell in missing
    if column["kind"] == "numeric":
        if not is_missing and not (NUMBER.fullmatch(cell) and math.isfinite(float(cell))):
            raise ValueError(f"{column['name']}: {cell!r} is no number")
        number = column["mean"] if is_missing else float(cell)
        scaled = min(max((number - column["mean"]) / column["std"], -FARTHEST), FARTHEST)
        return [scaled, float(is_missing)] if column["missing"] else [scaled]
    names = column["categories"]
    place = next((n for n, name in enumerate(names) if is_same(name, cell, raw)), len(names) + column["missing"])
    return list(np.eye(len(names) + column["missing"] + 1)[len(names) if is_missing else place])


def is_same(name, cell, raw):
    """Whether a category is what a cell holds: the same text, or value where JSON has no text."""
    if name == cell or not isinstance(raw, (bool, int, float)):
        return name == cell
    return name.lower() == cell if isinstance(raw, bool) else NUMBER.fullmatch(name) and float(name) == raw


def text(cell):
    """A cell as a CSV has it, without the space around it; None for null and NaN."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell).strip()


def label(encoding, outputs):
    """What a row's outputs say: its class, or its numbers by target."""
    if encoding["classes"]:
        return encoding["classes"][int(np.argmax(outputs))]
    return {name: float(value) for (name, _, _), value in zip(encoding["targets"], outputs, strict=True)}
