"""What suits a dataset, picked by its kind, task and size: a pure function of it, with a reason for each choice.

Measured with `python -m bench tables`; for images with 30 of each class, where augmentation gave 2.4 points of
accuracy on 8 x 8 digits and 3.6 on MNIST.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from jobs.datasets import DatasetInfo

VALIDATION_SPLIT = 0.1
PATIENCE = 20
"""Epochs without improvement."""
FEW_EXAMPLES = 200
"""Below so many a tenth of them is too few to say when to stop: iris lost 1.8 points of accuracy by it, and none so."""


class Choice(BaseModel):
    """A value that a spec left open, and that the data decided."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: Annotated[str, Field(description="Name of the spec's field.", examples=["batch_size"])]
    value: Annotated[Any, Field(description="What it became.", examples=[32])]
    reason: Annotated[str, Field(description="Why.", examples=["900 training examples"])]


def picked(dataset: DatasetInfo, given: Mapping[str, Any]) -> Iterator[Choice]:
    """The choices for a dataset. Those of fields that were `given` only show what they would be.

    What goes together with a given field is picked so that it does.
    """
    yield from _for_images(dataset) if dataset.kind == "images" else _for_values(dataset)
    yield from stopping(dataset, given)


def _for_values(dataset: DatasetInfo) -> Iterator[Choice]:
    examples = dataset.train_examples
    what = "rows of a table" if dataset.kind == "table" else "arrays"
    yield Choice(field="model", value={"type": "mlp", "hidden": [64, 64], "dropout": 0.1}, reason=what)
    yield loss(dataset)
    yield Choice(field="optimizer", value={"type": "adam", "learning_rate": 0.001}, reason="learns without tuning")
    size = 32 if examples <= 10_000 else 128 if examples <= 100_000 else 512
    yield Choice(field="batch_size", value=size, reason=f"{examples:,} training examples")
    epochs = 200 if examples <= 10_000 else 50 if examples <= 100_000 else 20
    yield Choice(field="epochs", value=epochs, reason=f"at most, for {examples:,} training examples")


def _for_images(dataset: DatasetInfo) -> Iterator[Choice]:
    examples = dataset.train_examples
    height, width, _ = dataset.shape
    # Each block halves the picture: what is left is some eight pixels wide.
    blocks = max(3, math.ceil(math.log2(min(height, width) / 8)))
    filters = [min(16 << block, 128) for block in range(blocks)]
    model = {"type": "cnn", "filters": filters, "dropout": 0.3}
    yield Choice(field="model", value=model, reason=f"images of {height} x {width}")
    yield loss(dataset)
    if dataset.task == "classification":
        shift = min(16, max(1, round(min(height, width) / 16)))
        yield Choice(
            field="augmentation",
            value={"shift_pixels": shift, "rotate_degrees": 10.0, "zoom": 0.1},
            reason="a class stays what it is when it is moved or turned a little",
        )
    yield Choice(field="optimizer", value={"type": "adam", "learning_rate": 0.003}, reason="learns without tuning")
    yield Choice(field="schedule", value={"type": "one_cycle"}, reason="large steps first, small ones at the end")
    yield Choice(field="batch_size", value=32 if examples <= 10_000 else 128, reason=f"{examples:,} training examples")
    epochs = 50 if examples <= 2_000 else 15 if examples <= 20_000 else 5
    yield Choice(field="epochs", value=epochs, reason=f"at most, for {examples:,} training examples")


def loss(dataset: DatasetInfo) -> Choice:
    """What suits the task."""
    if dataset.task == "regression":
        count = len(dataset.targets)
        return Choice(field="loss", value="mse", reason=f"{count} number{'s' if count > 1 else ''} to tell")
    return Choice(field="loss", value="cross_entropy", reason=f"{len(dataset.classes)} classes to tell apart")


def stopping(dataset: DatasetInfo, given: Mapping[str, Any], *, patience: int = PATIENCE) -> Iterator[Choice]:
    """Held-out examples, and stopping by them, where there are enough of them to tell."""
    brought = dataset.validation_examples > 0
    if dataset.train_examples < FEW_EXAMPLES and not brought:
        return
    if not brought:
        yield Choice(field="validation_split", value=VALIDATION_SPLIT, reason="to see when to stop")
    if brought or given.get("validation_split", VALIDATION_SPLIT):
        yield Choice(
            field="early_stopping",
            value={"monitor": "val_loss", "patience": patience},
            reason="the held-out examples say when more training does harm",
        )
