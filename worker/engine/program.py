"""Runs the step: many steps a call, eagerly, as a graph or compiled, over data that stays on the device.

One code path, three wrappers. A program depends on shapes and kinds only; learning rates, the optimizer's
values, the order of examples and where to start and stop are data, so it serves every job of its kind and
is traced once in a process.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf

from jobs.architecture import MEMORY_PER_WEIGHT
from jobs.datasets import DatasetInfo
from jobs.estimate import estimate
from jobs.memory import Batches
from jobs.spec import Spec
from worker.engine.build import build
from worker.engine.network import replaced, sizes
from worker.engine.optimizers import Hyper
from worker.engine.scaling import FIRST_FACTOR, LossScale
from worker.engine.snapshot import UNSCALED
from worker.engine.stable_names import stable_names
from worker.engine.stateless_random import StatelessRandom
from worker.engine.step import Batch, Measured, StepKind, TrainState, evaluate, told, train_step

FINITE = 0
"""Value of `Sums.bad_step` while all was finite. Steps count from 1."""


class Sums(NamedTuple):
    """What an epoch has measured so far: the sum of losses, the counts of `worker.engine.scores`, both float32, and the
    int32 step whose loss or gradients were not finite.

    They run through the epoch's chunks, so that it makes no difference where one ended.
    """

    loss: tf.Tensor
    counts: tf.Tensor
    bad_step: tf.Tensor


class State(NamedTuple):
    """All that a chunk changes. Tensors on the device; never modified, only replaced."""

    train_state: TrainState
    sums: Sums


class Examples(NamedTuple):
    """On the device: uint8 pixels, float32 features or int32 ids [N, values]; int32 labels [N], or float32 targets
    [N, targets].
    """

    features: tf.Tensor
    targets: tf.Tensor

    @property
    def length(self) -> int:
        """N."""
        return sizes(self.targets)[0]


class Epoch(NamedTuple):
    """One epoch's plan as data on the device."""

    order: tf.Tensor
    """int32 [steps·B]: which example each place takes; filling at the end."""
    rates: tf.Tensor
    """float32 [steps]: learning rate of each update; fewer are used where steps are skipped."""
    example_count: tf.Tensor
    """int32: examples in the epoch."""
    first_step: tf.Tensor
    """int32: steps of the epochs before."""
    first_update: tf.Tensor
    """int32: updates of the epochs before: their steps without the skipped ones."""
    seed: tf.Tensor
    """int32: the job's seed."""


Mode = Literal["eager", "graph", "xla"]
Chunk = Callable[[State, Examples, Epoch, Hyper, tf.Tensor, tf.Tensor], State]
Evaluation = Callable[[TrainState, Examples], tuple[tf.Tensor, tf.Tensor]]
Outputs = Callable[[TrainState, Examples, tf.Tensor], tf.Tensor]


