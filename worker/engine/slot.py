"""One job's place in a program: its state, how far it has come, whom it tells, and how it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from jobs.errors import NonFiniteLoss
from jobs.estimate import Estimate
from jobs.record import EpochMetrics
from jobs.spec import Spec
from jobs.states import Reason
from worker.engine import reports
from worker.engine.evaluation import ModelEvaluation
from worker.engine.interfaces import Checkpointer, Control, Reporter
from worker.engine.network import fixed_names, names
from worker.engine.optimizers import hyper_of
from worker.engine.pace import Pace
from worker.engine.program import Epoch, Program, State, Sums
from worker.engine.schedules import learning_rates
from worker.engine.shuffle import padded, shuffled
from worker.engine.snapshot import UNSCALED, Snapshot
from worker.engine.step import CLASS_WEIGHTS
from worker.engine.stopping import Stopper


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job that ran to its end leaves."""

    weights: dict[str, np.ndarray]
    """float32 arrays by name."""
    test: dict[str, float]
    """Metrics of the test examples, `loss` among them, by name."""
    evaluate: Callable[[], ModelEvaluation]
    """Says more about what it tells of the test examples; computed then, by the device."""
    reason: Reason
    """COMPLETED or EARLY_STOPPED."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a job that was told to stop leaves."""

    reason: Any
    """What `Control.check_stop` returned."""
    snapshot: Snapshot
    """Where training stopped: what `resume` takes to go on from there."""


Ending = Outcome | Stopped | NonFiniteLoss
"""How a slot ends. It leaves its neighbours alone, whichever it is."""


