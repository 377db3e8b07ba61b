"""The description of networks: shapes, weights, work. The engine's own tests hold that it builds just this."""

import pytest

from jobs.architecture import describe
from jobs.datasets import CATALOGUE, DatasetInfo
from jobs.estimate import estimate
from jobs.layers.dense import Dense
from jobs.layers.noise import Dropout
from jobs.spec import Spec

TINY = DatasetInfo(name="tiny", shape=(3, 1, 2), classes=tuple("abcd"), train_examples=50, test_examples=7)
"""Images of one column: pooling leaves that axis alone, and soon the other one too."""

DEEP = {"type": "cnn", "filters": [3, 5, 7, 9, 11, 13], "kernel_size": 5, "dense": [17, 19], "dropout": 0.3}


def test_an_mlp_is_its_hidden_layers_and_the_output() -> None:
    network = describe(Spec.model_validate({"model": {"type": "mlp", "hidden": [30, 20], "dropout": 0.5}}), TINY)
    assert [(weight.name, weight.shape) for weight in network.weights] == [
        ("dense_1/kernel", (6, 30)),
        ("dense_1/bias", (30,)),
        ("dense_2/kernel", (30, 20)),
        ("dense_2/bias", (20,)),
        ("output/kernel", (20, 4)),
        ("output/bias", (4,)),
    ]
    assert [node.name for node in network.nodes] == [
        "dense_1_flat",
        "dense_1",
        "dense_2_dropout",
        "dense_2",
        "output_dropout",
        "output",
    ]
    assert [node.layer.activation for node in network.nodes if isinstance(node.layer, Dense)] == [
        "relu",
        "relu",
        "linear",
    ]


def test_convolutions_halve_the_image_until_an_axis_is_one_pixel() -> None:
    network = describe(Spec.model_validate({"model": DEEP}), TINY)
    assert [node.output for node in network.nodes if node.name.endswith("_pool")] == [
        (1, 1, 3),
        (1, 1, 5),
        (1, 1, 7),
        (1, 1, 9),
        (1, 1, 11),
        (1, 1, 13),
    ]
    dropped = [node.name for node in network.nodes if isinstance(node.layer, Dropout)]
    assert dropped == ["dense_1_dropout", "dense_2_dropout", "output_dropout"]


def test_each_layer_takes_what_the_one_before_gives() -> None:
    network = describe(Spec.model_validate({"model": {"type": "cnn", "dense": [8]}}), CATALOGUE["mnist"])
    assert [node.inputs for node in network.nodes if node.weights] == [
        ((28, 28, 1),),
        ((14, 14, 16),),
        ((7, 7, 32),),
        ((576,),),
        ((8,),),
    ]


@pytest.mark.parametrize(
    ("body", "dataset", "sizes"),
    [
        ({}, "mnist", (235146, 4690, 60426240000)),
        ({}, "tiny", (35204, 10, 10291200)),
        ({"model": {"type": "softmax"}}, "mnist", (7850, 4690, 1881600000)),
        ({"model": {"type": "mlp", "hidden": [1]}, "batch_size": 65536}, "mnist", (805, 10, 191760000)),
        (
            {"model": {"type": "mlp", "hidden": [300, 20, 7]}, "optimizer": {"type": "adamw"}},
            "mnist",
            (241747, 4690, 58683600000),
        ),
        ({"model": {"type": "cnn"}}, "mnist", (29066, 4690, 679449600000)),
        (
            {"model": DEEP, "optimizer": {"type": "momentum"}, "early_stopping": {"monitor": "loss"}},
            "mnist",
            (9778, 4690, 63552240000),
        ),
        (
            {"model": DEEP, "optimizer": {"type": "momentum"}, "early_stopping": {"monitor": "loss"}},
            "tiny",
            (9733, 10, 2938500),
        ),
        (
            {"model": {"type": "cnn", "filters": [1]}, "batch_size": 1, "validation_split": 0.3},
            "mnist",
            (1980, 420000, 1679328000),
        ),
        (
            {"model": {"type": "cnn", "filters": [24, 48, 96], "dense": [128]}, "epochs": 15},
            "mnist",
            (164234, 7035, 1544048640000),
        ),
    ],
)
def test_parameters_and_work_are_those_of_before(body: dict, dataset: str, sizes: tuple[int, int, int]) -> None:
    found = estimate(Spec.model_validate(body), TINY if dataset == "tiny" else CATALOGUE[dataset])
    assert (found.parameters, found.steps, found.flops_per_epoch) == sizes
