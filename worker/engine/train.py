"""The training loop: epochs of chunks of steps, each epoch measured, until the last or until told to stop."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import tensorflow as tf

from jobs.errors import NonFiniteLoss, OutOfMemory
from jobs.estimate import Estimate, estimate
from jobs.record import EpochMetrics, Progress, Run
from jobs.spec import Spec
from jobs.states import Phase, Reason
from worker.datasets import Dataset
from worker.engine import devices
from worker.engine.interfaces import Control, Reporter
from worker.engine.model import build
from worker.engine.optimizers import hyper_of
from worker.engine.order import padded, shuffled
from worker.engine.pace import Pace
from worker.engine.program import FINITE, Epoch, Images, Mode, Program, State, program
from worker.engine.schedules import learning_rates
from worker.engine.snapshot import Snapshot
from worker.engine.step import StepKind
from worker.engine.stopping import Stopper


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job that ran to its end leaves."""

    weights: dict[str, np.ndarray]
    """float32 arrays by name."""
    test_loss: float
    test_accuracy: float
    reason: Reason


def train(
    spec: Spec,
    dataset: Dataset,
    *,
    device: devices.Chosen,
    reporter: Reporter,
    control: Control,
    resume: Snapshot | None = None,
) -> Outcome:
    """Train a job to its end.

    Raises NonFiniteLoss, OutOfMemory, or what `control.check` raises. The result is a pure function of the
    spec, the dataset and the program: neither chunks nor a resumed snapshot change a bit of it.
    """
    try:
        return Training(spec, dataset, device=device, reporter=reporter, control=control, resume=resume).run()
    except tf.errors.ResourceExhaustedError as error:
        raise OutOfMemory(f"{device.name} ran out of memory: {error.message.splitlines()[0]}") from error


class Training:
    """One job under way."""

    def __init__(
        self,
        spec: Spec,
        dataset: Dataset,
        *,
        device: devices.Chosen,
        reporter: Reporter,
        control: Control,
        resume: Snapshot | None = None,
    ) -> None:
        self._spec = spec
        self._sizes: Estimate = estimate(spec, dataset.info)
        self._reporter = reporter
        self._control = control
        self._device = device
        self._execution: Mode = devices.execution_for(spec, device)
        self._program = _program(spec, dataset, device, self._execution)
        self._data = _resident(dataset, self._sizes.train_images, device.name)
        self._rates = learning_rates(spec.schedule, peak=spec.optimizer.learning_rate, steps=self._sizes.steps)
        self._hyper = self._program.hyper(hyper_of(spec.optimizer))
        self._pace = Pace()
        self._stopper = Stopper(spec.early_stopping, resume.best if resume else None)
        self._epoch = resume.epoch if resume else 0
        self._step = resume.step if resume else 0
        self._state = _state(self._program, spec.seed, resume)

    def run(self) -> Outcome:
        """Train the epochs that are left, then test."""
        self._reporter.run(self._describe())
        self._reporter.phase(Phase.TRACING)
        while self._epoch < self._spec.epochs:
            metrics = self._train_epoch()
            self._reporter.epoch(metrics)
            if self._stopper.should_stop(metrics, self._state.learned.weights):
                break
        return self._finish()

    def snapshot(self) -> Snapshot:
        """The state as it is now. Waits for the device and copies from it."""
        learned, sums, _ = self._state.learned, self._state.sums, None
        return Snapshot(
            epoch=self._epoch,
            step=self._step,
            weights=tuple(weight.numpy() for weight in learned.weights),
            memory=tuple(memory.numpy() for memory in learned.memory),
            scale=(float(learned.scale.factor), float(learned.scale.finite_steps)),
            sums=(float(sums.loss), float(sums.correct)),
            best=self._stopper.best,
        )

    # --- an epoch ---------------------------------------------------------------------------------

    def _train_epoch(self) -> EpochMetrics:
        """Run the steps of an epoch that are left, evaluate, and begin the next one."""
        began = time.perf_counter()
        done_before = self._step
        plan = self._plan_epoch()
        while self._step < self._sizes.steps_per_epoch:
            self._control.check()
            self._train_chunk(plan)
        training_seconds = time.perf_counter() - began
        images = self._images_until(self._step) - self._images_until(done_before)
        loss, accuracy = self._mean(self._sizes.train_images)
        self._control.check()
        self._reporter.phase(Phase.EVALUATING)
        val_loss, val_accuracy = self._program.evaluate(self._state.learned, self._data.validation)
        current, peak = devices.memory_of(self._device.name)
        self._epoch, self._step = self._epoch + 1, 0
        self._state = self._state._replace(sums=self._program.sums())
        done = self._epoch * self._sizes.steps_per_epoch
        return EpochMetrics(
            epoch=self._epoch,
            step=done,
            loss=loss,
            accuracy=accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=float(self._rates[done - 1]),
            seconds=time.perf_counter() - began,
            images_per_second=images / training_seconds,
            device_memory_bytes=current,
            device_memory_peak_bytes=peak,
        )

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

    def _train_chunk(self, plan: Epoch) -> None:
        start = self._step
        stop = min(start + self._pace.steps(), self._sizes.steps_per_epoch)
        began = time.perf_counter()
        self._state = self._program.chunk(
            self._state, self._data.train, plan, self._hyper, start=start, stop=stop
        )
        # Reading the step waits for the device: once a chunk, not once a step.
        bad_step = int(self._state.sums.bad_step)
        if bad_step != FINITE:
            raise NonFiniteLoss(step=bad_step, loss=float(self._state.sums.loss))
        self._pace.took(stop - start, time.perf_counter() - began)
        if self._epoch == 0 and start == 0:
            self._reporter.phase(Phase.TRAINING)
        elif start == 0:
            self._reporter.phase(Phase.TRAINING)
        self._step = stop
        self._reporter.progress(self._progress())

    # --- the end ----------------------------------------------------------------------------------

    def _finish(self) -> Outcome:
        early = self._epoch < self._spec.epochs
        if best := self._stopper.best_weights():
            with tf.device(self._device.name):
                restored = tuple(tf.constant(weight) for weight in best)
            self._state = self._state._replace(learned=self._state.learned._replace(weights=restored))
        self._reporter.phase(Phase.EVALUATING)
        test_loss, test_accuracy = self._program.evaluate(self._state.learned, self._data.test)
        names = self._program.kind.network.names
        arrays = (weight.numpy() for weight in self._state.learned.weights)
        return Outcome(
            weights=dict(zip(names, arrays, strict=True)),
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            reason=Reason.EARLY_STOPPED if early else Reason.COMPLETED,
        )

    # --- reports ----------------------------------------------------------------------------------

    def _images_until(self, step: int) -> int:
        return min(step * self._spec.batch_size, self._sizes.train_images)

    def _mean(self, images: int) -> tuple[float, float]:
        return float(self._state.sums.loss) / images, float(self._state.sums.correct) / images

    def _progress(self) -> Progress:
        sizes = self._sizes
        done = self._epoch * sizes.steps_per_epoch + self._step
        speed = self._pace.steps_per_second
        loss, accuracy = self._mean(self._images_until(self._step))
        left = timedelta(seconds=(sizes.steps - done) / speed) if speed else None
        return Progress(
            percent=round(100 * done / sizes.steps, 2),
            epoch=self._epoch + 1,
            epochs=self._spec.epochs,
            step=done,
            steps=sizes.steps,
            steps_per_second=speed,
            images_per_second=speed * min(self._spec.batch_size, sizes.train_images) if speed else None,
            loss=loss,
            accuracy=accuracy,
            estimated_finish_at=datetime.now(UTC) + left if left is not None else None,
        )

    def _describe(self) -> Run:
        info = devices.find(self._device.name)
        weights = self._state.learned.weights
        names = self._program.kind.network.names
        return Run(
            execution=self._execution,
            device=self._device.name,
            device_name=info.model,
            variables={name: _short(weight.device) for name, weight in zip(names, weights, strict=True)},
            parameters=sum(math.prod(weight.shape) for weight in weights),
            threads=devices.threads(),
            memory_growth=info.memory_growth,
            tensorflow=tf.__version__,
        )


