"""What each buffer of a job takes. Estimates add them up, and the engine is told its sizes here: it allocates no other.

Bytes above what an idle trainer takes. The constants were measured with TensorFlow 2.21 on CPUs;
tests/worker/engine/test_memory_bound.py holds the sums against what a trainer really takes.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from jobs.architecture import MEMORY_PER_WEIGHT, Architecture
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
    last: int = 0
    """Examples of an epoch's last batch, where it is smaller and must not be filled up: its statistics count."""


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
    training = max(1, min(spec.batch_size, train_examples))
    return Batches(training, evaluation, at_once, train_examples % training if network.has_batch_statistics else 0)


def memory(spec: Spec, dataset: DatasetInfo, network: Architecture, *, sizes: Batches, steps: int) -> Memory:
    """The buffers of a job of so many steps with these batches."""
    examples = dataset.examples
    weights, fixed = VALUE * network.parameters, VALUE * network.non_trainable_parameters
    state = weights * (1 + MEMORY_PER_WEIGHT[spec.optimizer.type]) + fixed
    best = weights + fixed if spec.early_stopping and spec.early_stopping.restore_best else 0
    snapshots = SNAPSHOTS + (spec.checkpoint.every_epochs is not None)  # one more waits where epochs ask for it
    return Memory(
        device_dataset=examples * (dataset.example_bytes + dataset.answer_bytes + 4),
        # The Keras layers of a network that is not written out have values of their own, which nothing reads.
        state=state * _states(spec) + (0 if network.is_chain else weights + fixed),
        gradients=weights * (1 if spec.precision == "float32" else 2)
        + 3 * VALUE * max(weight.size for weight in network.trained),
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
    work = [node.cost.working for node in network.nodes] + ([8 * values] if augments else [])
    return 3 * values + sum(node.cost.kept for node in network.nodes) + max(work)


@lru_cache(maxsize=256)
def evaluated_values(network: Architecture) -> int:
    """Values of one example while the network is evaluated: the most that is there at once, of a layer's inputs and its
    own work, and of what later layers take."""
    last_use = {place: node.place for node in network.nodes for place in node.takes}
    sizes = {-1: math.prod(network.inputs)} | {node.place: node.values for node in network.nodes}
    live: set[int] = {-1}
    most = 0
    for node in network.nodes:
        most = max(most, sum(sizes[place] for place in live) + node.cost.evaluated)
        live.add(node.place)
        live = {place for place in live if last_use.get(place, -1) > node.place}
    return most
