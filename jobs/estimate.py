"""What a job will need, computed from its spec alone."""

import math
from dataclasses import dataclass
from typing import Literal

from jobs.architecture import Architecture, describe
from jobs.datasets import DatasetInfo
from jobs.errors import InvalidSpec
from jobs.memory import Batches, Memory, batches, memory
from jobs.spec import Spec

Rounding = Literal["nearest", "down"]
"""How a share of a count becomes a count itself: to the nearest; in jobs that older versions began, down."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Sizes of a job."""

    network: Architecture
    """The network that it trains."""
    parameters: int
    """Trained values."""
    non_trainable_parameters: int
    """Values that are kept and not trained: frozen ones, and moving statistics."""
    train_examples: int
    """Examples per epoch, those held out for validation taken off."""
    validation_examples: int
    """Examples held out, or brought for it; 0 when validation happens on the test examples."""
    steps_per_epoch: int
    steps: int
    """Steps of all epochs."""
    warmup_steps: int
    """Those over which the learning rate rises."""
    weight_bytes: int
    """Memory of the weights, float32."""
    batches: Batches
    memory: Memory
    flops_per_epoch: int
    """Multiplications and additions of the layers' products in training, forward and backward."""
    rounding: Rounding = "nearest"
    """How shares became the counts above."""

    @property
    def memory_bytes(self) -> int:
        """What a trainer takes for the job on a CPU, above what it takes idle: a bound, not what a small job needs."""
        return self.memory.total_bytes


def estimate(spec: Spec, dataset: DatasetInfo, *, rounding: Rounding = "nearest") -> Estimate:
    """Sizes of the job `spec` on `dataset`; exactly what the engine will build."""
    held_out = _share(spec.validation_split, dataset.train_examples, rounding)
    examples = dataset.train_examples - held_out
    steps_per_epoch = math.ceil(examples / spec.batch_size)
    steps = steps_per_epoch * spec.epochs
    # A warm-up leads somewhere: it leaves at least the last step.
    warmup_steps = min(_share(spec.schedule.warmup_fraction, steps, rounding), max(steps - 1, 0))
    network = describe(spec, dataset)
    sizes = batches(spec, network, train_examples=examples)
    return Estimate(
        network=network,
        parameters=network.parameters,
        non_trainable_parameters=network.non_trainable_parameters,
        train_examples=examples,
        validation_examples=held_out or dataset.validation_examples,
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        warmup_steps=warmup_steps,
        weight_bytes=4 * (network.parameters + network.non_trainable_parameters),
        batches=sizes,
        memory=memory(spec, dataset, network, sizes=sizes, steps=steps),
        flops_per_epoch=examples * network.flops,
        rounding=rounding,
    )


def check_split(spec: Spec, sizes: Estimate) -> None:
    """Raise InvalidSpec where examples are to be held out and there would be none, or none to train on."""
    examples, split = sizes.train_examples + sizes.validation_examples, spec.validation_split
    if split and not sizes.validation_examples:
        raise InvalidSpec(
            f"{split:g} of {examples:,} training examples is none: val_loss would be of the test examples; hold out at "
            f"least {1 / examples:.2g}, or 0",
            pointer="/validation_split",
        )
    if not sizes.train_examples:
        raise InvalidSpec(
            f"{split:g} of {examples:,} training examples is all of them: none is left to train on; hold out less",
            pointer="/validation_split",
        )


def _share(fraction: float, of: int, rounding: Rounding) -> int:
    return int(of * fraction) if rounding == "down" else round(of * fraction)