# --- set-up -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resident:
    """A dataset on a device, split for one validation share."""

    train: Images
    validation: Images
    test: Images


_residents: "OrderedDict[tuple[int, int, str], tuple[Dataset, Resident]]" = OrderedDict()
MOST_RESIDENTS = 2


def _resident(dataset: Dataset, train_images: int, device: str) -> Resident:
    """The dataset on the device; kept for the next job, since copying a dataset costs more than a chunk."""
    key = (id(dataset), train_images, device)
    if key not in _residents:
        with tf.device(device):
            train = _images(dataset.train_images[:train_images], dataset.train_labels[:train_images])
            test = _images(dataset.test_images, dataset.test_labels)
            held_out = _images(dataset.train_images[train_images:], dataset.train_labels[train_images:])
        # Without images held out, validation happens on the test images.
        validation = held_out if held_out.labels.shape[0] else test
        _residents[key] = (dataset, Resident(train, validation, test))
        if len(_residents) > MOST_RESIDENTS:
            _residents.popitem(last=False)
    _residents.move_to_end(key)
    return _residents[key][1]


def _images(images: np.ndarray, labels: np.ndarray) -> Images:
    return Images(tf.constant(images), tf.constant(labels))


def _program(spec: Spec, dataset: Dataset, device: devices.Chosen, execution: Mode) -> Program:
    kind = StepKind(
        network=build(spec.model, dataset.info),
        loss=spec.loss,
        label_smoothing=spec.label_smoothing,
        optimizer=spec.optimizer.type,
        precision=spec.precision,
        augmentation=spec.augmentation,
        classes=dataset.info.classes,
    )
    return program(kind, batch_size=spec.batch_size, execution=execution, device=device.name)


def _state(program: Program, seed: int, resume: Snapshot | None) -> State:
    if resume is None:
        return State(program.initial(seed), program.sums())
    learned = program.learned(resume.weights, list(resume.memory), resume.scale)
    return State(learned, program.sums(*resume.sums))


def _short(device: str) -> str:
    """`/device:CPU:0` of `/job:localhost/replica:0/task:0/device:CPU:0`."""
    return "/device:" + device.rsplit("/device:", 1)[-1]
