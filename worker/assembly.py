"""Puts a trainer together. Imports TensorFlow: only for the trainer's process."""

import threading

import redis
import tensorflow as tf

from jobs.settings import Settings
from store.artifacts import LocalArtifacts
from store.dataset_files import DatasetFiles
from store.datasets import DatasetStore
from store.doorbell import Doorbell
from store.jobs import Store
from worker import memory
from worker.datasets.memory import Datasets
from worker.engine import devices
from worker.files.checkpoint_writer import CheckpointWriter
from worker.files.cleaner import Cleaner
from worker.files.exporter import Exporter
from worker.gpus import CardLocks, cards
from worker.lease.control import ControlListener
from worker.lease.heartbeat import Heartbeat
from worker.lease.renewer import LeaseRenewer
from worker.lease.watchdog import Watchdog
from worker.trainer import Trainer


def make_trainer(settings: Settings, *, name: str, client: redis.Redis, store: Store, doorbell: Doorbell) -> Trainer:
    """A trainer whose devices are set up, whose threads run and whose entry is announced."""
    threads = devices.configure(settings)
    gpus = sum(device.kind == "gpu" for device in devices.describe())
    if not gpus:
        # Not with a GPU: that would take memory from whoever still trains on it.
        devices.warm_up()
    # With a limit on its memory a card is meant to be shared.
    names = cards() if gpus and not settings.gpu_memory_limit_mb else ()
    artifacts = LocalArtifacts.of(settings)
    heartbeat = Heartbeat(
        name,
        client=client,
        store=store,
        beat_seconds=settings.beat_seconds,
        threads=threads,
        tensorflow=tf.__version__,
        # What the trainer takes idle is not there for jobs.
        job_memory_bytes=max(0, memory.there_is_bytes() - memory.held_bytes()),
        devices=devices.describe,
    )
    control = ControlListener(name, client=client, keys=store.keys)
    renewer = LeaseRenewer()
    draining = threading.Event()
    watchdog = Watchdog(stall_seconds=settings.stall_seconds, grace_seconds=settings.grace_seconds, draining=draining)
    checkpoint_writer = CheckpointWriter()
    trainer = Trainer(
        settings=settings,
        client=client,
        store=store,
        doorbell=doorbell,
        datasets=Datasets(settings.data_dir / "datasets", files=DatasetFiles.of(settings)),
        dataset_store=DatasetStore.of(settings),
        artifacts=artifacts,
        exporter=Exporter(artifacts, scratch=settings.data_dir / "exports", draining=draining),
        heartbeat=heartbeat,
        control=control,
        renewer=renewer,
        watchdog=watchdog,
        checkpoint_writer=checkpoint_writer,
        draining=draining,
        gpus=gpus,
        cards=CardLocks(names, folder=settings.lock_dir),
    )
    for thread in (control, renewer, watchdog, checkpoint_writer, heartbeat):
        thread.start()
    Cleaner(client=client, store=store, artifacts=artifacts).start()
    return trainer
