"""The training loop: epochs of chunks of steps, each epoch measured, until the last or until told to stop."""

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from jobs.datasets import DatasetInfo
from jobs.errors import NonFiniteLoss, OutOfMemory
from jobs.estimate import Estimate
from jobs.record import Device, EpochMetrics
from jobs.spec import Spec
from jobs.states import Phase, Reason
from worker.datasets.memory import Dataset
from worker.engine import devices, reports, scores
from worker.engine.chunk_sizer import ChunkSizer
from worker.engine.class_weights import class_weights
from worker.engine.device_data import DeviceData, Part, device_data
from worker.engine.evaluation import evaluate
from worker.engine.ids import check_ids
from worker.engine.interfaces import Checkpointer, Control, NoCheckpoints, Reporter
from worker.engine.pace import Pace
from worker.engine.program import FINITE, Epoch, Mode, Program, program
from worker.engine.slot import Outcome, Slot, Stopped
from worker.engine.snapshot import Snapshot


def train(
    spec: Spec,
    dataset: Dataset,
    *,
    sizes: Estimate,
    execution: Mode,
    device: Device,
    reporter: Reporter,
    control: Control,
    checkpointer: Checkpointer | None = None,
    resume: Snapshot | None = None,
    initial: Mapping[str, np.ndarray] | None = None,
    export_seconds: float = 0.0,
) -> Outcome | Stopped:
    """Train a job of these `sizes` to its end, or until `control` gives a reason to stop.

    What remains is told with the `export_seconds` that whoever takes the outcome needs for it.

    Without a snapshot to `resume` from it begins with the weights `initial`, float32 by name, and with drawn ones for
    the others.

    The result is a pure function of the spec, the dataset, the initial weights, the execution and the kind of device
    with its number of threads: neither where chunks end nor stopping and resuming changes a bit of it.

    Raises NonFiniteLoss, OutOfMemory, UnfitExamples, or ValueError for a snapshot of another model.
    """
    try:
        runner = program(spec, dataset.info, batches=sizes.batches, execution=execution, device=device.name)
        data = device_data(dataset, sizes.train_examples, device.name, as_ids=sizes.network.takes_ids)
        if data.ids:
            check_ids(sizes.network, data.ids)
        slot = Slot(
            spec,
            sizes,
            program=runner,
            reporter=reporter,
            control=control,
            checkpointer=checkpointer or NoCheckpoints(),
            pace=Pace(
                sizes,
                epochs=spec.epochs,
                batch_size=spec.batch_size,
                test_examples=dataset.info.test_examples,
                export_seconds=export_seconds,
            ),
            resume=resume,
            initial=initial,
            class_weights=_class_weights(spec, dataset, data),
        )
        del resume, initial  # the slot has its state on the device: the copies need not stay for the whole training
        Training(runner, dataset.info, data, execution=execution, device=device, slots=[slot]).run()
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise OutOfMemory(
            f"{device.name} does not hold this model with batch_size {spec.batch_size}; lower one of them ({cause})"
        ) from error
    if isinstance(slot.ending, NonFiniteLoss):
        raise slot.ending
    assert slot.ending
    return slot.ending


def _class_weights(spec: Spec, dataset: Dataset, data: DeviceData) -> np.ndarray | None:
    if spec.class_weights is None:
        return None
    return class_weights(spec.class_weights, data.train.class_counts, names=dataset.info.classes)


