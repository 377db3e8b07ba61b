"""Jobs of random networks, and examples for them."""

from random import Random
from typing import Any

import numpy as np

from jobs.architecture import describe
from jobs.datasets import DatasetInfo
from jobs.spec import Spec
from tests.jobs.random_networks import random_network
from tests.worker.engine.listening import spec_of
from worker.datasets.memory import Dataset


def made_for(info: DatasetInfo, seed: int) -> Dataset:
    """Examples, random but for their shape and kind."""
    rng = np.random.default_rng(seed)
    count = info.train_examples + info.test_examples
    if info.name == "ids":
        x = rng.integers(0, 200, (count, info.values)).astype(info.dtype)
    elif info.dtype == "uint8":
        x = rng.integers(0, 256, (count, info.values)).astype(np.uint8)
    else:
        x = rng.normal(size=(count, info.values)).astype(np.float32)
    if info.classes:
        y = rng.integers(0, len(info.classes), count).astype(np.int32)
    else:
        y = rng.normal(size=(count, len(info.targets))).astype(np.float32)
    at = info.train_examples
    return Dataset(info, x[:at], y[:at], x[at:], y[at:])


def job(seed: int, **more: Any) -> tuple[Spec, Dataset]:
    """A random network, and examples for it: two batches and a smaller one an epoch. Of an odd seed half is frozen."""
    model, info = random_network(seed)
    weighted = [node.name for node in describe(spec_of(model=model), info).nodes if node.weights]
    loss = "cross_entropy" if info.classes else "mse"
    optimizer = {"type": Random(seed).choice(["sgd", "momentum", "adam", "adamw"]), "learning_rate": 0.001}
    body = {"model": model, "loss": loss, "optimizer": optimizer, "batch_size": 20, "seed": seed, "epochs": 1, **more}
    if seed % 2:
        body["freeze"] = weighted[:-1:2]
    return spec_of(**body), made_for(info, seed)
