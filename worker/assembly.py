"""Puts a trainer together. Imports TensorFlow: only for the trainer's process."""

import redis
import tensorflow as tf

from jobs.queue import Doorbell
from jobs.settings import Settings
from jobs.store import Store
from worker.artifacts import Artifacts
from worker.cleaner import Cleaner
from worker.datasets import Datasets
from worker.engine import devices
from worker.gpus import CardLocks, cards
from worker.presence import Presence
from worker.trainer import Trainer
from worker.wishes import Wishes


def make_trainer(settings: Settings, *, name: str, client: redis.Redis, store: Store, doorbell: Doorbell) -> Trainer:
    """A trainer whose devices are set up and whose presence is announced."""
    threads = devices.configure(settings)
    gpus = sum(device.kind == "gpu" for device in devices.describe())
    if not gpus:
        # Not with a GPU: that would take memory from whoever still trains on it.
        devices.warm_up()
    # With a limit on its memory a card is meant to be shared.
    names = cards() if gpus and not settings.gpu_memory_limit_mb else ()
    artifacts = Artifacts(settings.data_dir / "artifacts")
    presence = Presence(
        name,
        client=client,
        store=store,
        beat_seconds=settings.beat_seconds,
        threads=threads,
        tensorflow=tf.__version__,
        devices=devices.describe,
    )
    wishes = Wishes(name, client=client, keys=store.keys)
    trainer = Trainer(
        settings=settings,
        client=client,
        store=store,
        doorbell=doorbell,
        datasets=Datasets(settings.data_dir / "datasets"),
        artifacts=artifacts,
        presence=presence,
        wishes=wishes,
        gpus=gpus,
        cards=CardLocks(names, folder=settings.lock_dir),
    )
    wishes.start()
    presence.start()
    Cleaner(client=client, store=store, artifacts=artifacts).start()
    return trainer
