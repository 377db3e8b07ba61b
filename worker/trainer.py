"""Claims jobs one after the other and sees each to its end: trained, failed, cancelled or given back."""

import os
import signal
import threading
import time
from uuid import uuid4

import numpy as np
import redis
import structlog

from jobs.dataset_versions import DatasetNotFound, DatasetRef, DatasetVersion
from jobs.datasets import CATALOGUE, DatasetInfo
from jobs.errors import DatasetUnavailable, DeadlineExceeded, StaleFence, Stalled, StoreUnavailable, TrainingFailed
from jobs.escapes import escaped
from jobs.estimate import estimate
from jobs.record import JobError, Metrics
from jobs.settings import Settings
from jobs.states import Phase, Reason, Status
from store.artifacts import Artifacts
from store.calls import run
from store.datasets import DatasetStore
from store.doorbell import Doorbell
from store.jobs import Claim, Store
from store.lanes import Lanes
from worker import memory
from worker.datasets.memory import Dataset, Datasets
from worker.engine import devices
from worker.engine.execution import execution_for
from worker.engine.release import release
from worker.engine.slot import Outcome, Stopped
from worker.engine.train import train
from worker.files.checkpoint_writer import CheckpointWriter
from worker.files.checkpoints import Checkpoints
from worker.files.exporter import Exporter
from worker.files.initial_files import initial_encoding, initial_weights
from worker.gpus import CardLocks
from worker.lease.control import ControlListener
from worker.lease.heartbeat import Heartbeat
from worker.lease.lease import Lease, StopReason
from worker.lease.renewer import LeaseRenewer
from worker.lease.watchdog import Watchdog

log = structlog.get_logger(__name__)

MOST_JOBS_PER_DRAIN = 50
"""Jobs that one bell may lead to, so that a process can be replaced although the queue never empties."""