class Slot:
    """A job in training. It is active until it has an `ending`.

    `epoch` epochs are done, and `step` steps of the next one, which have taken `seconds` and follow `plan`.
    """

    def __init__(
        self,
        spec: Spec,
        sizes: Estimate,
        *,
        program: Program,
        reporter: Reporter,
        control: Control,
        checkpointer: Checkpointer,
        pace: Pace,
        resume: Snapshot | None = None,
        initial: Mapping[str, np.ndarray] | None = None,
        class_weights: np.ndarray | None = None,
    ) -> None:
        """Without a snapshot to `resume` from it begins with the weights `initial`, float32 by name, and with drawn
        ones for the others. `class_weights` float32 [classes] say how much the examples of each count, where not all
        count the same.

        Raises ValueError for a snapshot of another model.
        """
        self.spec, self.sizes = spec, sizes
        self.reporter = reporter
        self.pace = pace
        self._program = program
        self._control, self._checkpointer = control, checkpointer
        self._rates = learning_rates(
            spec.schedule, peak=spec.optimizer.learning_rate, steps=sizes.steps, warmup_steps=sizes.warmup_steps
        )
        self._stopper = Stopper(spec.early_stopping, resume.best if resume else None)
        tuned: dict[str, float | np.ndarray] = {**hyper_of(spec.optimizer)}
        if class_weights is not None:
            tuned[CLASS_WEIGHTS] = class_weights
        self.hyper = program.hyper(tuned)
        self.epoch = resume.epoch if resume else 0
        self.step = resume.step if resume else 0
        self.seconds = resume.seconds if resume else 0.0
        self._skipped_before = resume.skipped[0] if resume else 0
        self.state = _state(program, spec.seed, resume, initial)
        self.plan: Epoch | None = None
        """Of the epoch under way, once it has begun."""
        self._told_of_skipped = False
        self.ending: Ending | None = None

    @property
    def active(self) -> bool:
        """Whether there is more to do."""
        return self.ending is None

    @property
    def trained(self) -> bool:
        """Whether no epoch is left to train. So it can be from the beginning: a snapshot may be of the very end."""
        return self.epoch == self.spec.epochs or (self.step == 0 and self._stopper.says_stop(self.epoch))

    @property
    def named_weights(self) -> dict[str, tf.Tensor]:
        """The weights on the device, by name."""
        network, state = self._program.kind.network, self.state.train_state
        by_name = dict(zip(names(network), state.weights, strict=True))
        # What comes behind the fixed weights has no name: the generators of random layers.
        by_name.update(zip(fixed_names(network), state.fixed, strict=False))
        return {weight.name: by_name[weight.name] for weight in network.described.weights}

    def snapshot(self) -> Snapshot:
        """The state as it is now. Waits for the device and copies from it."""
        train_state, sums = self.state
        scale = train_state.scale
        return Snapshot(
            epoch=self.epoch,
            step=self.step,
            weights=tuple(weight.numpy() for weight in train_state.weights),
            memory=tuple(memory.numpy() for memory in train_state.memory),
            fixed=tuple(value.numpy() for value in train_state.fixed),
            scale=(float(scale.factor), float(scale.finite_steps)) if scale else UNSCALED,
            skipped=(self._skipped_before, self._skipped),
            sums=(float(sums.loss), *map(float, sums.counts.numpy().reshape(-1))),
            seconds=self.seconds,
            best=self._stopper.best,
        )

    # --- between chunks ---------------------------------------------------------------------------

    def check_stop(self) -> None:
        """Offer a snapshot, then end here if somebody wants that."""
        self._checkpointer.offer(self.snapshot)
        reason = self._control.check_stop()
        if reason is not None:
            self.ending = Stopped(reason, self.snapshot())

    def report_progress(self) -> None:
        """Tell how far the job has come, and how long it still takes. Reads the sums from the device."""
        sums = self.state.sums
        right = float(sums.counts[0]) if self._program.kind.task == "classification" else None
        self.reporter.progress(
            reports.progress(
                self.spec,
                self.sizes,
                epoch=self.epoch,
                step=self.step,
                loss_sum=float(sums.loss),
                right=right,
                steps_per_second=self.pace.steps_per_second,
            )
        )
        remaining = self.pace.remaining_seconds(epoch=self.epoch, step=self.step)
        if remaining is not None:
            self.reporter.remaining(remaining)

    # --- between epochs ---------------------------------------------------------------------------

    def begin_epoch(self) -> Epoch:
        """Make the epoch's plan the one to follow, on the device."""
        sizes, seed = self.sizes, self.spec.seed
        first = self.epoch * sizes.steps_per_epoch
        first_update = first - self._skipped_before
        order = shuffled(sizes.train_examples, seed=seed, epoch=self.epoch)
        self.plan = self._program.epoch(
            padded(order, self._program.batch_size),
            self._rates[first_update : first_update + sizes.steps_per_epoch],
            count=sizes.train_examples,
            first_step=first,
            first_update=first_update,
            seed=seed,
        )
        return self.plan

    @property
    def epoch_end(self) -> int:
        """Steps of the whole job that are done when the epoch under way is."""
        return (self.epoch + 1) * self.sizes.steps_per_epoch

    @property
    def _skipped(self) -> int:
        """Steps so far whose gradients were too large for float16. Waits for the device."""
        scale = self.state.train_state.scale
        return int(scale.skipped) if scale else 0

    @property
    def skipped_steps(self) -> int:
        """Those of the epoch under way."""
        return self._skipped - self._skipped_before

    @property
    def rate(self) -> float:
        """Learning rate of the last update when the epoch is done, in the fewest digits that mean its float32."""
        updates = self.epoch_end - self._skipped
        return float(str(self._rates[max(updates, 1) - 1]))

    def end_epoch(self, metrics: EpochMetrics, sums: Sums) -> None:
        """Stand at the beginning of the next epoch, with its `sums`, and tell of the one that is done."""
        self.epoch, self.step, self.seconds = self.epoch + 1, 0, 0.0
        self._skipped_before = self._skipped
        self.state = self.state._replace(sums=sums)
        self.reporter.epoch(metrics)
        if metrics.skipped_steps and not self._told_of_skipped:
            self._told_of_skipped = True
            skipped, all_steps = metrics.skipped_steps, self.sizes.steps_per_epoch
            self.reporter.log(
                "warning",
                f"{skipped} of epoch {metrics.epoch}'s {all_steps} steps changed nothing: their gradients were too "
                "large for float16, and the loss is scaled less now; a few are usual at the beginning, many ask for a "
                "lower learning rate, or for the precision float32",
            )
        learned = self.state.train_state
        self._stopper.note(metrics, learned.weights, learned.fixed)
        self._checkpointer.epoch_done(metrics, self.snapshot)

    @property
    def best_epoch_words(self) -> str:
        """Which epoch early stopping takes for the best, and by what."""
        rule, best = self.spec.early_stopping, self._stopper.best
        assert rule
        assert best
        kept = ", whose weights are taken" if rule.restore_best else ""
        return f"{rule.monitor} was best in epoch {best.epoch} ({best.value:.4g}){kept}"

    def restore_best(self) -> None:
        """Take the best epoch's weights back, where early stopping asks for them."""
        if best := self._stopper.best_learned():
            self.state = self.state._replace(train_state=self._program.train_state(best.weights, (), fixed=best.fixed))


def _state(program: Program, seed: int, resume: Snapshot | None, initial: Mapping[str, np.ndarray] | None) -> State:
    if resume is None:
        return State(program.initial(seed, initial), program.sums())
    network = program.kind.network
    trained = tuple(weight.shape for weight in network.described.trained)
    kinds = ("weights", resume.weights, trained), ("fixed values", resume.fixed, network.fixed_shapes)
    for what, values, expected in kinds:
        shapes = tuple(value.shape for value in values)
        if shapes != expected:
            raise ValueError(f"the snapshot's {what} have the shapes {shapes}, the model's {expected}")
    train_state = program.train_state(
        resume.weights, resume.memory, resume.scale, fixed=resume.fixed, skipped=resume.skipped[1]
    )
    loss, *counts = resume.sums
    return State(train_state, program.sums(loss, counts))
