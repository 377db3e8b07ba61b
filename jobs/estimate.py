"""What a job will need, computed from its spec alone."""

import math
from dataclasses import dataclass

from jobs.architecture import MEMORY_PER_WEIGHT, Architecture, describe
from jobs.datasets import DatasetInfo
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
    memory_bytes: int
    """Memory of training, roughly: weights with gradients and optimizer, activations of a batch, the dataset."""
    flops_per_epoch: int
    """Multiplications and additions of the layers' products in training, forward and backward."""


def estimate(spec: Spec, dataset: DatasetInfo) -> Estimate:
    """Sizes of the job `spec` on `dataset`; exactly what the engine will build."""
    held_out = int(dataset.train_examples * spec.validation_split)
    examples = dataset.train_examples - held_out
    steps_per_epoch = math.ceil(examples / spec.batch_size)
    network = describe(spec.model, dataset)
    return Estimate(
        parameters=network.parameters,
        train_examples=examples,
        validation_examples=held_out,
        steps_per_epoch=steps_per_epoch,
        steps=steps_per_epoch * spec.epochs,
        weight_bytes=4 * network.parameters,
        memory_bytes=_memory(spec, dataset, network),
        flops_per_epoch=examples * network.flops,
    )


def _memory(spec: Spec, dataset: DatasetInfo, network: Architecture) -> int:
    copies = 2 + MEMORY_PER_WEIGHT[spec.optimizer.type] + (spec.early_stopping is not None)
    # Each layer's values before and after its activation, and their gradients.
    values = dataset.pixels + 4 * network.values
    examples = dataset.train_examples + dataset.test_examples
    batch = min(spec.batch_size, dataset.train_examples)
    return 4 * (copies * network.parameters + batch * values) + examples * (dataset.pixels + 4)
