"""The training step of every textbook: forward, loss, gradients, θ′ = θ − η·∂L/∂θ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from jobs.datasets import Task
from jobs.spec import Augmentation, Precision
from worker.engine import scores
from worker.engine.augment import augment
from worker.engine.losses import LOSSES, one_hot
from worker.engine.network import Network, Weights
from worker.engine.optimizers import RULES, Hyper
from worker.engine.penalties import penalty
from worker.engine.scaling import LossScale, all_finite, choose
from worker.engine.stateless_random import StatelessRandom


@dataclass(frozen=True, slots=True)
class StepKind:
    """All that the step's program depends on and that cannot change while it runs."""

    network: Network
    loss: str
    label_smoothing: float
    optimizer: str
    precision: Precision
    augmentation: Augmentation | None
    task: Task
    outputs: int
    """Classes or targets."""

    @property
    def scales_loss(self) -> bool:
        """Whether gradients need lifting to fit the format."""
        return self.precision == "mixed_float16"


class Batch(NamedTuple):
    """Features float32 [B, values], pixels in 0…1; labels int32 [B], or targets float32 [B, targets]; mask float32 [B]:
    1 for an example, 0 for filling.
    """

    features: tf.Tensor
    targets: tf.Tensor
    mask: tf.Tensor


class TrainState(NamedTuple):
    """What training changes: weights, the optimizer's memory of them, the scale of the loss, where it is scaled, and
    what else the network keeps (`worker.engine.network.InitialValues`)."""

    weights: Weights
    memory: Weights
    scale: LossScale | tuple[()]
    fixed: Weights


class Measured(NamedTuple):
    """float32: mean loss of the batch, sum of its examples' losses, and what else is counted (`worker.engine.scores`).

    And a bool: whether loss and gradients are finite. Gradients that a smaller scale may yet fit into float16 count so.
    """

    loss: tf.Tensor
    loss_sum: tf.Tensor
    counts: tf.Tensor
    finite: tf.Tensor


CLASS_WEIGHTS = "class_weights"
"""Name among the values that a user tunes: float32 [classes], where examples count by their class."""


def train_step(
    kind: StepKind,
    train_state: TrainState,
    batch: Batch,
    rate: tf.Tensor,
    count: tf.Tensor,
    hyper: Hyper,
    noise: StatelessRandom,
) -> tuple[TrainState, Measured]:
    """One update on one batch. `rate` is the learning rate, `count` the updates so far + 1 (float32 scalars)."""
    features = batch.features
    if kind.augmentation:
        height, width, channels = kind.network.described.inputs
        features = augment(features, (height, width, channels), kind.augmentation, noise)
    weights, scale = train_state.weights, train_state.scale
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs, fixed = kind.network.forward(weights, train_state.fixed, features, noise)
        measured = measure(kind, outputs, batch, hyper.get(CLASS_WEIGHTS))
        large = penalty(kind.network.described.trained, weights)
        loss = measured.loss if large is None else measured.loss + large
        lifted = scale.lift(loss) if scale else loss
    gradients = _dense(tape.gradient(lifted, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO))
    if scale:
        gradients = scale.lower(gradients)
    updated = RULES[kind.optimizer](weights, gradients, train_state.memory, rate, count, hyper)
    after = TrainState(*updated, scale, fixed)
    return _unless_overflown(gradients, train_state, after, measured) if scale else (after, measured)


def _dense(gradients: Sequence[Any]) -> Weights:
    """As tensors of the weights' shapes: an embedding's comes as the rows that were looked up."""
    return tuple(tf.convert_to_tensor(gradient) for gradient in gradients)


def _unless_overflown(
    gradients: Weights, before: TrainState, after: TrainState, measured: Measured
) -> tuple[TrainState, Measured]:
    """The update, or none where a gradient was too large for float16; either way the scale learns from it."""
    assert before.scale
    finite = all_finite(gradients)
    kept = choose(finite, after, before)._replace(scale=before.scale.after(finite))
    return kept, measured._replace(finite=measured.finite & (finite | before.scale.can_halve))


def told(kind: StepKind, train_state: TrainState, features: tf.Tensor) -> tf.Tensor:
    """The network's outputs [B, outputs], float32, as it has learnt them."""
    return kind.network.forward(train_state.weights, train_state.fixed, features)[0]


def measure(kind: StepKind, outputs: tf.Tensor, batch: Batch, class_weights: tf.Tensor | None = None) -> Measured:
    """Loss and counts over the batch's real examples, as in training."""
    loss_sum = _loss_sum(kind, outputs, batch, class_weights)
    loss = loss_sum / tf.reduce_sum(batch.mask)
    if kind.task == "regression":
        counts = scores.add_up_errors(outputs, batch.targets, batch.mask)
    else:
        counts = scores.count_right(outputs, batch.targets, batch.mask)
    return Measured(loss, loss_sum, counts, tf.math.is_finite(loss))


def evaluate(kind: StepKind, outputs: tf.Tensor, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum of losses, and counts from which all metrics of an evaluation are made, over the batch's real examples."""
    loss_sum = _loss_sum(kind, outputs, batch, None)
    if kind.task == "regression":
        return loss_sum, scores.add_up_errors(outputs, batch.targets, batch.mask)
    return loss_sum, scores.count_by_class(outputs, batch.targets, batch.mask, classes=kind.outputs)


def _loss_sum(kind: StepKind, outputs: tf.Tensor, batch: Batch, class_weights: tf.Tensor | None) -> tf.Tensor:
    wanted = batch.targets
    if kind.task == "classification":
        wanted = one_hot(wanted, kind.outputs, smoothing=kind.label_smoothing)
    losses = LOSSES[kind.loss](outputs, wanted)
    if class_weights is not None:
        losses *= tf.gather(class_weights, batch.targets)
    return tf.reduce_sum(losses * batch.mask)
