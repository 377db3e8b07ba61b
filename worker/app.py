"""Assembles a worker: Celery's main process, and the trainer in the process it spawns.

Celery imports this module in both. Only the trainer's process imports TensorFlow, and only after it was
spawned: TensorFlow does not survive a fork.
"""

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import billiard.pool
import structlog
from celery import Celery, shared_task, signals
from celery.exceptions import WorkerShutdown

from jobs.logs import configure_logging
from jobs.settings import Settings
from store.calls import connect
from store.doorbell import DRAIN, Doorbell, forget_other_apps, make_celery
from store.jobs import Store
from store.lanes import Lanes
from worker.broker_log import BrokerLog
from worker.engine.compile_cache import CompileCache
from worker.gpus import gpu_may_be_there
from worker.lease.process_watchdog import ProcessWatchdog
from worker.startup import await_store

if TYPE_CHECKING:
    from worker.trainer import Trainer

log = structlog.get_logger(__name__)

DRAIN_SIGNAL = signal.SIGUSR2
"""Tells the trainer to give its job back. Celery uses SIGUSR1 and the usual ones itself."""
READY_SIGNAL = signal.SIGURG
"""Tells the main process that a trainer is ready. Ignored by default, should another process get it."""
MOST_STARTS = 3
"""Trainers that may die in a row before they are ready."""


# --- the main process -------------------------------------------------------------------------------


def make_worker(settings: Settings) -> Celery:
    """The Celery app of a worker's main process."""
    if settings.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as `jobs.cuda` counts
    celery = make_celery(settings)
    celery.conf.update(
        include=["worker.app"],
        worker_max_tasks_per_child=settings.recycle_after,
        # In KiB; what `_held_kib` says after each drain.
        worker_max_memory_per_child=settings.recycle_above_mb << 10,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return celery


def run_worker(settings: Settings) -> int:
    """Work until told to stop; the exit code: 0 after a requested stop."""
    forget_other_apps()
    if not await_store(settings):
        return 0
    BrokerLog().install()
    signal.signal(READY_SIGNAL, _remember_start)
    celery = make_worker(settings)
    queues = [Lanes.WAKE_QUEUES[Lanes.ANY], *([Lanes.WAKE_QUEUES[Lanes.GPU]] if gpu_may_be_there() else [])]
    # Not by Celery's command line: that takes options from variables as common as BROKER_URL, APP and LOADER.
    worker = celery.Worker(
        hostname=f"{settings.worker}@{socket.gethostname()}",
        queues=queues,
        loglevel=settings.log_level,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return worker.exitcode or 0


_main: dict[str, Any] = {"starts": 0}


@signals.worker_before_create_process.connect
def _count_start(**_: object) -> None:
    """End the worker when its trainers die before they are ready, one after the other.

    Raises:
        WorkerShutdown: that is so.
    """
    if _main["starts"] >= MOST_STARTS:
        log.error("trainer_never_ready", starts=MOST_STARTS, remedy="see above what it said, or what killed it")
        raise WorkerShutdown(1)
    _main["starts"] += 1


def _remember_start(*_: object) -> None:
    _main["starts"] = 0


@signals.worker_ready.connect
def _remember_pool(sender: Any, **_: object) -> None:
    _main["pool"] = sender.pool
    settings = Settings()
    ProcessWatchdog(
        settings.worker,
        client=connect(settings),
        store=Store.of(settings),
        beat_seconds=settings.beat_seconds,
        trainers=_trainers,
    ).start()


def _trainers() -> list[int]:
    """Pids of the pool's processes; none once the worker ends, for which Celery lets go of its pool."""
    try:
        return list(_main["pool"].info["processes"])
    except AttributeError:
        return []


@signals.worker_shutting_down.connect
def _drain_trainers(**_: object) -> None:
    """Celery will wait for the running task: make that short."""
    if "pool" in _main:
        for pid in _trainers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, DRAIN_SIGNAL)


# --- the trainer's process ----------------------------------------------------------------------------

_trainer: "Trainer | None" = None
_compile_cache: CompileCache | None = None


@signals.worker_process_init.connect
def _make_trainer(**_: object) -> None:
    """Import TensorFlow and make all ready, so that a bell finds a warm process."""
    global _trainer, _compile_cache  # noqa: PLW0603 (Celery's tasks are functions: there is nowhere else to keep it)
    signal.signal(DRAIN_SIGNAL, _on_drain)
    # TensorFlow greets on standard error; from here on only warnings.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    settings = Settings()
    configure_logging(settings.log_level)
    try:
        _compile_cache = CompileCache(
            settings.data_dir / "compiled", threads=settings.threads, most_bytes=settings.compile_cache_mb << 20
        )
        # First, as TensorFlow reads where that is only once.
        _compile_cache.open()
        from worker.assembly import make_trainer  # noqa: PLC0415

        _trainer = make_trainer(
            settings,
            name=settings.worker,
            client=connect(settings),
            store=Store.of(settings),
            doorbell=Doorbell(make_celery(settings)),
        )
    except Exception:
        # Celery would go on with a process that can train nothing: end the worker, so that whoever
        # supervises it sees it.
        log.exception("trainer_not_started")
        os.kill(os.getppid(), signal.SIGTERM)
        raise
    # After each drain the pool asks this how much the process holds. Its own way would take the peak of the machine's
    # memory, and knows nothing of a card's, which TensorFlow returns only when its process ends.
    billiard.pool.mem_rss = _held_kib  # pyright: ignore[reportAttributeAccessIssue]
    os.kill(os.getppid(), READY_SIGNAL)


def _held_kib() -> int:
    """What the process holds, where that was found to be too much; else next to nothing."""
    if _trainer is None or not _trainer.outgrown:
        return 1
    return max(_trainer.held_bytes(), (Settings().recycle_above_mb << 20) + 1024) >> 10


def _on_drain(*_: object) -> None:
    if _trainer:
        _trainer.draining.set()


@signals.worker_process_shutdown.connect
def _leave(**_: object) -> None:
    if _trainer and _trainer.draining.is_set():
        _trainer.leave()


@shared_task(name=DRAIN)
def drain() -> None:
    """Train what waits."""
    if _trainer:
        _trainer.drain()
    if _compile_cache:
        _compile_cache.publish()
