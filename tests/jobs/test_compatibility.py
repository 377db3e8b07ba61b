"""Specs that do not go with their data are refused where the field stands."""

from typing import Any

import pytest

from jobs.compatibility import check_fit
from jobs.datasets import DatasetInfo, Target, find
from jobs.errors import InvalidSpec
from jobs.spec import Spec

CLASSES = DatasetInfo(name="rows@1", kind="table", shape=(4,), classes=("a", "b"), train_examples=80, test_examples=20)
NUMBERS = DatasetInfo(
    name="numbers@1", kind="table", shape=(4,), targets=(Target("x", 0, 1),), train_examples=80, test_examples=20
)
IMAGES = find("mnist-10k")
VALIDATED = DatasetInfo(
    name="brought@1", shape=(8, 8, 1), classes=("a", "b"), train_examples=80, validation_examples=9, test_examples=20
)


@pytest.mark.parametrize(
    ("dataset", "body", "pointer"),
    [
        (CLASSES, {"loss": "mae"}, "/loss"),
        (CLASSES, {"loss": "huber"}, "/loss"),
        (CLASSES, {"augmentation": {"zoom": 0.1}}, "/augmentation"),
        (CLASSES, {"class_weights": {"a": 2.0, "c": 1.0}}, "/class_weights"),
        (CLASSES, {"early_stopping": {"monitor": "r2"}}, "/early_stopping/monitor"),
        (CLASSES, {"early_stopping": {"monitor": "val_accuracy"}}, "/early_stopping/monitor"),
        (NUMBERS, {"loss": "cross_entropy"}, "/loss"),
        (NUMBERS, {"label_smoothing": 0.1}, "/label_smoothing"),
        (NUMBERS, {"class_weights": "balanced"}, "/class_weights"),
        (NUMBERS, {"validation_split": 0.1, "early_stopping": {"monitor": "val_accuracy"}}, "/early_stopping/monitor"),
        (CLASSES, {"export": ["tflite_int8"]}, "/export"),
        (VALIDATED, {"validation_split": 0.1}, "/validation_split"),
        (IMAGES, {"loss": "mae"}, "/loss"),
        (IMAGES, {"early_stopping": {}}, "/early_stopping/monitor"),
    ],
)
def test_what_the_data_does_not_have_is_refused(dataset: DatasetInfo, body: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        check_fit(Spec.model_validate(body), dataset)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("dataset", "body"),
    [
        (CLASSES, {"loss": "cross_entropy", "class_weights": {"b": 9}, "label_smoothing": 0.1}),
        (CLASSES, {"class_weights": "balanced", "early_stopping": {"monitor": "accuracy"}}),
        (NUMBERS, {"loss": "huber", "validation_split": 0.2, "early_stopping": {"monitor": "val_r2"}}),
        (NUMBERS, {}),
        (IMAGES, {"augmentation": {"zoom": 0.1}, "class_weights": {"7": 2}}),
        (VALIDATED, {"early_stopping": {}, "export": ["tflite_int8"]}),
    ],
)
def test_what_it_has_is_not(dataset: DatasetInfo, body: dict[str, Any]) -> None:
    check_fit(Spec.model_validate(body), dataset)
