"""What networks of layers keep beside their trained weights, and the programs that they become."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from jobs.datasets import DatasetInfo
from jobs.spec import Spec
from tests.worker.engine.listening import Listener, measured, run, same_bits, spec_of, stopped
from tests.worker.engine.networks import Body, normalised
from tests.worker.engine.random_jobs import made_for
from worker.datasets.memory import Dataset
from worker.engine import chunk_sizer
from worker.engine.device_data import device_data
from worker.engine.network import fixed_names
from worker.engine.program import Mode, Program, State, forget, program
from worker.engine.scaling import LossScale
from worker.engine.snapshot import Snapshot
from worker.engine.stateless_random import StatelessRandom
from worker.engine.step import Batch, TrainState, train_step

CPU = "/device:CPU:0"
ROWS = DatasetInfo(
    name="rows@1", kind="table", shape=(6,), classes=("a", "b", "c"), train_examples=1050, test_examples=60
)


@pytest.fixture(scope="module")
def rows() -> Dataset:
    """1,050 rows: 105 steps of 10."""
    return made_for(ROWS, 2)


def spec(body: Body, **more: object) -> Spec:
    return spec_of(model=body, loss="cross_entropy", **{"batch_size": 10, "epochs": 1, "seed": 4, **more})


def changed(before: TrainState, after: TrainState) -> list[bool]:
    """Which of the fixed values are other ones."""
    return [not np.array_equal(a, b) for a, b in zip(before.fixed, after.fixed, strict=True)]


def test_a_step_that_float16_skips_leaves_statistics_and_generators_alone(rows: Dataset) -> None:
    half = spec(normalised(rate=0.5), precision="mixed_float16")
    runner = program(half, rows.info, execution="eager", device=CPU)
    given = Batch(tf.constant(rows.train_x[:10]), tf.constant(rows.train_y[:10]), tf.ones(10))
    one, noise = tf.constant(1.0), StatelessRandom(tf.constant(4), tf.constant(1))
    for factor, skipped in ((2.0**100, 1), (2.0**8, 0)):
        scale = LossScale(tf.constant(factor), tf.constant(0.0), tf.constant(0))
        before = runner.initial(4)._replace(scale=scale)
        after, _ = train_step(runner.kind, before, given, one * 0.1, one, {}, noise)
        assert after.scale
        assert int(after.scale.skipped) == skipped
        # Mean, variance, dropout's generator.
        assert changed(before, after) == [not skipped] * 3


def test_early_stopping_restores_the_best_epochs_statistics(rows: Dataset) -> None:
    rule = {"monitor": "val_loss", "patience": 2, "restore_best": True}
    wild = {"type": "sgd", "learning_rate": 0.5}  # on random labels: it learns by heart, and validates the worse
    outcome, heard = run(rows, spec(normalised(), batch_size=50, epochs=12, early_stopping=rule, optimizer=wild))
    (*_, (_, last)) = heard.kept
    assert last.best
    assert last.best.epoch < last.epoch
    best = heard.kept[last.best.epoch - 1][1]
    restored = [outcome.weights[name] for name in ("norm/moving_mean", "norm/moving_variance")]
    for ours, then, at_the_end in zip(restored, best.fixed, last.fixed, strict=True):
        assert ours.tobytes() == then.tobytes()
        assert not np.array_equal(ours, at_the_end)


@pytest.mark.parametrize("spoil", ["other", "fewer", "more"])
def test_a_snapshot_with_other_fixed_values_is_refused(rows: Dataset, spoil: str) -> None:
    wanted = spec(normalised(rate=0.5))
    snapshot: Snapshot = stopped(rows, wanted, listener=Listener(stop_at=1)).snapshot
    assert [value.shape for value in snapshot.fixed] == [(12,), (12,), (2,)]
    mean, variance, generator = snapshot.fixed
    fixed = {
        "other": (mean[:-1], variance, generator),
        "fewer": (mean, variance),
        "more": (mean, variance, generator, generator),
    }[spoil]
    with pytest.raises(ValueError, match="the snapshot's fixed values have the shapes"):
        run(rows, wanted, resume=replace(snapshot, fixed=fixed))
    run(rows, wanted, resume=snapshot)


@pytest.mark.parametrize("execution", ["graph", "xla"])
def test_where_chunks_end_changes_no_bit_of_statistics_and_noise(
    rows: Dataset, monkeypatch: pytest.MonkeyPatch, execution: Mode
) -> None:
    wanted = spec(normalised(rate=0.5), execution=execution, optimizer={"type": "adam"}, epochs=2)
    results = []
    for steps in (37, 50):
        monkeypatch.setattr(chunk_sizer.ChunkSizer, "steps", lambda _, steps=steps: steps)
        results.append(run(rows, wanted))
    (one, heard), (other, heard_too) = results
    assert same_bits(one.weights, other.weights)
    assert one.test == other.test
    assert [measured(m) for m in heard.epochs] == [measured(m) for m in heard_too.epochs]
    assert np.array_equal(heard.kept[-1][1].fixed[-1], heard_too.kept[-1][1].fixed[-1])


def traced(runner: Program, dataset: Dataset, wanted: Spec) -> tuple[bool, str]:
    """Whether the program had to be traced, and its name."""
    count = len(dataset.train_y)
    order, rates = np.arange(count, dtype=np.int32), np.zeros(count // 10, np.float32)
    plan = runner.epoch(order, rates, count=count, first_step=0, first_update=0, seed=wanted.seed)
    state = State(runner.initial(wanted.seed), runner.sums())
    examples = device_data(dataset, count, CPU).train.examples
    was_traced = runner.trace(state, examples, plan, {})
    start = tf.constant(0)
    with tf.device(CPU):
        function = runner.run_chunk.get_concrete_function(state, examples, plan, {}, start, start)  # type: ignore[attr-defined]
    return was_traced, function.name.decode()


def test_the_same_network_is_one_program_and_another_has_other_names(rows: Dataset) -> None:
    forget()
    first, again = (spec(normalised(rate=0.25), seed=seed) for seed in (1, 2))
    runner, same = (program(each, rows.info, execution="xla", device=CPU) for each in (first, again))
    assert runner is same
    was_traced, name = traced(runner, rows, first)
    assert was_traced
    assert traced(same, rows, again) == (False, name)
    # Of the same weights, but for one layer's number.
    other = spec(normalised(rate=0.125))
    different = program(other, rows.info, execution="xla", device=CPU)
    assert different is not runner
    was_traced, other_name = traced(different, rows, other)
    assert was_traced
    assert name.rsplit("_", 2)[:1] == other_name.rsplit("_", 2)[:1]
    assert name.rsplit("_", 2)[1] != other_name.rsplit("_", 2)[1]
    assert fixed_names(different.kind.network) == fixed_names(runner.kind.network)