class Training:
    """Jobs under way in one program, over the same data: each in its slot, until all have ended."""

    def __init__(
        self,
        program: Program,
        dataset: DatasetInfo,
        data: DeviceData,
        *,
        execution: Mode,
        device: Device,
        slots: Sequence[Slot],
    ) -> None:
        self._program = program
        self._dataset = dataset
        self._data = data
        self._execution: Mode = execution
        self._device = device
        self._slots = slots
        self._chunk_sizer = ChunkSizer()

    def run(self) -> None:
        """Train every slot to its ending."""
        for slot in self._slots:
            self._begin(slot)
        while active := [slot for slot in self._slots if slot.active]:
            for slot in active:
                self._advance(slot)

    def _begin(self, slot: Slot) -> None:
        fixed, rounding = slot.sizes.non_trainable_parameters, slot.sizes.rounding
        slot.reporter.run(
            reports.describe(self._execution, self._device, slot.named_weights, fixed=fixed, rounding=rounding)
        )
        slot.reporter.phase(Phase.TRACING)
        # What an attempt before had beyond the snapshot is to be done again, and must not be shown as done.
        slot.report_progress()
        if slot.trained:
            self._finish(slot)
            return
        began = time.perf_counter()
        is_new = self._trace(slot, slot.begin_epoch())
        slot.reporter.log("info", reports.compiled(self._execution, is_new=is_new, seconds=time.perf_counter() - began))
        slot.reporter.phase(Phase.TRAINING)
        slot.pace.begin()

    def _trace(self, slot: Slot, plan: Epoch) -> bool:
        return self._program.trace(slot.state, self._data.train.examples, plan, slot.hyper)

    def _advance(self, slot: Slot) -> None:
        """Bring a slot one chunk further, or from the end of an epoch to the next or to its ending."""
        slot.check_stop()
        if not slot.active:
            return
        if slot.step < slot.sizes.steps_per_epoch:
            self._train_chunk(slot)
        else:
            self._end_epoch(slot)

    def _train_chunk(self, slot: Slot) -> None:
        assert slot.plan
        start, stop = slot.step, min(slot.step + self._chunk_sizer.steps(), slot.sizes.steps_per_epoch)
        began = time.perf_counter()
        examples = self._data.train.examples
        slot.state = self._program.chunk(slot.state, examples, slot.plan, slot.hyper, start=start, stop=stop)
        # Reading this one number waits for the device: once a chunk, not once a step.
        bad_step = int(slot.state.sums.bad_step)
        if bad_step != FINITE:
            loss = float(slot.state.sums.loss)
            slot.ending = NonFiniteLoss(step=bad_step, loss=None if math.isfinite(loss) else loss)
            return
        slot.step = stop
        seconds = time.perf_counter() - began
        slot.seconds += seconds
        self._chunk_sizer.took(stop - start, seconds)
        slot.pace.stepped(stop - start)
        slot.report_progress()

    def _end_epoch(self, slot: Slot) -> None:
        """Evaluate the epoch whose steps are done, then begin the next one or finish."""
        began = time.perf_counter()
        count, done = slot.sizes.train_examples, slot.epoch_end
        sums = slot.state.sums
        val_loss, val_counts = self._program.evaluate(slot.state.train_state, self._data.validation.examples)
        loss = float(sums.loss) / count
        for measured in (loss, val_loss):
            if not math.isfinite(measured):
                slot.ending = NonFiniteLoss(step=done, loss=measured)
                return
        memory, peak = devices.memory_of(self._device.name)
        metrics = EpochMetrics(
            epoch=slot.epoch + 1,
            step=done,
            loss=loss,
            val_loss=val_loss,
            **self._epoch_metrics(sums.counts.numpy(), val_counts, count=count),
            learning_rate=slot.rate,
            skipped_steps=slot.skipped_steps,
            seconds=slot.seconds + time.perf_counter() - began,
            examples_per_second=count / slot.seconds,
            device_memory_bytes=memory,
            device_memory_peak_bytes=peak,
        )
        slot.end_epoch(metrics, self._program.sums())
        if slot.trained:
            self._finish(slot)
        else:
            slot.begin_epoch()
            slot.pace.ended_epoch()

    def _finish(self, slot: Slot) -> None:
        """End a slot that is trained: test it."""
        slot.reporter.phase(Phase.EVALUATING)
        slot.reporter.remaining(slot.pace.after_seconds())
        slot.restore_best()
        test_loss, counts = self._program.evaluate(slot.state.train_state, self._data.test.examples)
        if not math.isfinite(test_loss):
            slot.ending = NonFiniteLoss(step=slot.epoch * slot.sizes.steps_per_epoch, loss=test_loss)
            return
        learned, tested, loss = slot.state.train_state, self._data.test.examples, slot.spec.loss
        reason = Reason.COMPLETED if slot.epoch == slot.spec.epochs else Reason.EARLY_STOPPED
        if reason is Reason.EARLY_STOPPED:
            slot.reporter.log("info", f"stops early after epoch {slot.epoch}: {slot.best_epoch_words}")
        slot.ending = Outcome(
            weights={name: weight.numpy() for name, weight in slot.named_weights.items()},
            test={"loss": test_loss, **self._measured(counts, self._data.test)},
            evaluate=lambda: evaluate(self._program.outputs(learned, tested), self._dataset, loss=loss),
            reason=reason,
        )

    def _epoch_metrics(self, counts: np.ndarray, val_counts: np.ndarray, *, count: int) -> dict[str, float]:
        """Metrics of an epoch's training and validation, by their names in a record."""
        if self._dataset.task == "regression":
            train = scores.of_numbers(counts, self._dataset, count=count, variances=self._data.train.variances)
        else:
            train = {"accuracy": float(counts[0]) / count}
        validated = self._measured(val_counts, self._data.validation)
        return {**train, **{f"val_{name}": validated[name] for name in train}}

    def _measured(self, counts: np.ndarray, part: Part) -> scores.MetricValues:
        """All metrics of an evaluation."""
        if self._dataset.task == "classification":
            return scores.of_classes(counts)
        return scores.of_numbers(counts, self._dataset, count=part.examples.length, variances=part.variances)
