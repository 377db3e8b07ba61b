"""Weights that are there are compared with a network, layer by layer."""

from typing import Any

import pytest

from jobs.architecture import Architecture, describe
from jobs.datasets import DatasetInfo
from jobs.errors import InvalidSpec
from jobs.spec import Spec
from jobs.warm_start import Origin, arrays_of_checkpoint, check_asked, output_layer, taken, taken_over

DATA = DatasetInfo(name="digits", shape=(4, 4, 1), classes=tuple("0123456789"), train_examples=10, test_examples=10)
NORMED: list[dict[str, Any]] = [
    {"type": "flatten"},
    {"type": "dense", "units": 8},
    {"type": "batch_normalization", "name": "norm"},
    {"type": "dense"},
]


def network(model: dict[str, Any], *freeze: str, classes: int = 10) -> Architecture:
    info = DatasetInfo(
        name="digits", shape=(4, 4, 1), classes=DATA.classes[:classes], train_examples=10, test_examples=10
    )
    return describe(Spec.model_validate({"model": model, "freeze": freeze}), info)


MLP = {"type": "mlp", "hidden": [8, 4]}


def shapes(of: Architecture) -> dict[str, tuple[int, ...]]:
    return {weight.name: weight.shape for weight in of.weights}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC", Origin("job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC")),
        ("job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC@best", Origin("job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC", "best")),
        ("weights:mine-1", Origin(weights="mine-1")),
    ],
)
def test_origins_are_read_and_told(text: str, origin: Origin) -> None:
    assert Origin.read(text) == origin
    assert str(origin) == text


@pytest.mark.parametrize("text", ["job_1", "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC@first", "weights:../x", "weights:", "mine"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="init_from"):
        Spec.model_validate({"init_from": text})


def test_all_weights_of_the_same_network_are_taken() -> None:
    same = network({"type": "layers", "layers": NORMED})
    names = taken(same, shapes(same), source="s", reinitialize=())
    assert names == [weight.name for weight in same.weights]
    assert "norm/moving_mean" in names


def test_the_first_layer_that_differs_is_named_with_both_shapes() -> None:
    here, there = network(MLP), network(MLP, classes=7)
    with pytest.raises(InvalidSpec) as refused:
        taken(here, shapes(there), source="job_A", reinitialize=())
    assert str(refused.value) == (
        "layer 4, 'output' (dense): its kernel is 4 x 10, that of job_A is 4 x 7; reinitialize it, or take the same"
    )
    assert refused.value.pointer == "/init_from"
    assert taken(here, shapes(there), source="job_A", reinitialize=["output"]) == [
        "dense_1/kernel",
        "dense_1/bias",
        "dense_2/kernel",
        "dense_2/bias",
    ]


def test_arrays_that_are_missing_or_too_many_are_named() -> None:
    here, shallow = network(MLP), network({"type": "mlp", "hidden": [8]})
    with pytest.raises(
        InvalidSpec, match=r"layer 3, 'dense_2' \(dense\) has a kernel of 8 x 4, and s has no 'dense_2/kernel'"
    ):
        taken(here, shapes(shallow), source="s", reinitialize=())
    more = {**shapes(here), "head/kernel": (4, 2)}
    with pytest.raises(InvalidSpec, match="s has 'head/kernel', 4 x 2, which no layer of this network takes"):
        taken(here, more, source="s", reinitialize=())
    assert len(taken(here, more, source="s", reinitialize=["head"])) == 6


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "lstm", "units": 3},
        {"type": "bidirectional", "layer": {"type": "gru", "units": 3}},
        {"type": "multi_head_attention", "num_heads": 2, "key_dim": 3},
    ],
)
def test_layers_of_layers_begin_anew_by_their_own_name(layer: dict[str, Any]) -> None:
    sequences = [{"type": "reshape", "target_shape": [4, 4]}, {**layer, "name": "one"}, {"type": "flatten"}]
    here = network({"type": "layers", "layers": [*sequences, {"type": "dense", "name": "told"}]})
    there = {**shapes(here), "other/forward_gru/gru_cell/kernel": (2, 2)}
    assert taken(here, there, source="s", reinitialize=["one", "other"]) == ["told/kernel", "told/bias"]
    with pytest.raises(InvalidSpec, match=r"leave it out by reinitialize: \['other'\]"):
        taken(here, there, source="s", reinitialize=["one"])


def test_a_layer_to_begin_anew_must_be_there() -> None:
    here = network(MLP)
    with pytest.raises(InvalidSpec, match=r"a layer 'outptu' to begin anew; perhaps 'output'\?") as refused:
        taken(here, shapes(here), source="s", reinitialize=["outptu"])
    assert refused.value.pointer == "/reinitialize"
    with pytest.raises(InvalidSpec, match="nothing is taken of s"):
        taken(here, shapes(here), source="s", reinitialize=["dense_1", "dense_2", "output"])
    with pytest.raises(InvalidSpec, match="without init_from"):
        check_asked(Spec.model_validate({"reinitialize": ["output"]}))


def test_a_checkpoint_has_frozen_weights_and_statistics_apart() -> None:
    found = arrays_of_checkpoint(network({"type": "layers", "layers": NORMED}, "dense_2"))
    assert found == {
        "dense_2/kernel": "fixed/000",
        "dense_2/bias": "fixed/001",
        "norm/gamma": "weights/000",
        "norm/beta": "weights/001",
        "norm/moving_mean": "fixed/002",
        "norm/moving_variance": "fixed/003",
        "dense_4/kernel": "weights/002",
        "dense_4/bias": "weights/003",
    }


def test_the_layer_of_the_outputs_is_the_last_with_weights() -> None:
    assert output_layer(network(MLP)) == "output"
    with_activation = [*NORMED, {"type": "activation", "activation": "tanh"}]
    with_activation[3] = {"type": "dense", "units": 10, "name": "head"}
    assert output_layer(network({"type": "layers", "layers": with_activation})) == "head"


def test_dataset_model_and_loss_are_the_parents_where_nothing_else_is_said() -> None:
    parent = Spec.model_validate({"dataset": "wine@3", "model": MLP, "loss": "cross_entropy", "epochs": 99})
    spec, choices = taken_over(Spec.model_validate({"epochs": 2}), parent, source="job_A")
    assert (spec.dataset, spec.model, spec.loss, spec.epochs) == ("wine@3", parent.model, "cross_entropy", 2)
    assert spec.model_fields_set == {"dataset", "model", "loss", "epochs"}
    assert [choice.field for choice in choices] == ["dataset", "model", "loss"]
    assert choices[0].reason == "as in job_A, with whose weights it begins"
    own = Spec.model_validate({"dataset": "beer", "model": {"type": "softmax"}})
    assert taken_over(own, parent, source="job_A") == (own, ())
    preset = Spec.model_validate({"preset": "mnist-99"})
    assert taken_over(preset, parent, source="job_A") == (preset, ())
