"""What a job will need, computed from its spec alone."""

import math
from dataclasses import dataclass

from jobs.architecture import describe
from jobs.datasets import DatasetInfo
from jobs.memory import Batches, Memory, batches, memory
from jobs.spec import Spec


@dataclass(frozen=True, slots=True)
class Estimate:
    """Sizes of a job."""

    parameters: int
    """Trained values."""
    train_examples: int
    """Examples per epoch, those held out for validation taken off."""
    validation_examples: int
    """Examples held out; 0 when validation happens on the test examples."""
    steps_per_epoch: int
    steps: int
    """Steps of all epochs."""
    weight_bytes: int
    """Memory of the weights, float32."""
    batches: Batches
    memory: Memory
    flops_per_epoch: int
    """Multiplications and additions of the layers' products in training, forward and backward."""

    @property
    def memory_bytes(self) -> int:
        """What a trainer takes for the job on a CPU, above what it takes idle: a bound, not what a small job needs."""
        return self.memory.total_bytes


def estimate(spec: Spec, dataset: DatasetInfo) -> Estimate:
    """Sizes of the job `spec` on `dataset`; exactly what the engine will build."""
    held_out = int(dataset.train_examples * spec.validation_split)
    examples = dataset.train_examples - held_out
    steps_per_epoch = math.ceil(examples / spec.batch_size)
    steps = steps_per_epoch * spec.epochs
    network = describe(spec.model, dataset)
    sizes = batches(spec, network, train_examples=examples)
    return Estimate(
        parameters=network.parameters,
        train_examples=examples,
        validation_examples=held_out,
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        weight_bytes=4 * network.parameters,
        batches=sizes,
        memory=memory(spec, dataset, network, sizes=sizes, steps=steps),
        flops_per_epoch=examples * network.flops,
    )
