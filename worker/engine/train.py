"""The training loop: epochs of chunks of steps, each epoch measured, until the last or until told to stop."""

import math
import time
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from jobs.errors import NonFiniteLoss, OutOfMemory
from jobs.estimate import Estimate, estimate
from jobs.record import Device, EpochMetrics
from jobs.spec import Spec
from jobs.states import Phase, Reason
from worker.datasets.memory import Dataset
from worker.engine import devices, reports
from worker.engine.chunk_sizer import ChunkSizer
from worker.engine.device_data import device_data
from worker.engine.interfaces import Checkpointer, Control, NoCheckpoints, Reporter, Stop
from worker.engine.optimizers import hyper_of
from worker.engine.program import FINITE, Epoch, Mode, Program, State, program
from worker.engine.schedules import learning_rates
from worker.engine.shuffle import padded, shuffled
from worker.engine.snapshot import Snapshot
from worker.engine.stopping import Stopper


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job that ran to its end leaves."""

    weights: dict[str, np.ndarray]
    """float32 arrays by name."""
    test_loss: float
    test_accuracy: float
    reason: Reason
    """COMPLETED or EARLY_STOPPED."""


def train(
    spec: Spec,
    dataset: Dataset,
    *,
    device: Device,
    reporter: Reporter,
    control: Control,
    checkpointer: Checkpointer | None = None,
    resume: Snapshot | None = None,
) -> Outcome:
    """Train a job to its end.

    The result is a pure function of the spec, the dataset, the execution and the kind of device with its number
    of threads: neither where chunks end nor stopping and resuming changes a bit of it.

    Raises NonFiniteLoss, OutOfMemory, ValueError for a snapshot of another model, or the Stop of `control.check`,
    which then carries a snapshot.
    """
    try:
        return Training(spec, dataset, device, reporter, control, checkpointer or NoCheckpoints(), resume).run()
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise OutOfMemory(
            f"{device.name} does not hold this model with batch_size {spec.batch_size}; lower one of them ({cause})"
        ) from error


class Training:
    """One job under way: its state, and where it stands."""

    def __init__(
        self,
        spec: Spec,
        dataset: Dataset,
        device: Device,
        reporter: Reporter,
        control: Control,
        checkpointer: Checkpointer,
        resume: Snapshot | None,
    ) -> None:
        self._spec = spec
        self._sizes: Estimate = estimate(spec, dataset.info)
        self._reporter, self._control, self._checkpointer = reporter, control, checkpointer
        self._device = device
        self._execution: Mode = devices.execution_for(spec, device)
        self._program = program(spec, dataset.info, execution=self._execution, device=device.name)
        self._data = device_data(dataset, self._sizes.train_images, device.name)
        self._rates = learning_rates(spec.schedule, peak=spec.optimizer.learning_rate, steps=self._sizes.steps)
        self._hyper = self._program.hyper(hyper_of(spec.optimizer))
        self._chunk_sizer = ChunkSizer()
        self._stopper = Stopper(spec.early_stopping, resume.best if resume else None)
        self._epoch = resume.epoch if resume else 0
        self._step = resume.step if resume else 0
        self._seconds = resume.seconds if resume else 0.0
        self._state = _state(self._program, spec.seed, resume)

    def run(self) -> Outcome:
        """Train the epochs that are left, then test."""
        self._reporter.run(reports.describe(self._execution, self._device, self._named_weights()))
        self._reporter.phase(Phase.TRACING)
        # What an attempt before had beyond the snapshot is to be done again, and must not be shown as done.
        self._report_progress()
        if not self._is_over():
            plan = self._plan_epoch()
            self._trace(plan)
            self._reporter.phase(Phase.TRAINING)
            self._train_epochs(plan)
        return self._finish()

    def snapshot(self) -> Snapshot:
        """The state as it is now. Waits for the device and copies from it."""
        train_state, sums = self._state
        return Snapshot(
            epoch=self._epoch,
            step=self._step,
            weights=tuple(weight.numpy() for weight in train_state.weights),
            memory=tuple(memory.numpy() for memory in train_state.memory),
            scale=(float(train_state.scale.factor), float(train_state.scale.finite_steps)),
            sums=(float(sums.loss), float(sums.correct)),
            seconds=self._seconds,
            best=self._stopper.best,
        )

    # --- epochs -----------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        """Whether no epoch is left to train. So it can be from the beginning: a snapshot may be of the very end."""
        return self._epoch == self._spec.epochs or (self._step == 0 and self._stopper.says_stop(self._epoch))

    def _train_epochs(self, plan: Epoch) -> None:
        """Train the epochs that are left, of which `plan` is the first."""
        while True:
            metrics = self._train_epoch(plan)
            self._reporter.epoch(metrics)
            self._stopper.note(metrics, self._state.train_state.weights)
            self._checkpointer.epoch_done(metrics, self.snapshot)
            if self._is_over():
                return
            plan = self._plan_epoch()

    def _plan_epoch(self) -> Epoch:
        sizes, spec = self._sizes, self._spec
        first = self._epoch * sizes.steps_per_epoch
        order = shuffled(sizes.train_images, seed=spec.seed, epoch=self._epoch)
        return self._program.epoch(
            padded(order, spec.batch_size),
            self._rates[first : first + sizes.steps_per_epoch],
            count=sizes.train_images,
            first_step=first,
            seed=spec.seed,
        )

    def _trace(self, plan: Epoch) -> None:
        """Run no step at all: that traces and compiles the program, if this process has not yet done so."""
        self._program.chunk(self._state, self._data.train, plan, self._hyper, start=self._step, stop=self._step)

    def _train_epoch(self, plan: Epoch) -> EpochMetrics:
        """Run the steps of an epoch that are left, evaluate, and stand at the beginning of the next one."""
        while self._step < self._sizes.steps_per_epoch:
            self._look_up()
            self._train_chunk(plan)
        self._look_up()
        training_seconds = self._seconds
        began = time.perf_counter()
        loss, accuracy = (total / self._sizes.train_images for total in self._sums())
        val_loss, val_accuracy = self._program.evaluate(self._state.train_state, self._data.validation)
        done = (self._epoch + 1) * self._sizes.steps_per_epoch
        if not math.isfinite(val_loss):
            raise NonFiniteLoss(step=done, loss=val_loss)
        memory, peak = devices.memory_of(self._device.name)
        self._epoch, self._step, self._seconds = self._epoch + 1, 0, 0.0
        self._state = self._state._replace(sums=self._program.sums())
        return EpochMetrics(
            epoch=self._epoch,
            step=done,
            loss=loss,
            accuracy=accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=float(self._rates[done - 1]),
            seconds=training_seconds + time.perf_counter() - began,
            images_per_second=self._sizes.train_images / training_seconds,
            device_memory_bytes=memory,
            device_memory_peak_bytes=peak,
        )

    def _look_up(self) -> None:
        """Between two chunks: offer a snapshot, and see whether to go on."""
        self._checkpointer.offer(self.snapshot)
        try:
            self._control.check()
        except Stop as stop:
            stop.snapshot = self.snapshot()
            raise

    def _train_chunk(self, plan: Epoch) -> None:
        start, stop = self._step, min(self._step + self._chunk_sizer.steps(), self._sizes.steps_per_epoch)
        began = time.perf_counter()
        self._state = self._program.chunk(self._state, self._data.train, plan, self._hyper, start=start, stop=stop)
        # Reading this one number waits for the device: once a chunk, not once a step.
        bad_step = int(self._state.sums.bad_step)
        if bad_step != FINITE:
            raise NonFiniteLoss(step=bad_step, loss=float(self._state.sums.loss))
        self._step = stop
        seconds = time.perf_counter() - began
        self._seconds += seconds
        self._chunk_sizer.took(stop - start, seconds)
        self._report_progress()

    def _report_progress(self) -> None:
        self._reporter.progress(
            reports.progress(
                self._spec,
                self._sizes,
                epoch=self._epoch,
                step=self._step,
                sums=self._sums(),
                steps_per_second=self._chunk_sizer.steps_per_second,
            )
        )

    def _sums(self) -> tuple[float, float]:
        return float(self._state.sums.loss), float(self._state.sums.correct)

    # --- the end ----------------------------------------------------------------------------------

    def _finish(self) -> Outcome:
        self._reporter.phase(Phase.EVALUATING)
        if best := self._stopper.best_weights():
            self._state = self._state._replace(train_state=self._program.train_state(best, (), (1.0, 0.0)))
        test_loss, test_accuracy = self._program.evaluate(self._state.train_state, self._data.test)
        return Outcome(
            weights={name: weight.numpy() for name, weight in self._named_weights().items()},
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            reason=Reason.COMPLETED if self._epoch == self._spec.epochs else Reason.EARLY_STOPPED,
        )

    def _named_weights(self) -> dict[str, tf.Tensor]:
        return dict(zip(self._program.kind.network.names, self._state.train_state.weights, strict=True))


# --- set-up -----------------------------------------------------------------------------------------


def _state(runner: Program, seed: int, resume: Snapshot | None) -> State:
    if resume is None:
        return State(runner.initial(seed), runner.sums())
    shapes = tuple(weight.shape for weight in resume.weights)
    if shapes != runner.kind.network.shapes:
        raise ValueError(f"the snapshot's weights have the shapes {shapes}, the model's {runner.kind.network.shapes}")
    train_state = runner.train_state(resume.weights, resume.memory, resume.scale)
    return State(train_state, runner.sums(*resume.sums))
