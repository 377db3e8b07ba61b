"""A bare FastAPI application whose routes do what ours must at least: validate, and speak to Redis.

Serve it with `uvicorn bench.peers.bare:api`.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Literal, cast

import numpy as np
import onnxruntime
import redis.asyncio
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

store = redis.asyncio.Redis.from_url(
    os.environ.get("BARE_REDIS_URL", "redis://127.0.0.1:6379/0"), decode_responses=True
)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await store.aclose()


api = FastAPI(lifespan=lifespan)


class Model(BaseModel):
    """A network."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["mlp"] = "mlp"
    hidden: list[int] = Field(default=[256, 128], min_length=1, max_length=16)


class Wanted(BaseModel):
    """A job's few fields."""

    model_config = ConfigDict(extra="forbid")
    model: Model = Model()
    epochs: int = Field(default=10, ge=1, le=10_000)
    batch_size: int = Field(default=128, ge=1)
    metadata: dict[str, str] = {}


class Rows(BaseModel):
    """Rows for the model at BARE_MODEL, encoded already."""

    instances: list[list[float]]


@cache
def session() -> Any:
    """The model, as it is run in one thread that does not spin."""
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(os.environ["BARE_MODEL"], options)


@api.post("/predict")
async def predict(rows: Rows) -> dict[str, Any]:
    """What the model says of the rows."""
    (outputs,) = session().run(None, {"features": np.array(rows.instances, np.float32)})
    return {"predictions": outputs.tolist()}


@api.get("/constant")
async def constant() -> dict[str, str]:
    """As fast as FastAPI is."""
    return {"status": "queued"}


@api.get("/jobs/{key}")
async def read(key: str) -> dict[str, Any]:
    """A hash as a dict."""
    return cast("dict[str, Any]", await store.hgetall(key))


@api.get("/bytes/{key}")
async def read_bytes(key: str) -> Response:
    """A string as it is kept."""
    return Response(await store.get(key), media_type="application/json")


@api.post("/jobs", status_code=202)
async def create(wanted: Wanted) -> dict[str, str]:
    """A validated body and three commands to Redis, in one transaction."""
    job_id = uuid.uuid4().hex
    async with store.pipeline(transaction=True) as commands:
        commands.hset(f"bare:job:{job_id}", mapping={"status": "queued", "spec": wanted.model_dump_json()})
        commands.zadd("bare:queue", {job_id: 0})
        commands.lpush("bare:bells", job_id)
        await commands.execute()
    return {"id": job_id, "status": "queued"}
