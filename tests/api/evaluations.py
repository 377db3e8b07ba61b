"""Evaluations as workers leave them, made by hand."""

import base64
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from PIL import Image

from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn
from jobs.datasets import DatasetInfo, Target
from jobs.evaluation import Evaluation, ShownExample
from jobs.wire import Dataset, FaultAt, Features, Regressand, SizeCount, UploadReport
from worker.engine.evaluation import ModelEvaluation, evaluate

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--",
    "<!--<script>",
    "<img src=x onerror=alert(2)>",
    '<a href="javascript:alert(3)">x</a>',
    "<b>bold</b>&lt;&amp;",
    "__proto__",
    "%{x} $\\alpha$ \u2028\u202e",
    "12",
    "",
)
"""Names as nobody should give them."""


def picture(shade: int) -> str:
    """A grey picture as the file has it."""
    content = io.BytesIO()
    Image.new("L", (5, 4), shade).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def of_classes(
    names: Sequence[str], *, shown: Sequence[ShownExample] = (), columns: Sequence[str] = (), wrong: bool = True
) -> Evaluation:
    """Of ten test examples a class, of which some are taken for the next one where any are to be wrong. The worst of
    them look like those shown."""
    count = len(names)
    labels = np.repeat(np.arange(count, dtype=np.int32), 10)
    outputs = np.random.default_rng(1).normal(size=(len(labels), count)).astype(np.float32)
    outputs[np.arange(len(labels)), labels] += 6
    if wrong:
        outputs[np.arange(0, len(labels), 5), (labels[::5] + 1) % count] += 9
    info = DatasetInfo(
        name="made-up",
        kind="images" if shown and shown[0].picture else "table",
        shape=(4, 5, 1),
        classes=tuple(names),
        train_examples=20 * count,
        test_examples=len(labels),
    )
    report = UploadReport(class_counts=dict.fromkeys(names, 30), constant_columns=tuple(columns))
    return _whole(evaluate([(outputs, labels)], info, loss="cross_entropy"), info, report, shown, columns)


def of_targets(names: Sequence[str], *, shown: Sequence[ShownExample] = (), columns: Sequence[str] = ()) -> Evaluation:
    """Of a hundred test examples, each target's errors twice as large as those of the one before it."""
    targets = tuple(Target(name, 100.0 * n, 10.0 ** (n - 1)) for n, name in enumerate(names))
    rng = np.random.default_rng(2)
    wanted = rng.normal(size=(100, len(names))).astype(np.float32)
    told = (wanted + rng.normal(size=wanted.shape) * 0.1 * 2.0 ** np.arange(len(names))).astype(np.float32)
    info = DatasetInfo(name="made-up", kind="table", shape=(3,), targets=targets, train_examples=400, test_examples=100)
    return _whole(evaluate([(told, wanted)], info, loss="mse"), info, UploadReport(), shown, columns)


def _whole(
    told: ModelEvaluation,
    info: DatasetInfo,
    report: UploadReport,
    shown: Sequence[ShownExample],
    columns: Sequence[str],
) -> Evaluation:
    worst = tuple(
        it.model_copy(update={"example": shown[n % len(shown)]}) if shown else it for n, it in enumerate(told.worst)
    )
    known: list[Any] = []
    for n, name in enumerate(columns):
        known += [
            NumericColumn(name=name, mean=1.5, std=2.0, missing=True),
            CategoricalColumn(name=f"{name}{n}", categories=tuple(columns), missing=False),
            LeftOutColumn(name=f"{name}-{n}", reason="too_many_categories"),
        ]
    faults = tuple(FaultAt(file=name, row=n, column=name, found=name, wanted=name) for n, name in enumerate(columns))
    dataset = Dataset(
        id="made-up@1",
        name="made-up",
        version=1,
        description=columns[0] if columns else "",
        kind=info.kind,
        task=info.task,
        features=Features(shape=info.shape, dtype=info.dtype, columns=tuple(known) or None),
        classes=info.classes or None,
        targets=tuple(Regressand(**target._asdict()) for target in info.targets) or None,
        train_examples=info.train_examples,
        test_examples=info.test_examples,
        class_counts=report.class_counts,
        sha256="5" * 64,
        report=report.model_copy(
            update={
                "faults": faults,
                "faults_total": len(faults),
                "sizes": (SizeCount(height=480, width=640, count=3),) if info.kind == "images" else None,
            }
        ),
        created_at=datetime(2026, 11, 28, tzinfo=UTC),
    )
    part = "classification" if info.classes else "regression"
    return Evaluation.model_validate(
        {
            "dataset": dataset,
            "software": {"tensorflow": "2.21.0", "python": "3.11"},
            "test_examples": info.test_examples,
            part: told.model_copy(update={"worst": worst}),
        }
    )
