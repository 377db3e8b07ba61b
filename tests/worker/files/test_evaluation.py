"""The file `evaluation.json`: what was trained on, and examples as a person can look at them."""

import base64
import io
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn, RowEncoding
from jobs.dataset_versions import DatasetVersion
from jobs.datasets import Target
from jobs.encoding import UNSEEN, ArrayEncoder, Raw, RowEncoder
from jobs.evaluation import ClassEvaluation, Evaluation, ShownExample, TargetEvaluation
from jobs.inputs import ArrayEncoding
from jobs.model_encoding import ModelEncoding
from worker.datasets.memory import Dataset, Datasets
from worker.engine.evaluation import evaluate
from worker.files.evaluation import evaluation_json, png

ROWS = RowEncoding(
    columns=(
        NumericColumn(name="age", mean=40.0, std=10.0, missing=True),
        LeftOutColumn(name="id", reason="ignored"),
        CategoricalColumn(name="town", categories=("Bonn", "Ulm"), missing=False),
        NumericColumn(name="income", mean=51_234.5, std=20_111.0, missing=False),
        CategoricalColumn(name="colour", categories=("3", "red"), missing=True),
        LeftOutColumn(name="bought", reason="target"),
    )
)
RAW: list[dict[str, Raw]] = [
    {"age": 31.5, "town": "Ulm", "income": 48_000, "colour": "red"},
    {"age": None, "town": "Bonn", "income": 0, "colour": None},
    {"age": -7, "town": "Köln", "income": 1234.6, "colour": "blue"},
]


def dataset_of(
    test_x: np.ndarray,
    *,
    encoding: RowEncoding | ArrayEncoding | None = None,
    sources: bytes | None = None,
    **changes: Any,
) -> Dataset:
    """An uploaded dataset of two classes with these test examples."""
    version = DatasetVersion.model_validate(
        {
            "name": "uploaded",
            "version": 3,
            "sha256": "5" * 64,
            "options_sha256": "0" * 64,
            "kind": "table",
            "task": "classification",
            "shape": test_x.shape[1:],
            "dtype": str(test_x.dtype),
            "classes": ("a", "b"),
            "encoding": encoding and encoding.model_dump(mode="json"),
            "train_examples": 4,
            "test_examples": len(test_x),
            "size_bytes": 100,
            "stored_bytes": 200,
            "folder": "0" * 16,
            "created_at": datetime(2026, 11, 28, tzinfo=UTC),
            "report": {"duplicates": 2, "class_counts": {"a": 5, "b": 2}},
            **changes,
        }
    )
    flat = test_x.reshape(len(test_x), -1)
    none = np.empty((0, flat.shape[1]), flat.dtype)
    labels = np.zeros(len(flat), np.int32)
    return Dataset(
        version.info,
        train_x=none,
        train_y=labels[:0],
        test_x=flat,
        test_y=labels,
        encoding=ModelEncoding.of(version.info, rows=version.rows, images=version.images, arrays=version.arrays),
        version=version,
        test_sources=sources,
    )


def all_wrong(dataset: Dataset) -> ClassEvaluation:
    """The evaluation of a model that tells `b` of every example, of the later ones the more surely."""
    outputs = np.zeros((len(dataset.test_x), len(dataset.info.classes)), np.float32)
    outputs[:, 1] = np.arange(1, len(outputs) + 1)
    found = evaluate([(outputs, dataset.test_y)], dataset.info, loss="cross_entropy")
    assert isinstance(found, ClassEvaluation)
    return found


def read(content: bytes) -> Evaluation:
    """The file as the API reads it."""
    return Evaluation.model_validate_json(content)


def shown(dataset: Dataset) -> list[ShownExample]:
    """The test examples as the file of a model shows them that is wrong about them all, in their order."""
    classification = read(evaluation_json(all_wrong(dataset), dataset)).classification
    assert classification
    assert len(classification.worst) == len(dataset.test_x)
    return [it.example for it in sorted(classification.worst, key=lambda it: it.index)]


