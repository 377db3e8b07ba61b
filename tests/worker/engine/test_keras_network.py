"""Networks written as layers, against the same networks in plain Keras, trained by its users' own loop."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from jobs.datasets import DatasetInfo
from tests.worker.engine.listening import run, spec_of
from tests.worker.engine.networks import Body, attentive, normalised, recurrent, residual
from worker.datasets.memory import Dataset
from worker.engine.build import build
from worker.engine.class_weights import class_weights
from worker.engine.device_data import device_data
from worker.engine.losses import one_hot
from worker.engine.network import fixed_names, names
from worker.engine.program import Program, State, program
from worker.engine.shuffle import padded, shuffled

CPU = "/device:CPU:0"
SEED = 6
"""With 5 a value of the attentive network that is all but 0 has another sign after three steps, by rounding alone."""
ROWS = DatasetInfo(
    name="rows@1", kind="table", shape=(6,), classes=("a", "b", "c"), train_examples=1050, test_examples=60
)


@pytest.fixture(scope="module")
def rows() -> Dataset:
    """1,050 rows in three classes, not equally often: ten batches of 100 and one of 50."""
    rng = np.random.default_rng(3)
    y = rng.choice(3, 1110, p=[0.6, 0.3, 0.1]).astype(np.int32)
    x = (2 + rng.normal(size=(1110, 6)) * (1 + y[:, None])).astype(np.float32)
    return Dataset(ROWS, x[:1050], y[:1050], x[1050:], y[1050:])


@pytest.fixture(scope="module")
def series() -> Dataset:
    """300 sequences of 9 steps, whose slope tells their class."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, 320).astype(np.int32)
    x = rng.normal(size=(320, 9, 4)) + (y[:, None, None] - 1) * np.linspace(-2, 2, 9)[:, None]
    info = DatasetInfo(
        name="series@1", kind="arrays", shape=(9, 4), classes=("a", "b", "c"), train_examples=300, test_examples=20
    )
    x = x.astype(np.float32).reshape(320, -1)
    return Dataset(info, x[:300], y[:300], x[300:], y[300:])


