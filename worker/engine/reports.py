"""What the training loop tells of itself: how a job runs, and how far it has come."""

import math
from collections.abc import Mapping

import tensorflow as tf

from jobs.estimate import Estimate, Rounding
from jobs.record import Device, Progress, Runtime
from jobs.spec import Spec
from worker.engine import devices
from worker.engine.network import sizes
from worker.engine.program import Mode


def describe(
    execution: Mode, device: Device, weights: Mapping[str, tf.Tensor], *, fixed: int, rounding: Rounding
) -> Runtime:
    """How the job runs: what `auto` became, and what the bits of the result depend on. `weights` are the trained ones;
    `fixed` counts the values of the others."""
    return Runtime(
        execution=execution,
        device=device.name,
        device_name=device.model,
        variables={name: _short(weight.device) for name, weight in weights.items()},
        parameters=sum(math.prod(sizes(weight)) for weight in weights.values()),
        non_trainable_parameters=fixed,
        threads=devices.threads(),
        memory_growth=device.memory_growth,
        tensorflow=tf.__version__,
        rounding=rounding,
    )


def compiled(execution: Mode, *, is_new: bool, seconds: float) -> str:
    """What came before the first step, for people."""
    if execution == "eager":
        return "runs eagerly: nothing is compiled"
    what = "compiled by XLA" if execution == "xla" else "traced as a graph"
    return f"{what} in {seconds:.1f} s" if is_new else f"{what} before, for another job of this kind"


def progress(
    spec: Spec,
    sizes: Estimate,
    *,
    epoch: int,
    step: int,
    loss_sum: float,
    right: float | None,
    steps_per_second: float | None,
) -> Progress:
    """How far a job has come after `epoch` epochs and `step` steps of the next, whose losses add up to `loss_sum` and
    of whose examples so many are told `right`, if they are told by classes.

    An epoch of which no step is done has no loss and no accuracy yet.
    """
    done = epoch * sizes.steps_per_epoch + step
    examples = min(step * spec.batch_size, sizes.train_examples)
    speed = steps_per_second
    return Progress(
        percent=round(100 * done / sizes.steps, 2),
        epoch=min(epoch + 1, spec.epochs),
        epochs=spec.epochs,
        step=done,
        steps=sizes.steps,
        steps_per_second=speed,
        examples_per_second=speed * sizes.train_examples / sizes.steps_per_epoch if speed else None,
        loss=loss_sum / examples if examples else None,
        accuracy=right / examples if examples and right is not None else None,
    )


def _short(device: str) -> str:
    """`/device:CPU:0` of `/job:localhost/replica:0/task:0/device:CPU:0`."""
    return "/device:" + device.rsplit("/device:", 1)[-1]