@dataclass(frozen=True, slots=True)
class Program:
    """The callables of one kind of job on one device."""

    kind: StepKind
    batch_size: int
    execution: Mode
    device: str
    run_chunk: Chunk
    """(state, examples, epoch, hyper, start, stop) → state after the steps start … stop-1 of the epoch."""
    run_evaluation: Evaluation
    """(learned, examples) → sum of losses, counts."""
    run_outputs: Outputs
    """(learned, examples, batch) → outputs of the batch of that number; filled up with the last example."""
    evaluation_size: int
    """Examples in a batch of an evaluation."""

    def initial(self, seed: int, given: Mapping[str, np.ndarray] | None = None) -> TrainState:
        """Weights from the seed, but for those that are given by name; the optimizer's memory at zero."""
        network = self.kind.network
        weights, fixed = replaced(network.described, network.initial(seed), given or {})
        copies = range(MEMORY_PER_WEIGHT[self.kind.optimizer])
        memory = tuple(np.zeros_like(weight) for _ in copies for weight in weights)
        return self.train_state(weights, memory, (FIRST_FACTOR, 0.0), fixed=fixed)

    def train_state(
        self,
        weights: tuple[np.ndarray, ...],
        memory: tuple[np.ndarray, ...],
        scale: tuple[float, float] = UNSCALED,
        *,
        fixed: tuple[np.ndarray, ...],
        skipped: int = 0,
    ) -> TrainState:
        """Move host arrays to the device; `scale` and `skipped` steps are used where the kind scales its loss."""
        with tf.device(self.device):
            factor, finite_steps = (tf.constant(value, tf.float32) for value in scale)
            return TrainState(
                tuple(tf.constant(w) for w in weights),
                tuple(tf.constant(m) for m in memory),
                LossScale(factor, finite_steps, tf.constant(skipped)) if self.kind.scales_loss else (),
                tuple(tf.constant(value) for value in fixed),
            )

    def sums(self, loss: float = 0.0, counts: Sequence[float] = ()) -> Sums:
        """Sums of an epoch that begins, or goes on from these, the counts one after the other."""
        shape = (2, self.kind.outputs) if self.kind.task == "regression" else (1,)
        begun = np.array(counts, np.float32).reshape(shape) if counts else np.zeros(shape, np.float32)
        with tf.device(self.device):
            return Sums(tf.constant(loss, tf.float32), tf.constant(begun), tf.constant(FINITE))

    def epoch(
        self, order: np.ndarray, rates: np.ndarray, *, count: int, first_step: int, first_update: int, seed: int
    ) -> Epoch:
        """Move an epoch's plan to the device."""
        with tf.device(self.device):
            numbers = (tf.constant(number) for number in (count, first_step, first_update, seed))
            return Epoch(tf.constant(order), tf.constant(rates), *numbers)

    def hyper(self, values: Mapping[str, float | np.ndarray]) -> Hyper:
        """Move the values that a user tunes to the device."""
        with tf.device(self.device):
            return {name: tf.constant(value, tf.float32) for name, value in values.items()}

    def chunk(self, state: State, examples: Examples, epoch: Epoch, hyper: Hyper, *, start: int, stop: int) -> State:
        """Run steps start … stop-1 of the epoch."""
        with tf.device(self.device):
            return self.run_chunk(state, examples, epoch, hyper, tf.constant(start), tf.constant(stop))

    def trace(self, state: State, examples: Examples, epoch: Epoch, hyper: Hyper) -> bool:
        """Run no step at all: that traces and compiles the program, if this process has not yet done so; whether it had
        to."""
        before = self._traces
        arguments = (state, examples, epoch, hyper)
        shapes = [sizes(tensor) for tensor in tf.nest.flatten(arguments)]
        # What another process compiled is found by its names.
        with (
            stable_names(self.kind, self.batch_size, self.device, shapes) if self.execution == "xla" else nullcontext()
        ):
            self.chunk(*arguments, start=0, stop=0)
        return self._traces > before

    @property
    def _traces(self) -> int:
        """How often the chunk was traced; never where it runs eagerly."""
        return 0 if self.execution == "eager" else self.run_chunk.experimental_get_tracing_count()  # pyright: ignore[reportFunctionMemberAccess] (of tf.function)

    def evaluate(self, train_state: TrainState, examples: Examples) -> tuple[float, np.ndarray]:
        """Mean loss over all examples, and their counts. Waits for the device."""
        with tf.device(self.device):
            loss_sum, counts = self.run_evaluation(train_state, examples)
        return float(loss_sum) / examples.length, counts.numpy()

    def outputs(self, train_state: TrainState, examples: Examples) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Outputs float32 [B, outputs] and targets of the examples, batch by batch. Waits for the device."""
        targets = examples.targets.numpy()
        for batch, start in enumerate(range(0, examples.length, self.evaluation_size)):
            with tf.device(self.device):
                told = self.run_outputs(train_state, examples, tf.constant(batch)).numpy()
            wanted = targets[start : start + self.evaluation_size]
            yield told[: len(wanted)], wanted


def program(
    spec: Spec, dataset: DatasetInfo, *, execution: Mode, device: str, batches: Batches | None = None
) -> Program:
    """The program of a job on a device; the same one again for the next job that differs in data only.

    `batches` are those of the job's estimate, which is made where they are not given.
    """
    kind = StepKind(
        network=build(spec, dataset, on_gpu="GPU" in device, by_xla=execution == "xla"),
        loss=spec.loss,
        label_smoothing=spec.label_smoothing,
        optimizer=spec.optimizer.type,
        precision=spec.precision,
        augmentation=spec.augmentation,
        task=dataset.task,
        outputs=dataset.outputs,
    )
    at_most = batches or estimate(spec, dataset).batches
    return _program(kind, batches=at_most, execution=execution, device=device)


@lru_cache(maxsize=32)
def _program(kind: StepKind, *, batches: Batches, execution: Mode, device: str) -> Program:
    """The program of a kind; made once in a process, traced at its first use."""
    apart = execution == "graph" and "GPU" not in device and kind.network.described.has_max_pooling
    chunk = _chunk(kind, batches, apart=apart)
    evaluation, outputs = _evaluation(kind, batches), _outputs(kind, batches)
    # The loops are tf.while_loop already: AutoGraph would only rewrite the source, and make tracing slower.
    if execution == "xla":
        chunk = tf.function(chunk, jit_compile=True, autograph=False)
    elif execution == "graph":
        chunk = tf.function(chunk, autograph=False)
    if execution != "eager":
        # An evaluation has few large operations: compiling it would cost more than XLA wins back.
        evaluation, outputs = (tf.function(each, autograph=False) for each in (evaluation, outputs))
    return Program(kind, batches.training, execution, device, chunk, evaluation, outputs, batches.evaluation)


def forget() -> None:
    """Keep no program any longer."""
    _program.cache_clear()


def _chunk(kind: StepKind, batches: Batches, *, apart: bool) -> Chunk:
    """`apart`: each step is a function of its own.

    oneDNN takes over the gradient of max pooling once it has taken over the pooling. Within a loop that is a matter of
    the order in which TensorFlow comes by the two, which is another one in each process: at some times the gradient is
    slow, and sums up differently where windows overlap. A function is a graph of its own, without a loop.
    """

    def step(i: tf.Tensor, state: State, examples: Examples, epoch: Epoch, hyper: Hyper, *, size: int) -> State:
        batch = _gather(kind, examples, epoch, i, batches.training, size)
        number = epoch.first_step + i + 1
        noise = StatelessRandom(epoch.seed, number)
        rate, count = _rate_and_count(epoch, i, state.train_state)
        train_state, measured = train_step(kind, state.train_state, batch, rate, count, hyper, noise)
        return State(train_state, _add(state.sums, measured, number))

    def step_of(size: int) -> Callable[..., State]:
        of_size = partial(step, size=size)
        return tf.function(of_size, autograph=False, experimental_attributes={"_noinline": True}) if apart else of_size

    full, smaller = step_of(batches.training), step_of(batches.last or batches.training)

    def run(state: State, examples: Examples, epoch: Epoch, hyper: Hyper, start: tf.Tensor, stop: tf.Tensor) -> State:
        def body(i: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return i + 1, full(i, state, examples, epoch, hyper)

        def going_on(until: tf.Tensor) -> Callable[[tf.Tensor, State], tf.Tensor]:
            # With `for i in tf.range(start, stop)` XLA would compile anew for every `stop`.
            return lambda i, state: (i < until) & (state.sums.bad_step == FINITE)

        if not batches.last:
            return tf.while_loop(going_on(stop), body, (start, state))[1]
        # Filling would count among the batch's statistics: the smaller batch at the epoch's end is a step of its own.
        last = epoch.example_count // batches.training
        i, state = tf.while_loop(going_on(tf.minimum(stop, last)), body, (start, state))
        goes_on = (i == last) & going_on(stop)(i, state)
        return tf.cond(goes_on, lambda: smaller(i, state, examples, epoch, hyper), lambda: state)

    return run


def _rate_and_count(epoch: Epoch, i: tf.Tensor, train_state: TrainState) -> tuple[tf.Tensor, tf.Tensor]:
    """Learning rate of step i, and the updates so far + 1: a step that was skipped counts for neither."""
    if not train_state.scale:
        return epoch.rates[i], tf.cast(epoch.first_step + i + 1, tf.float32)
    updates = epoch.first_step + i - train_state.scale.skipped
    # Not by `[…]`: the place depends on where the epoch began, and XLA would compile anew for each such value.
    return tf.gather(epoch.rates, updates - epoch.first_update), tf.cast(updates + 1, tf.float32)


def _gather(kind: StepKind, examples: Examples, epoch: Epoch, i: tf.Tensor, batch_size: int, size: int) -> Batch:
    """The first `size` examples of step i's batch. Places beyond the epoch's examples are masked."""
    rows = tf.slice(epoch.order, [i * batch_size], [size])
    place = tf.range(size) + i * batch_size
    return Batch(
        _fed(kind, tf.gather(examples.features, rows)),
        tf.gather(examples.targets, rows),
        tf.cast(place < epoch.example_count, tf.float32),
    )


def _fed(kind: StepKind, features: tf.Tensor) -> tf.Tensor:
    """Pixels in 0…1; what is no pixel as it is; whole numbers, int32, where the network looks them up."""
    if kind.network.described.takes_ids:
        return tf.cast(features, tf.int32)
    return tf.cast(features, tf.float32) * (1 / 255) if features.dtype == tf.uint8 else features


def _add(sums: Sums, measured: Measured, step: tf.Tensor) -> Sums:
    bad = tf.where(measured.finite, FINITE, step)
    return Sums(sums.loss + measured.loss_sum, sums.counts + measured.counts, bad)


def _evaluation(kind: StepKind, at_most: Batches) -> Evaluation:
    def run(train_state: TrainState, examples: Examples) -> tuple[tf.Tensor, tf.Tensor]:
        count = examples.length
        size = min(at_most.evaluation, count)

        def body(i: tf.Tensor, loss_sum: tf.Tensor, counts: tf.Tensor) -> tuple[tf.Tensor, ...]:
            place, rows = _evaluated(i, size, count)
            mask = tf.cast(place < count, tf.float32)
            features, targets = tf.gather(examples.features, rows), tf.gather(examples.targets, rows)
            batch = Batch(_fed(kind, features), targets, mask)
            more, further = evaluate(kind, told(kind, train_state, batch.features), batch)
            return i + 1, loss_sum + more, counts + further

        none = tf.zeros((2 if kind.task == "regression" else 3, kind.outputs))
        batches = math.ceil(count / size)
        # Nothing but memory keeps a graph from computing many batches at once.
        _, loss_sum, counts = tf.while_loop(
            lambda i, *_: i < batches,
            body,
            (tf.constant(0), tf.constant(0.0), none),
            parallel_iterations=at_most.evaluations_at_once,
        )
        return loss_sum, counts

    return run


def _outputs(kind: StepKind, at_most: Batches) -> Outputs:
    def run(train_state: TrainState, examples: Examples, batch: tf.Tensor) -> tf.Tensor:
        count = examples.length
        _, rows = _evaluated(batch, min(at_most.evaluation, count), count)
        return told(kind, train_state, _fed(kind, tf.gather(examples.features, rows)))

    return run


def _evaluated(batch: tf.Tensor, size: int, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Places of the batch of that number among `count` examples, and which each takes: the last where there is none."""
    place = tf.range(size) + batch * size
    return place, tf.minimum(place, count - 1)
