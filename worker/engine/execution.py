"""Chooses how a job's steps run where its spec leaves that open: compiled by XLA, or as a graph.

The choice is a function of the spec, the dataset and the kind of device, never of what the process has compiled before:
a result's bits depend on it. What a job's first attempt chose, the later ones keep.
"""

from typing import cast

from jobs.architecture import MEMORY_PER_WEIGHT
from jobs.estimate import Estimate
from jobs.record import Device, Runtime
from jobs.spec import Spec
from worker.engine.program import Mode

# Measured with TensorFlow 2.21 on 2 cores of an EPYC (Zen 4), softmax and MLPs of 1 to 3 layers, batches of 32 to 1024.
COMPILING_SECONDS = 0.1
"""What compiling costs a job: of the 0.6 s that it takes longer than tracing alone, the share of those that compile.
Most jobs are of a kind that came before, and take their program from the process (0 s) or from another one (0.2 s)."""
SAVED_SECONDS_PER_STEP = 6e-5
"""What starting the step's operations one by one costs."""
SAVED_SECONDS_PER_FLOP = 2.5e-12
"""What writing values to memory costs between operations that XLA makes one."""
SAVED_SECONDS_PER_REMEMBERED_VALUE = 3.5e-9
"""The same in the optimizer's update, for each value that it remembers."""


def execution_for(spec: Spec, sizes: Estimate, *, device: Device, begun: Runtime | None = None) -> Mode:
    """What the spec names, or what `auto` becomes; `begun` is how an earlier attempt ran, if there was one."""
    if spec.execution != "auto":
        return spec.execution
    if begun and _on_gpu(begun.device) == (device.kind == "gpu"):
        return cast("Mode", begun.execution)
    if device.kind == "gpu":
        return "xla" if "xla" in sizes.network.modes else "graph"
    if sizes.network.has_convolutions or "xla" not in sizes.network.modes:
        # XLA's convolutions are twenty times slower on a CPU.
        return "graph"
    return "xla" if sizes.steps * _saved_per_step(spec, sizes) > COMPILING_SECONDS else "graph"


def _saved_per_step(spec: Spec, sizes: Estimate) -> float:
    """Seconds by which a compiled step of dense layers is shorter."""
    remembered = sizes.parameters * MEMORY_PER_WEIGHT[spec.optimizer.type]
    return (
        SAVED_SECONDS_PER_STEP
        + SAVED_SECONDS_PER_FLOP * sizes.flops_per_epoch / sizes.steps_per_epoch
        + SAVED_SECONDS_PER_REMEMBERED_VALUE * remembered
    )


def _on_gpu(device: str) -> bool:
    return "GPU" in device
