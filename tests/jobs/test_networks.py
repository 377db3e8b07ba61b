"""The presets of layers: networks of the data's size, and what they do not suit."""

from typing import Any

import pytest

from jobs.datasets import DatasetInfo, Target, find
from jobs.errors import InvalidSpec
from jobs.estimate import Estimate, estimate
from jobs.presets import resolution, resolve
from jobs.spec import Layers, Spec


def info(kind: Any, *shape: int, **changes: Any) -> DatasetInfo:
    given: dict[str, Any] = {"classes": ("a", "b", "c"), "train_examples": 1500, "test_examples": 100, **changes}
    return DatasetInfo(name="mine@1", kind=kind, shape=shape, **given)


def sizes(preset: str, dataset: DatasetInfo) -> Estimate:
    """Of the job that the preset stands for; building it checks that all its layers fit."""
    spec = resolve(Spec(preset=preset), dataset)
    assert isinstance(spec.model, Layers)
    return estimate(spec, dataset)


IMAGES = [info("images", 8, 8, 1), info("images", 9, 300, 3), info("images", 32, 32, 4), info("images", 500, 400, 3)]


@pytest.mark.parametrize("dataset", [*IMAGES, find("mnist")], ids=lambda dataset: str(dataset.shape))
def test_a_residual_network_sees_the_image_at_a_size_that_it_can_pay(dataset: DatasetInfo) -> None:
    found = sizes("resnet-small", dataset)
    first = next(node for node in found.network.nodes if node.name == "block_1_a_conv")
    height, width, _ = first.inputs[0]
    assert 8 <= min(height, width) <= 16
    assert found.network.has_batch_statistics
    assert 70_000 < found.parameters < 90_000
    assert found.network.nodes[-1].output == (dataset.outputs,)


SEQUENCES = [
    info("arrays", 30, 3),
    info("arrays", 2000, 12),
    info("arrays", 1, 1),
    info("arrays", 40, 6, train_examples=100_000),
    info("images", 28, 20, 3),
]


@pytest.mark.parametrize("preset", ["lstm", "attention"])
@pytest.mark.parametrize("dataset", SEQUENCES, ids=lambda dataset: str(dataset.shape))
def test_a_sequence_is_one_of_arrays_or_an_images_rows(preset: str, dataset: DatasetInfo) -> None:
    network = sizes(preset, dataset).network
    kinds = [node.layer.type for node in network.nodes]
    assert ("reshape" in kinds) == (dataset.kind == "images")
    assert ("lstm" if preset == "lstm" else "multi_head_attention") in kinds
    if dataset.kind == "images":
        assert network.nodes[0].output == (28, 60)


def test_numbers_are_told_by_squared_error() -> None:
    dataset = info("arrays", 30, 3, classes=(), targets=(Target("y", 0, 1),))
    for preset in ("lstm", "attention"):
        assert resolve(Spec(preset=preset), dataset).loss == "mse"
        assert sizes(preset, dataset).network.nodes[-1].output == (1,)
    pictures = info("images", 20, 20, 1, classes=(), targets=(Target("y", 0, 1),))
    spec = resolve(Spec(preset="resnet-small"), pictures)
    assert (spec.loss, spec.augmentation) == ("mse", None)


@pytest.mark.parametrize(
    ("preset", "dataset", "said"),
    [
        ("resnet-small", info("table", 9), "is for images, and mine@1 has rows of a table"),
        ("resnet-small", info("arrays", 9, 9), "is for images, and mine@1 has arrays of 9 x 9"),
        ("resnet-small", info("images", 7, 20, 1), "8 x 8 pixels or more, and mine@1 has images of 7 x 20 x 1"),
        ("lstm", info("table", 9), "is for sequences.* mine@1 has rows of a table"),
        ("lstm", info("arrays", 9, 4, 2), "mine@1 has arrays of 9 x 4 x 2"),
        ("attention", info("arrays", 9), "the preset attention is for sequences.* mine@1 has arrays of 9"),
    ],
)
def test_a_preset_is_refused_with_data_that_it_does_not_suit(preset: str, dataset: DatasetInfo, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said) as caught:
        resolve(Spec(preset=preset), dataset)
    assert caught.value.pointer == "/preset"
    # With a model of one's own it is only a pace.
    assert resolve(Spec.model_validate({"preset": preset, "model": {"type": "softmax"}}), dataset).epochs == (
        40 if preset == "resnet-small" else 60
    )


def test_what_was_decided_is_told() -> None:
    spec, choices = resolution(Spec(preset="lstm", epochs=3), info("arrays", 30, 3))
    assert [choice.field for choice in choices] == [
        *("model", "loss", "optimizer", "schedule", "batch_size", "validation_split", "early_stopping"),
    ]
    assert choices[0].reason == "30 steps of 3 features, 1,500 training examples"
    assert (spec.epochs, spec.early_stopping and spec.early_stopping.patience) == (3, 5)