def engines(dataset: Dataset, body: Body, *, steps: int, **more: Any) -> tuple[Program, dict[str, np.ndarray]]:
    """The program, and what the engine has made of the weights after so many steps in the examples' own order."""
    spec = spec_of(model=body, loss="cross_entropy", seed=SEED, **more)
    runner = program(spec, dataset.info, execution="graph", device=CPU)
    order = np.arange(len(dataset.train_y), dtype=np.int32)
    count = -(-len(order) // runner.batch_size)
    plan = runner.epoch(
        padded(order, runner.batch_size),
        np.full(count, spec.optimizer.learning_rate, np.float32),
        count=len(order),
        first_step=0,
        first_update=0,
        seed=SEED,
    )
    hyper = runner.hyper({"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7})
    state = State(runner.initial(SEED), runner.sums())
    examples = device_data(dataset, len(order), CPU).train.examples
    state = runner.chunk(state, examples, plan, hyper, start=0, stop=steps)
    assert int(state.sums.bad_step) == 0
    return runner, named(runner, state.train_state.weights, state.train_state.fixed)


def named(runner: Program, weights: Sequence[Any], fixed: Sequence[Any]) -> dict[str, np.ndarray]:
    network = runner.kind.network
    every = zip((*names(network), *fixed_names(network)), (*weights, *fixed), strict=False)
    return {name: np.asarray(value) for name, value in every}


def kerases(
    model: keras.Model, initial: dict[str, np.ndarray], batches: Sequence[tuple[Any, Any]], optimizer: Any, **loss: Any
) -> dict[str, np.ndarray]:
    """What Keras makes of the same weights by batches of features and labels."""
    for variable in model.weights:
        variable.assign(initial[variable.path])
    for x, y in batches:
        with tf.GradientTape() as tape:
            outputs: Any = model(x, training=True)
            value = mean_loss(outputs, y, **loss) + sum(model.losses)
        optimizer(tape.gradient(value, model.trainable_variables), model.trainable_variables)
    return {variable.path: variable.numpy() for variable in model.weights}


def mean_loss(outputs: Any, labels: Any, *, smoothing: float = 0.0, weights: Any = None) -> Any:
    wanted = one_hot(labels, outputs.shape[1], smoothing=smoothing)
    losses = tf.nn.softmax_cross_entropy_with_logits(wanted, outputs)
    return tf.reduce_mean(losses if weights is None else losses * tf.gather(weights, labels))


def descend(rate: float) -> Any:
    """w -= η·g"""

    def apply(gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        for gradient, variable in zip(gradients, variables, strict=True):
            variable.assign_sub(rate * gradient)

    return apply


def in_order(dataset: Dataset, orders: Sequence[np.ndarray], *, batch_size: int) -> list[tuple[Any, Any]]:
    """The batches of some epochs; pixels in 0…1."""
    scale = 1 / 255 if dataset.info.dtype == "uint8" else 1.0
    x = (dataset.train_x * np.float32(scale)).reshape(-1, *dataset.info.shape).astype(np.float32)
    taken = [order[at : at + batch_size] for order in orders for at in range(0, len(order), batch_size)]
    return [(tf.constant(x[batch]), tf.constant(dataset.train_y[batch].astype(np.int32))) for batch in taken]


def check_close(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], *, share: float) -> None:
    """Within a share of each array's largest value."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=share * np.abs(value).max(), err_msg=name)


def residual_in_keras(first: int, second: int) -> keras.Model:
    """`networks.residual`, written in Keras."""
    k: Any = keras.layers

    def block(name: str, x: Any, around: Any, filters: int) -> Any:
        x = k.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_1")(x)
        x = k.ReLU()(k.BatchNormalization(momentum=0.9, name=f"{name}_norm_1")(x))
        x = k.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_2")(x)
        return k.ReLU()(k.Add()([k.BatchNormalization(momentum=0.9, name=f"{name}_norm_2")(x), around]))

    example = keras.Input((21, 15, 3))
    stem = k.Conv2D(first, 3, padding="same", use_bias=False, name="stem")(example)
    smaller = k.MaxPooling2D()(block("first", stem, stem, first))
    x = block("second", smaller, k.Conv2D(second, 1, name="around")(smaller), second)
    return keras.Model(example, k.Dense(7, name="told")(k.Flatten()(k.MaxPooling2D()(x))))


def test_ten_steps_of_a_residual_network_are_kerases(colours: Dataset) -> None:
    runner, ours = engines(
        colours, residual(), steps=10, batch_size=30, optimizer={"type": "sgd", "learning_rate": 0.05}
    )
    initial = named(runner, *runner.kind.network.initial(SEED))
    batches = in_order(colours, [np.arange(300)], batch_size=30)
    theirs = kerases(residual_in_keras(4, 6), initial, batches, descend(0.05))
    moved = max(float(np.abs(value - initial[name]).max()) for name, value in theirs.items())
    assert moved > 0.05
    check_close(ours, theirs, share=1e-5)


def recurrent_in_keras() -> keras.Model:
    """`networks.recurrent`, written in Keras."""
    example = keras.Input((9, 4))
    x: Any = keras.layers.LSTM(8, return_sequences=True, name="first")(example)
    x = keras.layers.LSTM(6, name="second")(x)
    return keras.Model(example, keras.layers.Dense(3, name="told")(x))


def attentive_in_keras() -> keras.Model:
    """`networks.attentive`, written in Keras."""
    k: Any = keras.layers
    example = keras.Input((9, 4))
    x = k.Dense(8, name="in")(example)
    x = k.LayerNormalization(name="norm_1")(x + k.MultiHeadAttention(2, 4, name="look")(x, x))
    thought = k.Dense(8, name="narrow")(k.Dense(16, activation="relu", name="wide")(x))
    x = k.GlobalAveragePooling1D()(k.LayerNormalization(name="norm_2")(x + thought))
    return keras.Model(example, k.Dense(3, name="told")(x))


@pytest.mark.parametrize("kind", ["recurrent", "attentive"])
def test_ten_steps_of_adam_on_sequences_are_kerases(series: Dataset, kind: str) -> None:
    body, model = {
        "recurrent": (recurrent(), recurrent_in_keras),
        "attentive": (attentive(), attentive_in_keras),
    }[kind]
    runner, ours = engines(series, body, steps=10, batch_size=30, optimizer={"type": "adam", "learning_rate": 0.01})
    initial = named(runner, *runner.kind.network.initial(SEED))
    adam = keras.optimizers.Adam(0.01)
    theirs = kerases(model(), initial, in_order(series, [np.arange(300)], batch_size=30), adam.apply)
    # A bias of the keys changes no look: its gradient is 0 but for rounding, of which Adam makes what it likes.
    none = np.zeros(1)
    assert all(np.abs(told.pop("look/key/bias", none)).max() < 1e-3 for told in (ours, theirs))
    assert min(float(np.abs(value - initial[name]).max()) for name, value in theirs.items()) > 0.01
    check_close(ours, theirs, share=1e-4)


def normalised_in_keras(**more: Any) -> keras.Model:
    """`networks.normalised`, written in Keras."""
    example = keras.Input((6,))
    x: Any = keras.layers.Dense(12, use_bias=False, name="hidden", **more)(example)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8, name="norm")(x))
    return keras.Model(example, keras.layers.Dense(3, name="told")(x))


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_moving_statistics_of_two_epochs_with_a_smaller_last_batch_are_kerases(
    rows: Dataset, *, balanced: bool, smoothing: float
) -> None:
    spec = spec_of(
        model=normalised(),
        loss="cross_entropy",
        seed=SEED,
        epochs=2,
        batch_size=100,
        label_smoothing=smoothing,
        class_weights="balanced" if balanced else None,
        optimizer={"type": "sgd", "learning_rate": 0.1},
    )
    outcome, _ = run(rows, spec)
    runner = program(spec, rows.info, execution="graph", device=CPU)
    weights = class_weights("balanced", np.bincount(rows.train_y), names=ROWS.classes) if balanced else None
    theirs = kerases(
        normalised_in_keras(),
        named(runner, *runner.kind.network.initial(SEED)),
        in_order(rows, [shuffled(1050, seed=SEED, epoch=epoch) for epoch in range(2)], batch_size=100),
        descend(0.1),
        smoothing=smoothing,
        weights=weights,
    )
    assert np.abs(theirs["norm/moving_mean"]).max() > 0.5
    check_close(outcome.weights, theirs, share=1e-5)


def test_a_frozen_batch_normalization_goes_by_its_moving_statistics(rows: Dataset) -> None:
    runner, ours = engines(
        rows,
        normalised(),
        steps=8,
        batch_size=100,
        freeze=["norm"],
        optimizer={"type": "sgd", "learning_rate": 0.05},
    )
    assert names(runner.kind.network) == ("hidden/kernel", "told/kernel", "told/bias")
    initial = named(runner, *runner.kind.network.initial(SEED))
    model = normalised_in_keras()
    model.get_layer("norm").trainable = False
    theirs = kerases(model, initial, in_order(rows, [np.arange(800)], batch_size=100), descend(0.05))
    check_close(ours, theirs, share=1e-5)
    for name in ("norm/gamma", "norm/beta", "norm/moving_mean", "norm/moving_variance"):
        assert np.array_equal(ours[name], initial[name])


def test_regularizers_weigh_on_gradients_as_kerases_do(rows: Dataset) -> None:
    body = normalised()
    body["layers"][0]["kernel_regularizer"] = {"l1": 0.02, "l2": 0.05}
    _, plain = engines(rows, normalised(), steps=8, batch_size=100)
    runner, ours = engines(rows, body, steps=8, batch_size=100, optimizer={"type": "sgd", "learning_rate": 0.1})
    theirs = kerases(
        normalised_in_keras(kernel_regularizer=keras.regularizers.L1L2(0.02, 0.05)),
        named(runner, *runner.kind.network.initial(SEED)),
        in_order(rows, [np.arange(800)], batch_size=100),
        descend(0.1),
    )
    check_close(ours, theirs, share=1e-5)
    assert np.abs(ours["hidden/kernel"]).sum() < 0.9 * np.abs(plain["hidden/kernel"]).sum()


@pytest.mark.parametrize("by_cudnn", [False, True])
def test_recurrent_layers_take_a_cards_kernels_where_they_may_alone(series: Dataset, *, by_cudnn: bool) -> None:
    body = recurrent()
    body["layers"][1] = {"type": "bidirectional", "name": "second", "layer": {"type": "gru", "units": 3}}
    network = build(spec_of(model=body, loss="cross_entropy"), series.info, on_gpu=by_cudnn)
    _, first, second, _ = network._model.layers  # pyright: ignore[reportAttributeAccessIssue]
    uses = [layer.use_cudnn for layer in (first, second.forward_layer, second.backward_layer)]
    assert uses == (["auto"] * 3 if by_cudnn else [False] * 3)


def test_layers_hold_no_values_between_calls(rows: Dataset) -> None:
    runner, _ = engines(rows, normalised(rate=0.5), steps=1, batch_size=100)
    model = runner.kind.network._model  # pyright: ignore[reportAttributeAccessIssue]
    assert len(model.variables) == 8
    assert all(variable._value is None for variable in model.variables)
