"""The training loop from outside: what it reports, when it stops, and what may not change its result."""

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jobs.errors import NonFiniteLoss, OutOfMemory
from jobs.estimate import estimate
from jobs.states import Phase, Reason
from tests.worker.engine.listening import Listener, measured, run, same_bits, spec_of, stopped
from worker.datasets.memory import Dataset
from worker.engine import chunk_sizer, pace, program, scaling
from worker.engine.program import Mode

SMALL = {
    "model": {"type": "mlp", "hidden": [16]},
    "batch_size": 96,
    "optimizer": {"type": "sgd", "learning_rate": 0.02},
}


def test_a_run_is_told_from_its_beginning_to_its_end(bands: Dataset) -> None:
    outcome, heard = run(bands, spec_of(**SMALL, epochs=2, execution="xla"))
    assert heard.phases == [Phase.TRACING, Phase.TRAINING, Phase.EVALUATING]
    (how,) = heard.runs
    assert (how.execution, how.device, how.threads) == ("xla", "/device:CPU:0", 2)
    assert set(how.variables.values()) == {"/device:CPU:0"}
    assert how.parameters == estimate(spec_of(**SMALL), bands.info).parameters == 196 * 16 + 16 + 16 * 10 + 10
    assert [m.epoch for m in heard.epochs] == [1, 2]
    assert [m.step for m in heard.epochs] == [11, 22]
    assert [m.skipped_steps for m in heard.epochs] == [0, 0]
    assert [metrics for metrics, _ in heard.kept] == heard.epochs
    assert [(at.epoch, at.step) for _, at in heard.kept] == [(1, 0), (2, 0)]
    steps = [p.step for p in heard.steps]
    assert steps == sorted(set(steps))
    assert (steps[-1], heard.steps[-1].percent, heard.steps[-1].steps) == (22, 100.0, 22)
    assert outcome.reason is Reason.COMPLETED
    assert list(outcome.weights) == ["dense_1/kernel", "dense_1/bias", "output/kernel", "output/bias"]
    assert all(array.dtype == np.float32 for array in outcome.weights.values())