class Trainer:
    """What a worker's trainer process does."""

    def __init__(
        self,
        *,
        settings: Settings,
        client: redis.Redis,
        store: Store,
        doorbell: Doorbell,
        datasets: Datasets,
        dataset_store: DatasetStore,
        artifacts: Artifacts,
        exporter: Exporter,
        heartbeat: Heartbeat,
        control: ControlListener,
        renewer: LeaseRenewer,
        watchdog: Watchdog,
        checkpoint_writer: CheckpointWriter,
        draining: threading.Event,
        gpus: int,
        cards: CardLocks,
    ) -> None:
        self._settings = settings
        self._client = client
        self._store = store
        self._doorbell = doorbell
        self._datasets = datasets
        self._dataset_store = dataset_store
        self._artifacts = artifacts
        self._exporter = exporter
        self._heartbeat = heartbeat
        self._control = control
        self._renewer = renewer
        self._watchdog = watchdog
        self._checkpoint_writer = checkpoint_writer
        self._gpus = gpus
        self._lanes = Lanes.served_by(gpus=gpus)
        self._cards = cards
        self.draining = draining
        """Set when the worker is to stop: the job under way is given back."""
        self.outgrown = False
        """Whether this process is to be replaced: it held too much after its last drain, and so keeps its cards."""

    def drain(self) -> None:
        """Train waiting jobs until none is left, or the worker is to stop."""
        self._keep_up()
        if not self._cards.acquire(seconds=self._settings.lease_seconds, stop=self.draining):
            # Upkeep rings again for whoever still waits.
            log.warning("gpu_in_use", detail="another trainer holds this worker's GPU")
            return
        if not self._train_waiting():
            self._doorbell.ring(Lanes.WAKE_QUEUES[Lanes.ANY])
        self.outgrown = self._holds_too_much()
        if not self.outgrown:
            self._cards.release()

    def held_bytes(self) -> int:
        """What this process keeps of the machine's memory or of a card's, whichever is more."""
        return max(memory.held_bytes(), devices.held_bytes())

    def _train_waiting(self) -> bool:
        """Train one job after the other; whether none is left that this process should train."""
        for _ in range(MOST_JOBS_PER_DRAIN):
            claim = None if self.draining.is_set() else self._claim()
            if claim is None:
                return True
            self._heartbeat.busy_with(claim.job.id)
            try:
                self._see_through(claim)
            finally:
                self._heartbeat.busy_with(None)
            if self._holds_too_much():
                log.info("trainer_recycled", held_mb=self.held_bytes() >> 20, limit_mb=self._settings.recycle_above_mb)
                return False
        return False

    def _holds_too_much(self) -> bool:
        """Whether this process should make room for another although more jobs may wait: Celery replaces it after the
        drain, whose last bell finds the next one. What can be given back, is.
        """
        limit = self._settings.recycle_above_mb << 20
        if self.held_bytes() <= limit:
            return False
        release()
        memory.give_back()
        return self.held_bytes() > limit

    def leave(self) -> None:
        """Withdraw the worker's entry: this process ends and none follows."""
        self._heartbeat.stop()

    def _keep_up(self) -> None:
        try:
            sweep = run(self._client, self._store.upkeep(every_seconds=self._settings.upkeep_seconds))
        except StoreUnavailable as error:
            log.warning("store_away", error=str(error))
            return
        for wake_queue, times in sweep.rings.items():
            self._doorbell.ring(wake_queue, times)

    def _claim(self) -> Claim | None:
        token = uuid4().hex
        try:
            return run(self._client, self._store.claim(self._heartbeat.name, token=token, lanes=self._lanes))
        except StoreUnavailable as error:
            # Whoever still waits in the queue is rung for again by upkeep.
            log.warning("store_away", error=str(error))
            return None

    def _see_through(self, claim: Claim) -> None:
        """From the claim to the final status. Never raises: every end of a job is in its record."""
        with (
            structlog.contextvars.bound_contextvars(job_id=claim.job.id, fence=claim.fence),
            Lease(
                claim,
                client=self._client,
                store=self._store,
                renewer=self._renewer,
                beat_seconds=self._settings.beat_seconds,
                draining=self.draining,
            ) as lease,
            self._control.about(claim.job.id, lease.on_status),
            self._watchdog.over(lease, end=lambda stop_reason: self._abandon(lease, stop_reason)),
        ):
            log.info("job_claimed", attempt=claim.job.attempt)
            try:
                stop_reason = self._train(lease)
            except TrainingFailed as error:
                self._fail(lease, error)
            except StaleFence:
                log.warning("claim_ended")
            except Exception as error:  # the one place where a failure becomes a record
                log.exception("job_crashed")
                self._fail(lease, TrainingFailed(f"{type(error).__name__}: {error}"))
            else:
                if stop_reason:
                    self._stop(lease, stop_reason)

    def _train(self, lease: Lease) -> StopReason | None:
        """Train the job and record its success; returns why it was stopped before, if it was."""
        spec = lease.job.spec
        device = devices.choose(spec.device)
        lease.log("info", f"claimed by {lease.job.worker}, attempt {lease.job.attempt}: {device.model} ({device.name})")
        lease.phase(Phase.LOADING_DATA)
        began = time.perf_counter()
        named = self._dataset_of(lease)
        dataset = self._datasets.load(named, check_stop=lease.check_stop_waiting) if named else None
        if (stop_reason := lease.check_stop()) or dataset is None:
            return stop_reason
        if encoding := initial_encoding(lease.job, self._artifacts):
            dataset = dataset.encoded_as(encoding)
        lease.log("info", _loaded(spec.dataset, dataset.info, seconds=time.perf_counter() - began))
        begun = lease.job.run
        sizes = estimate(spec, dataset.info, rounding=begun.rounding if begun else "nearest")
        with Checkpoints(
            lease,
            artifacts=self._artifacts,
            writer=self._checkpoint_writer,
            steps_per_epoch=sizes.steps_per_epoch,
            every_seconds=self._settings.checkpoint_seconds,
        ) as checkpoints:
            resume = checkpoints.latest()
            ending = train(
                spec,
                dataset,
                sizes=sizes,
                execution=execution_for(spec, sizes, device=device, begun=begun),
                device=device,
                reporter=lease,
                control=lease,
                checkpointer=checkpoints,
                resume=resume,
                initial=None if resume else self._initial(lease),
                export_seconds=self._exporter.expected_seconds(spec, weight_bytes=sizes.weight_bytes),
            )
            if isinstance(ending, Stopped):
                if ending.reason is StopReason.LOST:
                    checkpoints.discard()
                else:
                    lease.phase(Phase.CHECKPOINTING)
                    checkpoints.write(ending.snapshot)
                    lease.log("info", _stopped(ending, steps_per_epoch=sizes.steps_per_epoch))
                return ending.reason
            checkpoints.write_best()
        return self._succeed(lease, dataset, ending)

    def _initial(self, lease: Lease) -> dict[str, np.ndarray] | None:
        """The weights that a job begins with; None where they are drawn. Raises InitialWeightsUnavailable."""
        given = initial_weights(lease.job, self._artifacts)
        if given and (of := lease.job.initial_weights):
            after = "" if of.epoch is None else f" after {of.epoch} epochs"
            lease.log("info", f"begins with {len(given)} arrays of {of.source}{after}")
        return given

    def _dataset_of(self, lease: Lease) -> str | DatasetVersion | None:
        """The name of a built-in dataset, or a version of one that the job's owner uploaded; None when told to stop.

        Raises DatasetUnavailable.
        """
        name = lease.job.spec.dataset
        if name in CATALOGUE:
            return name
        try:
            return lease.ask(lambda: self._dataset_store.get(lease.owner, DatasetRef.read(name)))
        except DatasetNotFound as error:
            raise DatasetUnavailable(f"{error}: it was deleted, or the store has lost it") from error

    def _succeed(self, lease: Lease, dataset: Dataset, outcome: Outcome) -> StopReason | None:
        lease.phase(Phase.EXPORTING)
        artifacts = self._exporter.export(lease, dataset, outcome)
        if isinstance(artifacts, StopReason):
            return artifacts
        lease.flush()
        lease.until_done(
            lambda: self._store.finish(
                lease.job.id,
                lease.fence,
                Status.SUCCEEDED,
                reason=outcome.reason,
                metrics=Metrics.model_validate({f"test_{name}": value for name, value in outcome.test.items()}),
                artifacts=artifacts,
            )
        )
        log.info(
            "job_succeeded", reason=outcome.reason, **{f"test_{name}": value for name, value in outcome.test.items()}
        )
        return None

    def _stop(self, lease: Lease, stop_reason: StopReason) -> None:
        """Do what the loop was stopped for."""
        if stop_reason is StopReason.DEADLINE:
            self._fail(lease, _deadline_exceeded(lease))
        elif stop_reason is StopReason.DRAIN:
            self._give_back(lease, Reason.WORKER_DRAINED)
        elif stop_reason is StopReason.LOST:
            log.warning("claim_ended")
        else:
            self._give_back(lease, Reason.USER_REQUESTED)

    def _give_back(self, lease: Lease, reason: Reason) -> None:
        """Release the job: it becomes queued, or what its user asked for."""
        try:
            lease.flush()
            status = lease.until_done(lambda: self._store.requeue(lease.job.id, lease.fence, reason=reason))
        except StaleFence:
            log.warning("claim_ended")
            return
        log.info("job_released", status=status, reason=reason)
        if status is Status.QUEUED:
            self._doorbell.ring(Lanes.of(lease.job.spec)[1])

    def _abandon(self, lease: Lease, stop_reason: StopReason | None) -> None:
        """Training hangs: say what becomes of the job and end this process, the only way to end the training.

        From the watchdog's thread. What cannot be said, the lease's end says.
        """
        log.error(
            "training_hangs", job_id=lease.job.id, fence=lease.fence, stop_reason=stop_reason and stop_reason.value
        )
        try:
            if stop_reason is StopReason.DEADLINE:
                error = _error(_deadline_exceeded(lease))
                reason = Reason.DEADLINE_EXCEEDED
                run(
                    self._client,
                    self._store.finish(lease.job.id, lease.fence, Status.FAILED, reason=reason, error=error),
                )
            elif stop_reason is StopReason.DRAIN:
                run(self._client, self._store.requeue(lease.job.id, lease.fence, reason=Reason.WORKER_DRAINED))
            elif stop_reason is not StopReason.LOST:
                limit = f"{self._settings.stall_seconds:g} seconds"
                stalled = Stalled(f"training came no step further within {limit}, in each of the job's attempts")
                operation = self._store.requeue(lease.job.id, lease.fence, reason=Reason.STALLED, error=_error(stalled))
                run(self._client, operation)
        except (StaleFence, StoreUnavailable) as failure:
            log.warning("job_not_released", job_id=lease.job.id, error=str(failure))
        if self.draining.is_set():
            self.leave()
        os.kill(os.getpid(), signal.SIGKILL)

    def _fail(self, lease: Lease, error: TrainingFailed) -> None:
        record = _error(error)
        reason = Reason(error.code)
        try:
            lease.flush()
            lease.until_done(
                lambda: self._store.finish(lease.job.id, lease.fence, Status.FAILED, reason=reason, error=record)
            )
        except StaleFence:
            log.warning("claim_ended")
            return
        log.warning("job_failed", code=error.code, detail=str(error))


def _error(error: TrainingFailed) -> JobError:
    """The failure as a job's record has it."""
    return JobError(code=error.code, title=error.title, detail=escaped(str(error)), step=getattr(error, "step", None))


def _loaded(name: str, info: DatasetInfo, *, seconds: float) -> str:
    examples = f"{info.train_examples:,} training and {info.test_examples:,} test examples"
    return f"{name} is loaded in {seconds:.1f} s: {examples}"


def _stopped(ending: Stopped, *, steps_per_epoch: int) -> str:
    at = ending.snapshot
    why = {
        StopReason.CANCEL: "as somebody asked for its end",
        StopReason.PAUSE: "as somebody asked for a pause",
        StopReason.DRAIN: "as its worker stops",
        StopReason.DEADLINE: "as it has run for as long as it may",
    }[ending.reason]
    return f"stops after step {at.epoch * steps_per_epoch + at.step}, {why}"


def _deadline_exceeded(lease: Lease) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"the job ran longer than its max_runtime_seconds of {lease.job.spec.max_runtime_seconds}; allow it more, or "
        "fewer epochs"
    )
