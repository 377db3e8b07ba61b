"""Puts a trainer together. Imports TensorFlow: only for the trainer's process."""

import redis
import tensorflow as tf

from jobs.settings import Settings
from store.artifacts import LocalArtifacts
from store.doorbell import Doorbell
from store.jobs import Store
from worker.datasets.memory import Datasets
from worker.engine import devices
from worker.files.cleaner import Cleaner
from worker.gpus import CardLocks, cards
from worker.lease.control import ControlListener
from worker.lease.heartbeat import Heartbeat
from worker.trainer import Trainer


def make_trainer(settings: Settings, *, name: str, client: redis.Redis, store: Store, doorbell: Doorbell) -> Trainer:
    """A trainer whose devices are set up and whose presence is announced."""
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
        devices=devices.describe,
    )
    control = ControlListener(name, client=client, keys=store.keys)
    trainer = Trainer(
        settings=settings,
        client=client,
        store=store,
        doorbell=doorbell,
        datasets=Datasets(settings.data_dir / "datasets"),
        artifacts=artifacts,
        heartbeat=heartbeat,
        control=control,
        gpus=gpus,
        cards=CardLocks(names, folder=settings.lock_dir),
    )
    control.start()
    heartbeat.start()
    Cleaner(client=client, store=store, artifacts=artifacts).start()
    return trainer