def test_what_remains_is_told_from_the_first_steps_to_the_test(bands: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SETTLING_SECONDS", 0.0)
    monkeypatch.setattr(pace, "LONG_CHUNK_SECONDS", 0.0)
    _, heard = run(bands, spec_of(**SMALL, epochs=6), export_seconds=2.0)
    # After each chunk, and before the test.
    assert len(heard.remains) == len([progress for progress in heard.steps if progress.step > 0]) + 1
    assert min(heard.remains) == heard.remains[-1] > 2.0
    assert heard.remains[0] > heard.remains[-1]
    assert heard.steps[0].steps_per_second is None
    assert all(progress.steps_per_second for progress in heard.steps[1:])


@pytest.mark.parametrize(("execution", "line"), [("graph", "traced as a graph"), ("eager", "runs eagerly")])
def test_what_came_before_the_first_step_is_told(bands: Dataset, execution: Mode, line: str) -> None:
    spec = spec_of(**{**SMALL, "model": {"type": "mlp", "hidden": [21]}}, epochs=1, execution=execution)
    lines = [heard.logs[0][1] for _, heard in (run(bands, spec), run(bands, spec))]
    assert all(told.startswith(line) for told in lines)
    if execution == "graph":
        assert lines[0].endswith(" s")
        assert lines[1].endswith("before, for another job of this kind")


def test_without_held_out_images_validation_is_on_the_test_images(bands: Dataset) -> None:
    outcome, heard = run(bands, spec_of(**SMALL, epochs=1))
    assert heard.epochs[-1].val_loss == outcome.test["loss"]
    assert heard.epochs[-1].val_accuracy == outcome.test["accuracy"]


def test_held_out_images_come_from_the_end_and_are_not_trained_on(bands: Dataset) -> None:
    spec = spec_of(**SMALL, epochs=2, validation_split=0.1)
    outcome, heard = run(bands, spec)
    assert heard.epochs[-1].step == 2 * math.ceil(900 / 96)
    garbled = Dataset(
        bands.info,
        bands.train_x,
        np.concatenate([bands.train_y[:900], (bands.train_y[900:] + 1) % 10]),
        bands.test_x,
        bands.test_y,
    )
    other, heard_other = run(garbled, spec)
    assert same_bits(outcome.weights, other.weights)
    assert (heard.epochs[-1].val_accuracy or 0) > (heard_other.epochs[-1].val_accuracy or 0)


def test_training_learns(bands: Dataset) -> None:
    body = {**SMALL, "loss": "cross_entropy", "optimizer": {"type": "adam", "learning_rate": 0.01}}
    outcome, heard = run(bands, spec_of(**body, epochs=10))
    assert heard.epochs[-1].loss < 0.5 * heard.epochs[0].loss
    assert outcome.test["accuracy"] > 0.9


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_executions_agree(bands: Dataset, kind: str) -> None:
    """Weights, order and noise are the same; only the arithmetic's last bits differ."""
    model = {"type": kind, "dropout": 0.2} | ({"hidden": [16]} if kind == "mlp" else {"filters": [4]})
    body = {**SMALL, "model": model, "epochs": 1, "augmentation": {"shift_pixels": 1, "zoom": 0.1}}
    weights = [run(bands, spec_of(**body, execution=mode))[0].weights for mode in ("eager", "graph", "xla")]
    for name, array in weights[0].items():
        np.testing.assert_allclose(weights[1][name], array, atol=1e-4)
        np.testing.assert_allclose(weights[2][name], array, atol=1e-4)


@pytest.mark.parametrize(
    ("execution", "model"),
    [("xla", {"type": "mlp"}), ("graph", {"type": "mlp"}), ("graph", {"type": "cnn", "filters": [4, 8]})],
    ids=["mlp-xla", "mlp-graph", "cnn-graph"],
)
def test_where_chunks_end_changes_no_bit(
    bands: Dataset, monkeypatch: pytest.MonkeyPatch, execution: Mode, model: dict[str, str]
) -> None:
    spec = (
        spec_of(**{**SMALL, "model": model}, epochs=2, execution=execution, optimizer_=None)
        if False
        else spec_of(**{**SMALL, "model": model, "optimizer": {"type": "adam"}}, epochs=2, execution=execution)
    )
    results = []
    for length in (1, 3, 1000):
        monkeypatch.setattr(chunk_sizer.ChunkSizer, "steps", lambda _, length=length: length)
        results.append(run(bands, spec))
    (whole, heard), *others = results
    for outcome, told in others:
        assert same_bits(whole.weights, outcome.weights)
        assert [measured(m) for m in heard.epochs] == [measured(m) for m in told.epochs]


def test_a_second_job_of_the_same_shape_is_not_traced_again(bands: Dataset) -> None:
    adam = {"type": "adam", "learning_rate": 0.001}
    first = {**SMALL, "model": {"type": "mlp", "hidden": [17]}, "optimizer": adam, "execution": "xla"}
    run(bands, spec_of(**first, epochs=1))
    runner = program.program(spec_of(**first), bands.info, execution="xla", device="/device:CPU:0")
    other = {**first, "optimizer": {"type": "adam", "learning_rate": 0.5, "beta_1": 0.5}, "seed": 9}
    run(bands, spec_of(**other, epochs=3, schedule={"type": "cosine"}))
    assert runner.run_chunk.experimental_get_tracing_count() == 1  # pyright: ignore[reportFunctionMemberAccess]
    assert runner.run_evaluation.experimental_get_tracing_count() == 1  # pyright: ignore[reportFunctionMemberAccess]


@pytest.mark.parametrize("execution", ["eager", "graph", "xla"])
def test_a_loss_that_is_not_finite_is_found_at_its_step(
    bands: Dataset, monkeypatch: pytest.MonkeyPatch, execution: Mode
) -> None:
    body = {**SMALL, "optimizer": {"type": "sgd", "learning_rate": 1e4}, "execution": execution}
    found = set()
    for length in (1, 100):
        monkeypatch.setattr(chunk_sizer.ChunkSizer, "steps", lambda _, length=length: length)
        heard = Listener()
        with pytest.raises(NonFiniteLoss) as caught:
            run(bands, spec_of(**body, epochs=5), listener=heard)
        found.add(caught.value.step)
        if length == 1:
            assert caught.value.step == heard.steps[-1].step + 1
            assert all(math.isfinite(p.loss or 0) for p in heard.steps)
    assert len(found) == 1


def test_weights_that_break_in_an_epochs_last_step_are_found(bands: Dataset) -> None:
    """The last step's loss is still finite: only the evaluation sees what the update did."""
    body = {**SMALL, "batch_size": 1000, "optimizer": {"type": "sgd", "learning_rate": 1e9}}
    with pytest.raises(NonFiniteLoss) as caught:
        run(bands, spec_of(**body, epochs=50))
    assert 1 < caught.value.step < 10


def test_float16_that_diverges_fails_as_float32_does(digits: Dataset) -> None:
    body = {
        "model": {"type": "mlp", "hidden": [32]},
        "optimizer": {"type": "sgd", "learning_rate": 2.0},
        "validation_split": 0.8,
        "epochs": 6,
    }
    for precision in ("float32", "mixed_float16"):
        with pytest.raises(NonFiniteLoss, match="loss became") as caught:
            run(digits, spec_of(**body, precision=precision))
        assert 1 < caught.value.step < 6 * 15


def test_gradients_that_overflow_at_the_smallest_scale_fail_the_job(
    bands: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "SMALLEST_FACTOR", 2.0**30)
    monkeypatch.setattr(program, "FIRST_FACTOR", 2.0**32)
    spec = spec_of(**{**SMALL, "model": {"type": "mlp", "hidden": [18]}}, precision="mixed_float16", execution="graph")
    with pytest.raises(NonFiniteLoss, match=r"gradients overflowed float16.*at step 3") as caught:
        run(bands, spec)
    assert caught.value.step == 3


def test_skipped_steps_are_counted_epoch_by_epoch(bands: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "FIRST_FACTOR", 2.0**30)
    schedule = {"type": "linear", "warmup_fraction": 0.0}
    _, heard = run(bands, spec_of(**SMALL, epochs=3, precision="mixed_float16", schedule=schedule))
    first, second, last = (m.skipped_steps or 0 for m in heard.epochs)
    assert first > 5
    assert second < 3
    assert last == 0
    ((level, line),) = [
        (level, line) for level, line in heard.logs if "changed nothing" in line
    ]  # once, not each epoch
    assert level == "warning"
    assert line.startswith(f"{first} of epoch 1's 11 steps changed nothing")
    # Steps that were skipped did not use up the schedule, which ends at 0 otherwise.
    assert heard.epochs[-1].learning_rate == pytest.approx(0.02 * (first + second) / 32)


@pytest.mark.parametrize("part", ["loss", "test"])
def test_an_infinite_number_never_stands_in_a_result(
    bands: Dataset, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """A sum of finite losses, or the loss on examples that were never seen before, can be too large for float32."""
    evaluate, calls = program.Program.evaluate, iter(range(100))

    def once_infinite(*arguments: Any) -> tuple[float, np.ndarray]:
        found = evaluate(*arguments)
        return (math.inf, found[1]) if next(calls) == 1 else found

    if part == "test":
        monkeypatch.setattr(program.Program, "evaluate", once_infinite)
    else:
        sums = program.Program.sums
        monkeypatch.setattr(program.Program, "sums", lambda self, loss=math.inf, counts=(): sums(self, loss, counts))
    with pytest.raises(NonFiniteLoss) as caught:
        run(bands, spec_of(**SMALL, epochs=1))
    assert caught.value.step == 11


def test_early_stopping_keeps_the_best_epochs_weights(bands: Dataset) -> None:
    body = {**SMALL, "optimizer": {"type": "sgd", "learning_rate": 0.02}, "validation_split": 0.2}
    rule = {"monitor": "val_loss", "patience": 2, "min_delta": 0.02}
    outcome, heard = run(bands, spec_of(**body, epochs=60, early_stopping=rule))
    losses = [m.val_loss for m in heard.epochs]
    best = len(losses) - 2
    assert outcome.reason is Reason.EARLY_STOPPED
    assert len(losses) < 60
    assert min(losses[best:]) > losses[best - 1] - 0.02
    (line,) = [line for _, line in heard.logs if line.startswith("stops early")]
    told = f"stops early after epoch {len(losses)}: val_loss was best in epoch {best} ({losses[best - 1]:.4g}), whose"
    assert line.startswith(told)
    up_to_best, _ = run(bands, spec_of(**body, epochs=best))
    assert same_bits(outcome.weights, up_to_best.weights)
    last, _ = run(bands, spec_of(**body, epochs=60, early_stopping={**rule, "restore_best": False}))
    up_to_last, _ = run(bands, spec_of(**body, epochs=len(losses)))
    assert same_bits(last.weights, up_to_last.weights)


def test_a_reason_to_stop_ends_training_between_two_chunks_with_a_snapshot(bands: Dataset) -> None:
    heard = Listener(stop_at=3)
    ending = stopped(bands, spec_of(**SMALL, epochs=5), listener=heard)
    assert ending.reason == "enough"
    assert ending.snapshot.step == heard.steps[-1].step
    assert heard.offers == heard.looks == 3


def test_memory_that_runs_out_is_told_as_such(bands: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nmore")

    monkeypatch.setattr(program.Program, "chunk", full)
    with pytest.raises(OutOfMemory, match=r"batch_size 96.*OOM when allocating tensor"):
        run(bands, spec_of(**SMALL, epochs=1))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    ("model", "execution"),
    [({"type": "mlp", "hidden": [16]}, "xla"), ({"type": "cnn", "filters": [4]}, "graph")],
    ids=["mlp", "cnn"],
)
def test_lower_precision_learns_too(bands: Dataset, precision: str, model: dict[str, object], execution: Mode) -> None:
    body = {**SMALL, "model": model, "loss": "cross_entropy", "optimizer": {"type": "adam", "learning_rate": 0.01}}
    outcome, _ = run(bands, spec_of(**body, epochs=4, precision=precision, execution=execution))
    assert all(array.dtype == np.float32 for array in outcome.weights.values())
    assert outcome.test["accuracy"] > 0.9


def test_colour_images_of_odd_size_and_seven_classes(colours: Dataset) -> None:
    body = {
        **SMALL,
        "model": {"type": "cnn", "filters": [4, 6, 8], "dense": [12], "kernel_size": 5},
        "loss": "cross_entropy",
    }
    spec = spec_of(**{**body, "optimizer": {"type": "adam", "learning_rate": 0.01}}, epochs=6)
    outcome, heard = run(colours, spec)
    assert heard.runs[0].parameters == estimate(spec, colours.info).parameters
    assert outcome.weights["output/bias"].shape == (7,)
    assert outcome.test["accuracy"] > 0.6
