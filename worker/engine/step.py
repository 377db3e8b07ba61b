"""The training step of every textbook: forward, loss, gradients, θ′ = θ − η·∂L/∂θ."""

from dataclasses import dataclass
from typing import NamedTuple, cast

import tensorflow as tf

from jobs.spec import Augmentation, Precision
from worker.engine.architecture import Network, Weights
from worker.engine.augment import augment
from worker.engine.losses import LOSSES, targets
from worker.engine.optimizers import RULES, Hyper
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
    classes: int

    @property
    def compute_dtype(self) -> tf.DType:
        """Number format of the layers' products."""
        return {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}[self.precision]

    @property
    def scales_loss(self) -> bool:
        """Whether gradients need lifting to fit the format."""
        return self.precision == "mixed_float16"


class Batch(NamedTuple):
    """Images float32 [B, pixels] in 0…1, labels int32 [B], mask float32 [B]: 1 for an image, 0 for filling."""

    images: tf.Tensor
    labels: tf.Tensor
    mask: tf.Tensor


class TrainState(NamedTuple):
    """What training changes: weights, the optimizer's memory of them, and the scale of the loss, where it is scaled."""

    weights: Weights
    memory: Weights
    scale: LossScale | tuple[()]


class Measured(NamedTuple):
    """float32 scalars: mean loss of the batch, sum of its images' losses, images classified right.

    And a bool: whether loss and gradients are finite. Gradients that a smaller scale may yet fit into float16 count so.
    """

    loss: tf.Tensor
    loss_sum: tf.Tensor
    correct: tf.Tensor
    finite: tf.Tensor


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
    images = augment(batch.images, kind.network.image, kind.augmentation, noise) if kind.augmentation else batch.images
    weights, scale = train_state.weights, train_state.scale
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs = forward(kind, weights, images, noise)
        measured = measure(kind, outputs, batch)
        loss = scale.lift(measured.loss) if scale else measured.loss
    gradients = cast("Weights", tuple(tape.gradient(loss, weights)))
    if scale:
        gradients = scale.lower(gradients)
    updated = RULES[kind.optimizer](weights, gradients, train_state.memory, rate, count, hyper)
    after = TrainState(*updated, scale)
    return _unless_overflown(gradients, train_state, after, measured) if scale else (after, measured)


def _unless_overflown(
    gradients: Weights, before: TrainState, after: TrainState, measured: Measured
) -> tuple[TrainState, Measured]:
    """The update, or none where a gradient was too large for float16; either way the scale learns from it."""
    assert before.scale
    finite = all_finite(gradients)
    kept = choose(finite, after, before)._replace(scale=before.scale.after(finite))
    return kept, measured._replace(finite=measured.finite & (finite | before.scale.can_halve))


def forward(kind: StepKind, weights: Weights, images: tf.Tensor, noise: StatelessRandom | None = None) -> tf.Tensor:
    """The network's outputs [B, classes], float32, computed in the kind's precision."""
    dtype = kind.compute_dtype
    if dtype == tf.float32:
        return kind.network.forward(weights, images, noise)
    lowered = tuple(tf.cast(weight, dtype) for weight in weights)
    return tf.cast(kind.network.forward(lowered, tf.cast(images, dtype), noise), tf.float32)


def measure(kind: StepKind, outputs: tf.Tensor, batch: Batch) -> Measured:
    """Loss and hits over the batch's real images."""
    losses = LOSSES[kind.loss](outputs, targets(batch.labels, kind.classes, smoothing=kind.label_smoothing))
    loss_sum = tf.reduce_sum(losses * batch.mask)
    right = tf.cast(tf.equal(tf.argmax(outputs, axis=1, output_type=tf.int32), batch.labels), tf.float32)
    loss = loss_sum / tf.reduce_sum(batch.mask)
    return Measured(loss, loss_sum, tf.reduce_sum(right * batch.mask), tf.math.is_finite(loss))