def pictures(dataset: Dataset) -> Iterator[np.ndarray]:
    """What the file's pictures are to somebody else's program: uint8 [height, width, channels]."""
    for example in shown(dataset):
        assert (example.row, example.values) == (None, None)
        with Image.open(io.BytesIO(base64.b64decode(example.picture or "", validate=True))) as picture:
            assert picture.format == "PNG"
            pixels = np.asarray(picture)
        yield pixels if pixels.ndim == 3 else pixels[..., None]


# --- the whole ------------------------------------------------------------------------------------


def test_an_evaluation_of_classes_is_read_as_it_was_written() -> None:
    encoder = RowEncoder(ROWS)
    dataset = dataset_of(encoder.encode(encoder.read(RAW)), encoding=ROWS)
    told = all_wrong(dataset)
    found = read(evaluation_json(told, dataset))
    assert found.classification
    assert found.regression is None
    without_examples = [it.model_copy(update={"example": ShownExample()}) for it in found.classification.worst]
    assert found.classification.model_copy(update={"worst": tuple(without_examples)}) == told
    assert (found.test_examples, found.format) == (3, 1)
    assert (found.dataset.id, found.dataset.sha256) == ("uploaded@3", "5" * 64)
    assert found.dataset.report
    assert (found.dataset.report.duplicates, found.dataset.class_counts) == (2, {"a": 5, "b": 2})
    assert found.dataset.features.columns == ROWS.columns
    assert found.software["tensorflow"] == tf.__version__
    assert found.software["python"] == platform.python_version()
    assert found.software.keys() >= {"gradientd", "keras", "numpy"}


def test_an_evaluation_of_targets_is_read_as_it_was_written() -> None:
    encoder = RowEncoder(ROWS)
    encoded = encoder.encode(encoder.read(RAW))
    numbers: dict[str, Any] = {"task": "regression", "classes": None, "targets": (Target("price", 9.5, 2.5),)}
    dataset = dataset_of(encoded, encoding=ROWS, **numbers)
    outputs, wanted = np.array([[0], [1], [-3]], np.float32), np.zeros((3, 1), np.float32)
    told = evaluate([(outputs, wanted)], dataset.info, loss="mse")
    assert isinstance(told, TargetEvaluation)
    found = read(evaluation_json(told, dataset))
    assert found.classification is None
    assert found.regression
    assert found.regression.targets == told.targets
    assert [(it.index, it.actual, it.predicted) for it in found.regression.worst] == [
        (2, 9.5, 2.0),
        (1, 9.5, 12.0),
        (0, 9.5, 9.5),
    ]
    assert [it.example.row for it in found.regression.worst] == [
        RAW[2] | {"town": UNSEEN, "colour": UNSEEN},
        *RAW[1::-1],
    ]
    assert found.dataset.targets
    assert (found.dataset.targets[0].name, found.dataset.classes) == ("price", None)


def test_a_built_in_dataset_has_neither_version_nor_report(tmp_path: Path) -> None:
    digits = Datasets(tmp_path).load("mnist-10k")
    outputs = np.eye(10, dtype=np.float32)[(digits.test_y + 1) % 10]
    told = evaluate([(outputs, digits.test_y)], digits.info, loss="mse")
    found = read(evaluation_json(told, digits))
    assert (found.dataset.id, found.dataset.version, found.dataset.report) == ("mnist-10k", None, None)
    assert found.test_examples == 1000
    assert found.classification
    assert len(found.classification.worst) == 24
    for it in found.classification.worst:
        with Image.open(io.BytesIO(base64.b64decode(it.example.picture or ""))) as picture:
            assert np.array_equal(np.asarray(picture).reshape(-1), digits.test_x[it.index])


