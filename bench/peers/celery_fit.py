"""The usual training service: a FastAPI route that sends a Celery task, which calls Keras' `fit`.

Serve it with `uvicorn bench.peers.celery_fit:api`, work for it with `celery -A bench.peers.celery_fit worker`.
Each task writes `running` and `epoch` to the Redis stream `fit:<id>`, as a page that shows progress would need.
The data stay in the worker's memory between tasks; Keras is imported by the first one.
"""

import os
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import redis
from celery import Celery
from fastapi import FastAPI
from pydantic import BaseModel

if TYPE_CHECKING:
    import numpy as np

URL = os.environ.get("FIT_REDIS_URL", "redis://127.0.0.1:6379/0")

celery = Celery("fit", broker=URL)
celery.conf.update(worker_prefetch_multiplier=1, worker_concurrency=1, task_ignore_result=True)
celery.conf.broker_transport_options = {"global_keyprefix": "fit:celery:"}
store = redis.Redis.from_url(URL, decode_responses=True)
api = FastAPI()


class Wanted(BaseModel):
    """What a job asks for."""

    epochs: int = 1
    train: bool = True
    """Whether to train at all, or only to start."""


@api.post("/jobs", status_code=202)
def create(wanted: Wanted) -> dict[str, str]:
    """Send the task."""
    job_id = uuid.uuid4().hex
    fit.delay(job_id, epochs=wanted.epochs, train=wanted.train)
    return {"id": job_id}


@cache
def data() -> "tuple[np.ndarray, np.ndarray]":
    """Read and prepared once in a process."""
    from bench.peers.keras_fit import load  # noqa: PLC0415 (imports TensorFlow: the worker's child alone may)

    return load(Path(os.environ["FIT_ARRAYS"]), "mlp")


@celery.task(name="fit")
def fit(job_id: str, *, epochs: int, train: bool) -> None:
    """Train the textbook's MLP."""
    stream = f"fit:{job_id}"
    store.xadd(stream, {"event": "running"})
    if train:
        import keras  # noqa: PLC0415 (as above)

        from bench.peers.keras_fit import QUIET, mlp  # noqa: PLC0415 (as above)

        tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: store.xadd(stream, {"event": "epoch"}))
        x, y = data()
        mlp().fit(x, y, batch_size=128, epochs=epochs, verbose=QUIET, callbacks=[tell])
    store.xadd(stream, {"event": "done"})
