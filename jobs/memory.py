"""What each buffer of a job takes. Estimates add them up, and the engine is told its sizes here: it allocates no other.

Bytes above what an idle trainer takes. The constants were measured with TensorFlow 2.21 on CPUs;
tests/worker/engine/test_memory_bound.py holds the sums against what a trainer really takes.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from jobs.architecture import MEMORY_PER_WEIGHT, Architecture, Layer
from jobs.datasets import DatasetInfo
from jobs.spec import Spec

VALUE = 4
"""Bytes of a value. Half precision is not taken off: a CPU's kernels convert, and weights stay float32."""

MOST_EVALUATED = 500
"""Largest batch of an evaluation."""
EVALUATION_BYTES = 256 << 20
"""What the values of an evaluation may take: wide networks are evaluated in smaller batches."""
MOST_EVALUATIONS_AT_ONCE = 10
"""Batches of an evaluation that may be under way, since none waits for another; TensorFlow's own default."""

SNAPSHOTS = 3
"""Copies of a job's state for its checkpoints: the last and the best one being written, and the next best one."""
BYTES_PER_RATE = 32
"""Memory of a step's learning rate while the schedule is computed, in float64."""


@dataclass(frozen=True, slots=True)
class Batches:
    """How many examples the engine handles at once."""

    training: int
    """Examples in a step's batch: no more than there are."""
    evaluation: int
    """Examples in a batch of an evaluation."""
    evaluations_at_once: int
    """Batches of an evaluation that may be under way."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a job's buffers. On a CPU they all are in the machine's memory."""

    device_dataset: int
    """The examples, uint8 or float32, with labels or targets and the epoch's order."""
    state: int
    """Weights and optimizer's memory: those that a call of the program takes and those that it returns."""
    gradients: int
    """Gradients, and what the update computes with the largest of them."""
    activations: int
    """Values of a training batch, forward and backward, or of the evaluations under way, whichever is more."""
    host_dataset: int
    """The examples once more, as they were read; and the learning rates of all steps."""
    snapshots: int
    """Copies of the state for checkpoints, and the best epoch's weights where early stopping keeps them."""

    @property
    def device_bytes(self) -> int:
        """What the device holds."""
        return self.device_dataset + self.state + self.gradients + self.activations

    @property
    def host_bytes(self) -> int:
        """What the machine holds beside the device."""
        return self.host_dataset + self.snapshots

    @property
    def total_bytes(self) -> int:
        """What a trainer takes on a CPU."""
        return self.device_bytes + self.host_bytes


def batches(spec: Spec, network: Architecture, *, train_examples: int) -> Batches:
    """The batches of a job that trains on so many examples."""
    one = VALUE * evaluated_values(network)
    evaluation = max(1, min(MOST_EVALUATED, EVALUATION_BYTES // one))
    at_once = max(1, min(MOST_EVALUATIONS_AT_ONCE, EVALUATION_BYTES // (evaluation * one)))
    return Batches(max(1, min(spec.batch_size, train_examples)), evaluation, at_once)


def memory(spec: Spec, dataset: DatasetInfo, network: Architecture, *, sizes: Batches, steps: int) -> Memory:
    """The buffers of a job of so many steps with these batches."""
    examples = dataset.examples
    weights = VALUE * network.parameters
    state = weights * (1 + MEMORY_PER_WEIGHT[spec.optimizer.type])
    best = weights if spec.early_stopping and spec.early_stopping.restore_best else 0
    snapshots = SNAPSHOTS + (spec.checkpoint.every_epochs is not None)  # one more waits where epochs ask for it
    return Memory(
        device_dataset=examples * (dataset.example_bytes + dataset.answer_bytes + 4),
        state=state * _states(spec),
        gradients=weights * (1 if spec.precision == "float32" else 2)
        + 3 * VALUE * max(weight.size for weight in network.weights),
        activations=VALUE
        * max(
            sizes.training * trained_values(network, augments=spec.augmentation is not None),
            sizes.evaluation * sizes.evaluations_at_once * evaluated_values(network),
        ),
        host_dataset=examples * (dataset.example_bytes + dataset.answer_bytes) + steps * BYTES_PER_RATE,
        snapshots=snapshots * (state + best) + best,
    )


def _states(spec: Spec) -> int:
    """States that are there at once: that before a call, that which it makes, eagerly also the step's before."""
    return 2 + (spec.execution == "eager") + (spec.precision == "mixed_float16")  # which chooses between two


@lru_cache(maxsize=256)
def trained_values(network: Architecture, *, augments: bool) -> int:
    """Values of one example while the network trains on it: all that backward needs, and the widest layer's work."""
    values = math.prod(network.inputs)
    work = [_working(layer) for layer in network.layers] + ([8 * values] if augments else [])
    return 3 * values + sum(_kept(layer) for layer in network.layers) + max(work)


@lru_cache(maxsize=256)
def evaluated_values(network: Architecture) -> int:
    """Values of one example while the network is evaluated: the widest layer's input and output."""
    return max(_inputs(layer) + _maps(layer) * layer.values for layer in network.layers)


def _inputs(layer: Layer) -> int:
    size = 1
    for side in layer.inputs:
        size *= side
    return size


def _outputs(layer: Layer) -> int:
    size = 1
    for side in layer.outputs:
        size *= side
    return size


def _maps(layer: Layer) -> int:
    """Arrays as large as the layer's values that are there at once: before and after, GELU's terms between them."""
    return 5 if layer.activation == "gelu" else 2


def _kept(layer: Layer) -> int:
    """Values that backward needs: what the activation gives; of a convolution also what is pooled; what dropout leaves
    and its mask."""
    dropped = 2 * _inputs(layer) if layer.dropout else 0
    terms = 3 * layer.values if layer.activation == "gelu" else 0
    pooled = 2 * _outputs(layer) if layer.kind == "convolution" else 0
    return layer.values + terms + pooled + dropped


def _working(layer: Layer) -> int:
    """Values that are there while the layer itself is computed, forward or backward."""
    drawn = 6 * _inputs(layer) if layer.dropout else 0
    return 2 * layer.values + _inputs(layer) + drawn
