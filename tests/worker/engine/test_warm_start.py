"""Training that begins with weights that are given."""

from typing import Any

import numpy as np
import pytest

from tests.worker.engine.listening import Listener, run, same_bits, spec_of, stopped
from worker.datasets.memory import Dataset
from worker.engine.build import build
from worker.engine.network import replaced

PLAIN: dict[str, Any] = {
    "model": {"type": "mlp", "hidden": [16, 8]},
    "batch_size": 100,
    "execution": "graph",
    "optimizer": {"type": "sgd", "learning_rate": 0.02},
    "epochs": 1,
}
NORMED: dict[str, Any] = {
    **PLAIN,
    "model": {
        "type": "layers",
        "layers": [
            {"type": "flatten"},
            {"type": "dense", "units": 8, "activation": "relu"},
            {"type": "batch_normalization", "name": "norm"},
            {"type": "dense", "name": "head"},
        ],
    },
}


@pytest.mark.parametrize("body", [PLAIN, NORMED], ids=["mlp", "normed"])
def test_without_a_step_that_changes_it_a_child_is_its_parent(bands: Dataset, body: dict[str, Any]) -> None:
    parent, _ = run(bands, spec_of(**body))
    still = spec_of(**{**body, "optimizer": {"type": "sgd", "learning_rate": 1e-30}, "seed": 9, "freeze": ["norm"]})
    if body is PLAIN:
        still = still.model_copy(update={"freeze": ()})
    child, heard = run(bands, still, initial=parent.weights)
    assert same_bits(child.weights, parent.weights)
    assert child.test == parent.test
    assert heard.epochs[0].val_loss == pytest.approx(parent.test["loss"], abs=1e-6)


def test_moving_statistics_go_on_from_where_they_were(bands: Dataset) -> None:
    parent, _ = run(bands, spec_of(**NORMED))
    spec = spec_of(**NORMED)
    network = build(spec, bands.info)
    begun = replaced(network.described, network.initial(3), parent.weights)
    names = [weight.name for weight in network.described.fixed]
    for name, value in zip(names, begun.fixed, strict=False):
        np.testing.assert_array_equal(value, parent.weights[name])
    assert len(begun.fixed) == len(network.initial(3).fixed)


def test_layers_that_are_not_given_are_drawn_by_the_childs_seed(bands: Dataset) -> None:
    parent, _ = run(bands, spec_of(**PLAIN))
    given = {name: value for name, value in parent.weights.items() if not name.startswith("output")}
    network = build(spec_of(**PLAIN), bands.info)
    drawn, begun = network.initial(5), replaced(network.described, network.initial(5), given)
    for weight, before, value in zip(network.described.trained, drawn.weights, begun.weights, strict=True):
        np.testing.assert_array_equal(value, given.get(weight.name, before))


@pytest.mark.parametrize("body", [PLAIN, NORMED], ids=["mlp", "normed"])
def test_frozen_layers_keep_their_bits_and_the_others_learn(bands: Dataset, body: dict[str, Any]) -> None:
    parent, _ = run(bands, spec_of(**body))
    frozen = ["dense_1", "dense_2"] if body is PLAIN else ["dense_2", "norm"]
    child, _ = run(bands, spec_of(**{**body, "freeze": frozen}), initial=parent.weights)
    for name, value in child.weights.items():
        is_same = value.tobytes() == parent.weights[name].tobytes()
        assert is_same == (name.partition("/")[0] in frozen), name
    assert child.test["loss"] < parent.test["loss"]


def test_a_child_that_was_stopped_and_resumed_ends_in_the_same_bits(bands: Dataset) -> None:
    parent, _ = run(bands, spec_of(**PLAIN))
    body = {**PLAIN, "seed": 4, "epochs": 2, "optimizer": {"type": "adam"}}
    whole, _ = run(bands, spec_of(**body), initial=parent.weights)
    ending = stopped(bands, spec_of(**body), listener=Listener(stop_at=3), initial=parent.weights)
    resumed, _ = run(bands, spec_of(**body), resume=ending.snapshot)
    assert same_bits(whole.weights, resumed.weights)
    drawn, _ = run(bands, spec_of(**body))
    assert not same_bits(whole.weights, drawn.weights)
