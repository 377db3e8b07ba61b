"""Raw rows of a table to what a downloaded model takes, by its `encoding.json`. Needs NumPy alone.

import json, onnxruntime
encoding = json.load(open("encoding.json"))
rows = [{"age": "31", "city": "Bern"}]  # or those of csv.DictReader
session = onnxruntime.InferenceSession("model.onnx")
(told,) = session.run(None, {"features": encode(encoding, rows)})
print([label(encoding, one) for one in told])
"""

import math

import numpy as np

FARTHEST = 1e6


def encode(encoding, rows):
    """Rows, mappings of raw cells by column, as float32 [N, width]. Raises ValueError for a cell that is no number."""
    columns, missing = encoding["rows"]["columns"], set(encoding["rows"]["missing_markers"])
    return np.array([[x for c in columns for x in values(c, row, missing)] for row in rows], np.float32)


def values(column, row, missing):
    """What a column of a row becomes."""
    if column["kind"] == "left_out":
        return []
    cell = text(row[column["name"]])
    is_missing = cell is None or cell in missing
    if column["kind"] == "numeric":
        number = column["mean"] if is_missing else float(cell)
        scaled = min(max((number - column["mean"]) / column["std"], -FARTHEST), FARTHEST)
        return [scaled, float(is_missing)] if column["missing"] else [scaled]
    places = {category: place for place, category in enumerate(column["categories"])}
    width = len(places) + column["missing"] + 1
    unseen = width - 1  # the last place, for what training did not have
    return list(np.eye(width)[len(places) if is_missing else places.get(cell, unseen)])


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
