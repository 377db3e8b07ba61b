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

# Networks written as layers, the same processor, batches of 128, Adam, milliseconds a step as a graph and by XLA. Dense
# 256-128 1.6, 1.0; with BatchNorm 1.8, 1.2; attention of two heads over 28 steps 3.9, 2.8, over 64 8.8, 7.0, over 128
# 26, 27; LSTM 64 over 28 steps 6.3, 7.3, LSTM 32 over 100 15.7, 8.3, both ways over 28 5.7, 6.3; GRU 8.2, 5.8; simple
# RNN 2.1, 1.9. Milliseconds of CPU, both cores busy with other work: with gelu and layer norms 3.5, 2.2; four residual
# blocks of 64 with layer norms 1.9, 0.7; embedding 256 x 32 0.9, 0.3; dense 256-256 with two dropouts 1.6, 2.1;
# max-pooling of sequences 0.8, 0.9.
SAVED_SECONDS_PER_LAYER = 7e-5
"""What starting a layer's operations one by one costs."""
COMPILING_SECONDS_PER_LAYER = 0.01
"""What a layer adds to the compiling."""
LOST_SECONDS_PER_DRAWN_VALUE = 1e-8
"""What XLA takes longer to draw the numbers of a dropout than the library does."""
WINDOWED = frozenset({"max_pooling", "average_pooling"})
"""Kinds that go over windows, as convolutions do, and win nothing by XLA."""
GRAPH_ON_GPU = frozenset({"max_pooling", "embedding", "lstm", "gru", "simple_rnn", "bidirectional"})
"""On a GPU, XLA adds up the gradients of a pooling, and of rows that are looked up, in no certain order: a resumed job
would not end in the same bits. Recurrent layers have cuDNN's kernels in a graph alone. By documentation: not measured.
"""


def execution_for(spec: Spec, sizes: Estimate, *, device: Device, begun: Runtime | None = None) -> Mode:
    """What the spec names, or what `auto` becomes; `begun` is how an earlier attempt ran, if there was one."""
    if spec.execution != "auto":
        return spec.execution
    if begun and _on_gpu(begun.device) == (device.kind == "gpu"):
        return cast("Mode", begun.execution)
    compiles = _compiles_on_gpu(sizes) if device.kind == "gpu" else _compiles_on_cpu(spec, sizes)
    return "xla" if compiles and "xla" in sizes.network.modes else "graph"


def _compiles_on_gpu(sizes: Estimate) -> bool:
    # What is written out pools by itself under XLA.
    return sizes.network.is_chain or not _kinds(sizes) & GRAPH_ON_GPU


def _compiles_on_cpu(spec: Spec, sizes: Estimate) -> bool:
    network = sizes.network
    if network.has_convolutions or _kinds(sizes) & WINDOWED:
        # XLA's convolutions are twenty times slower on a CPU.
        return False
    if network.is_chain:
        return sizes.steps * _saved_per_step(spec, sizes) > COMPILING_SECONDS
    compiling = COMPILING_SECONDS + COMPILING_SECONDS_PER_LAYER * len(network.nodes)
    return sizes.steps * _saved_per_step_of_layers(sizes) > compiling


def _kinds(sizes: Estimate) -> set[str]:
    return {node.layer.type for node in sizes.network.nodes}


def _saved_per_step(spec: Spec, sizes: Estimate) -> float:
    """Seconds by which a compiled step of dense layers is shorter."""
    remembered = sizes.parameters * MEMORY_PER_WEIGHT[spec.optimizer.type]
    return (
        SAVED_SECONDS_PER_STEP
        + SAVED_SECONDS_PER_FLOP * sizes.flops_per_epoch / sizes.steps_per_epoch
        + SAVED_SECONDS_PER_REMEMBERED_VALUE * remembered
    )


def _saved_per_step_of_layers(sizes: Estimate) -> float:
    """Seconds by which a compiled step of a network written as layers is shorter; below 0 where it is longer."""
    nodes = sizes.network.nodes
    drawn = sizes.batches.training * sum(node.values for node in nodes if node.layer.is_random)
    return SAVED_SECONDS_PER_LAYER * len(nodes) - LOST_SECONDS_PER_DRAWN_VALUE * drawn


def _on_gpu(device: str) -> bool:
    return "GPU" in device
