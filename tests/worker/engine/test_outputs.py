"""What a program tells of examples one by one, and that evaluations are made of just that."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jobs import memory
from jobs.datasets import DatasetInfo, Target
from jobs.evaluation import ClassEvaluation, TargetEvaluation
from jobs.memory import Batches
from tests.worker.engine.listening import run, spec_of
from worker.datasets.memory import Dataset
from worker.engine.program import Examples, Mode, Program, program

CPU = "/device:CPU:0"
BODY: dict[str, Any] = {
    "model": {"type": "mlp", "hidden": [16]},
    "batch_size": 96,
    "optimizer": {"type": "adam", "learning_rate": 0.001},
}
NUMBERS = DatasetInfo(
    name="numbers@1",
    kind="table",
    shape=(6,),
    targets=(Target("width", 100.0, 20.0), Target("weight", 0.0, 0.01)),
    train_examples=200,
    test_examples=150,
)


def runner_of(bands: Dataset, *, evaluated: int, execution: Mode = "graph") -> Program:
    """A program that evaluates so many examples at once."""
    return program(
        spec_of(**BODY), bands.info, execution=execution, device=CPU, batches=Batches(96, evaluated, evaluated)
    )


def told_of(runner: Program, examples: Examples) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Outputs and targets, batch by batch."""
    outputs, targets = zip(*runner.outputs(runner.initial(3), examples), strict=True)
    return list(outputs), list(targets)


def forward(runner: Program, pixels: np.ndarray) -> np.ndarray:
    """What the network gives for all of them at once."""
    features = tf.constant(pixels / np.float32(255))
    return runner.kind.network.forward(runner.initial(3).weights, (), features)[0].numpy()


@pytest.mark.parametrize("execution", ["eager", "graph", "xla"])
@pytest.mark.parametrize(
    ("evaluated", "batches"),
    [(64, [64, 64, 64, 8]), (50, [50] * 4), (199, [199, 1]), (200, [200]), (500, [200])],
)
def test_outputs_are_those_of_all_examples_in_their_order(
    bands: Dataset, execution: Mode, evaluated: int, batches: list[int]
) -> None:
    runner = runner_of(bands, evaluated=evaluated, execution=execution)
    outputs, targets = told_of(runner, Examples(tf.constant(bands.test_x), tf.constant(bands.test_y)))
    assert [len(each) for each in outputs] == [len(each) for each in targets] == batches
    whole = np.concatenate(outputs)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, forward(runner, bands.test_x), atol=1e-6)
    assert np.array_equal(np.concatenate(targets), bands.test_y)


def test_one_example_is_one_batch(bands: Dataset) -> None:
    runner = runner_of(bands, evaluated=64)
    outputs, targets = told_of(runner, Examples(tf.constant(bands.test_x[:1]), tf.constant(bands.test_y[:1])))
    assert [each.shape for each in outputs] == [(1, 10)]
    assert [each.tolist() for each in targets] == [[bands.test_y[0]]]


def test_all_batches_are_one_trace(bands: Dataset) -> None:
    runner = runner_of(bands, evaluated=37)
    told_of(runner, Examples(tf.constant(bands.test_x), tf.constant(bands.test_y)))
    assert runner.run_outputs.experimental_get_tracing_count() == 1  # pyright: ignore[reportFunctionMemberAccess]


@pytest.mark.parametrize(
    "more",
    [
        {"loss": "cross_entropy"},
        {"loss": "mse"},
        {"loss": "cross_entropy", "execution": "xla"},
        {"loss": "cross_entropy", "precision": "mixed_bfloat16"},
        {
            "loss": "cross_entropy",
            "validation_split": 0.2,
            "early_stopping": {"monitor": "val_loss", "patience": 1, "min_delta": 10.0},
        },
    ],
    ids=["cross_entropy", "mse", "xla", "bfloat16", "best epoch's"],
)
def test_an_evaluation_of_classes_agrees_with_the_metrics(
    bands: Dataset, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    monkeypatch.setattr(memory, "MOST_EVALUATED", 64)
    outcome, _ = run(bands, spec_of(**BODY, **more, epochs=3))
    found = outcome.evaluate()
    assert isinstance(found, ClassEvaluation)
    assert found.accuracy == pytest.approx(outcome.test["accuracy"], abs=1e-12)
    assert 0.1 < found.accuracy < 1
    for name in ("precision", "recall", "f1"):
        assert np.mean([getattr(of, name) for of in found.classes]) == pytest.approx(outcome.test[name])
    assert [of.examples for of in found.classes] == np.bincount(bands.test_y, minlength=10).tolist()
    assert all(bands.test_y[it.index] == int(it.actual) for it in found.worst)


def test_an_evaluation_of_targets_agrees_with_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_EVALUATED", 64)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(350, 6)).astype(np.float32)
    y = np.stack([x[:, 0] - x[:, 1], x[:, 2] + 0.1 * rng.normal(size=350)], axis=1).astype(np.float32)
    outcome, _ = run(Dataset(NUMBERS, x[:200], y[:200], x[200:], y[200:]), spec_of(**BODY, epochs=3))
    found = outcome.evaluate()
    assert isinstance(found, TargetEvaluation)
    for name in ("mae", "rmse", "r2"):
        assert np.mean([getattr(of, name) for of in found.targets]) == pytest.approx(outcome.test[name], rel=1e-5)


def test_targets_of_a_huge_unit_are_evaluated_as_they_are_measured() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(350, 6)).astype(np.float32), rng.normal(size=(350, 1)).astype(np.float32)
    info = DatasetInfo(
        name="huge@1",
        kind="table",
        shape=(6,),
        targets=(Target("x", 0.0, 1e200),),
        train_examples=200,
        test_examples=150,
    )
    outcome, _ = run(Dataset(info, x[:200], y[:200], x[200:], y[200:]), spec_of(**BODY, epochs=1))
    found = outcome.evaluate()
    assert isinstance(found, TargetEvaluation)
    for name in ("mae", "rmse", "r2"):
        assert getattr(found.targets[0], name) == pytest.approx(outcome.test[name], rel=1e-5)
