"""The update rules against Keras' optimizers, which were written by others."""

from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from jobs.architecture import MEMORY_PER_WEIGHT
from jobs.spec import Optimizer
from tests.worker.engine.listening import spec_of
from worker.engine.optimizers import RULES, hyper_of

RATE = 0.05


def decoupled() -> keras.optimizers.Optimizer:
    """AdamW that leaves biases alone, as ours does."""
    optimizer = keras.optimizers.AdamW(RATE, beta_1=0.8, beta_2=0.95, epsilon=1e-5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


CASES: list[tuple[dict[str, Any], Any]] = [
    ({"type": "sgd"}, lambda: keras.optimizers.SGD(RATE)),
    ({"type": "momentum", "momentum": 0.8}, lambda: keras.optimizers.SGD(RATE, momentum=0.8)),
    ({"type": "nesterov", "momentum": 0.8}, lambda: keras.optimizers.SGD(RATE, momentum=0.8, nesterov=True)),
    (
        {"type": "adam", "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-5},
        lambda: keras.optimizers.Adam(RATE, beta_1=0.8, beta_2=0.95, epsilon=1e-5),
    ),
    ({"type": "adamw", "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-5, "weight_decay": 0.1}, decoupled),
]


@pytest.mark.parametrize(("chosen", "theirs"), CASES, ids=lambda case: case["type"] if isinstance(case, dict) else "")
def test_ten_updates_agree_with_keras(chosen: dict[str, Any], theirs: Any) -> None:
    generator = np.random.default_rng(1)
    start = (generator.standard_normal((4, 3)).astype(np.float32), generator.standard_normal(3).astype(np.float32))
    gradients = [tuple(generator.standard_normal(w.shape).astype(np.float32) for w in start) for _ in range(10)]

    optimizer = theirs()
    variables = [keras.Variable(w, name=name) for w, name in zip(start, ("kernel", "bias"), strict=True)]
    for step in gradients:
        optimizer.apply([tf.constant(g) for g in step], variables)

    rule = RULES[chosen["type"]]
    hyper = {name: tf.constant(value) for name, value in hyper_of(spec_of(optimizer=chosen).optimizer).items()}
    weights = tuple(tf.constant(w) for w in start)
    memory = tuple(tf.zeros_like(w) for _ in range(MEMORY_PER_WEIGHT[chosen["type"]]) for w in weights)
    for count, step in enumerate(gradients, 1):
        known = tuple(tf.constant(g) for g in step)
        weights, memory = rule(weights, known, memory, tf.constant(RATE), tf.constant(float(count)), hyper)

    for ours, variable in zip(weights, variables, strict=True):
        np.testing.assert_allclose(ours, variable.numpy(), rtol=1e-5, atol=1e-6)


def test_every_optimizer_of_a_spec_has_a_rule_and_a_memory() -> None:
    offered = {model.model_fields["type"].default for model in get_args(get_args(Optimizer)[0])}
    assert set(RULES) == set(MEMORY_PER_WEIGHT) == offered