def test_an_example_is_named_as_the_upload_has_it() -> None:
    pixels = np.zeros((3, 2, 2, 1), np.uint8)
    dataset = dataset_of(pixels, kind="images", sources="katzen/ä 1.png\nkatzen/2.png\nrow 7".encode())
    assert [it.source for it in shown(dataset)] == ["katzen/ä 1.png", "katzen/2.png", "row 7"]
    assert [it.source for it in shown(dataset_of(pixels, kind="images"))] == [None] * 3


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (14, 9), (96, 96), (5, 96)])
def test_a_small_picture_has_the_very_pixels(channels: int, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, *size, channels)).astype(np.uint8)
    for found, wanted in zip(pictures(dataset_of(pixels, kind="images")), pixels, strict=True):
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("size", "smaller"),
    [
        ((97, 97), (96, 96)),
        ((200, 100), (96, 48)),
        ((100, 200), (48, 96)),
        ((3, 1000), (1, 96)),
        ((1000, 3), (96, 1)),
        ((480, 640), (72, 96)),
    ],
)
def test_a_large_picture_is_shown_smaller_and_in_proportion(
    channels: int, size: tuple[int, int], smaller: tuple[int, int]
) -> None:
    (found,) = pictures(dataset_of(np.full((1, *size, channels), 201, np.uint8), kind="images"))
    assert found.shape == (*smaller, channels)
    assert (found == 201).all()


def test_a_pixel_of_a_smaller_picture_is_the_mean_of_those_it_stands_for() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (1, 192, 384, 3)).astype(np.uint8)
    (found,) = pictures(dataset_of(pixels, kind="images"))
    means = pixels[0].reshape(48, 4, 96, 4, 3).mean(axis=(1, 3))
    assert np.abs(found - means).max() <= 0.5 + 1e-3


def test_the_same_picture_is_the_same_bytes() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (120, 110, 3)).astype(np.uint8)
    assert png(pixels) == png(pixels.copy())


# --- rows and arrays ------------------------------------------------------------------------------


def test_a_row_is_the_raw_row_again() -> None:
    encoder = RowEncoder(ROWS)
    dataset = dataset_of(encoder.encode(encoder.read(RAW)), encoding=ROWS)
    rows = [it.row for it in shown(dataset)]
    assert rows == [*RAW[:2], {**RAW[2], "town": UNSEEN, "colour": UNSEEN}]
    assert [list(row or ()) for row in rows] == [["age", "town", "income", "colour"]] * 3


def test_a_wide_row_is_its_first_fifty_columns() -> None:
    rows = RowEncoding(columns=tuple(NumericColumn(name=f"c{n}", mean=n, std=1, missing=False) for n in range(60)))
    encoder = RowEncoder(rows)
    encoded = encoder.encode(encoder.read([{f"c{n}": n + 0.5 for n in range(60)}]))
    (found,) = shown(dataset_of(encoded, encoding=rows))
    assert found.row == {f"c{n}": n + 0.5 for n in range(50)}


@pytest.mark.parametrize("along", [1, 4, 100])
def test_values_of_an_array_are_in_their_own_units(along: int) -> None:
    shape = (25, 4) if along == 4 else (100, 1)
    rng = np.random.default_rng(5)
    means, stds = rng.normal(scale=1000, size=along).round(2), rng.uniform(0.5, 20, size=along).round(2)
    encoding = ArrayEncoding(mean=tuple(means.tolist()), std=tuple(stds.tolist()))
    raw = rng.normal(scale=50, size=(3, *shape)).round(2)
    dataset = dataset_of(ArrayEncoder(encoding, shape).encode(raw), kind="arrays", encoding=encoding)
    for found, wanted in zip(shown(dataset), raw, strict=True):
        assert (found.row, found.picture) == (None, None)
        assert found.values == pytest.approx(wanted.reshape(-1)[:64].tolist(), abs=1e-3)


def test_bytes_of_an_array_are_as_they_are() -> None:
    raw = np.arange(200, dtype=np.uint8).reshape(2, 10, 10)
    found = [it.values for it in shown(dataset_of(raw, kind="arrays"))]
    assert found == [tuple(range(64)), tuple(range(100, 164))]


def test_a_short_array_is_shown_whole() -> None:
    encoding = ArrayEncoding(mean=(1.0, 2.0), std=(0.5, 2.0))
    encoded = ArrayEncoder(encoding, (2,)).encode(np.array([[1.25, -4]]))
    (found,) = shown(dataset_of(encoded, kind="arrays", encoding=encoding))
    assert found.values == (1.25, -4)
