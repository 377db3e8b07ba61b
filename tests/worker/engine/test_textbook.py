"""The engine against the textbook loop written out by hand: forward, backward and update in NumPy."""

import numpy as np
import pytest

from tests.worker.engine.listening import spec_of
from worker.datasets.memory import Dataset
from worker.engine.device_data import device_data
from worker.engine.program import Epoch, Mode, Program, State, program
from worker.engine.schedules import learning_rates
from worker.engine.shuffle import padded, shuffled

CPU = "/device:CPU:0"
STEPS, BATCH, RATE = 200, 128, 0.05


def textbook_losses(weights: list[np.ndarray], dataset: Dataset, orders: list[np.ndarray]) -> list[float]:
    """Loss of each step of the MLP with ReLU, loss Σ (out − y)² / batch, θ′ = θ − η·∂L/∂θ; in float64."""
    w1, b1, w2, b2, w3, b3 = (w.astype(np.float64) for w in weights)
    losses: list[float] = []
    for order in orders:
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            x = dataset.train_x[rows] / 255
            y = np.eye(10)[dataset.train_y[rows]]
            h1 = np.maximum(x @ w1 + b1, 0)
            h2 = np.maximum(h1 @ w2 + b2, 0)
            out = h2 @ w3 + b3
            losses.append(float(((out - y) ** 2).sum() / len(rows)))
            d3 = 2 * (out - y) / len(rows)
            d2 = d3 @ w3.T * (h2 > 0)
            d1 = d2 @ w2.T * (h1 > 0)
            w1, b1 = w1 - RATE * x.T @ d1, b1 - RATE * d1.sum(0)
            w2, b2 = w2 - RATE * h1.T @ d2, b2 - RATE * d2.sum(0)
            w3, b3 = w3 - RATE * h2.T @ d3, b3 - RATE * d3.sum(0)
    return losses[:STEPS]


def engine_losses(runner: Program, dataset: Dataset, orders: list[np.ndarray], rates: np.ndarray) -> list[float]:
    """Loss of each step of the engine, run one step a chunk."""
    state = State(runner.initial(seed=3), runner.sums())
    images = device_data(dataset, len(dataset.train_y), CPU).train.examples
    losses: list[float] = []
    for order in orders:
        epoch = plan(runner, order, rates)
        for step in range(-(-len(order) // BATCH)):
            state = runner.chunk(state, images, epoch, runner.hyper({}), start=step, stop=step + 1)
            losses.append(float(state.sums.loss) / min(BATCH, len(order) - step * BATCH))
            state = State(state.train_state, runner.sums())
    return losses[:STEPS]


def plan(runner: Program, order: np.ndarray, rates: np.ndarray) -> Epoch:
    return runner.epoch(padded(order, BATCH), rates, count=len(order), first_step=0, first_update=0, seed=3)


@pytest.mark.parametrize("execution", ["eager", "graph", "xla"])
def test_the_engine_follows_the_loop_written_by_hand(digits: Dataset, execution: Mode) -> None:
    spec = spec_of(seed=3, batch_size=BATCH, optimizer={"type": "sgd", "learning_rate": RATE})
    runner = program(spec, digits.info, execution=execution, device=CPU)
    orders = [shuffled(9000, seed=3, epoch=epoch) for epoch in range(3)]
    rates = learning_rates(spec.schedule, peak=RATE, steps=71, warmup_steps=0)
    ours = engine_losses(runner, digits, orders, rates)
    by_hand = textbook_losses(list(runner.kind.network.initial(3).weights), digits, orders)
    np.testing.assert_allclose(ours, by_hand, rtol=1e-4)
    assert np.mean(ours[-20:]) < 0.5 * ours[0]
