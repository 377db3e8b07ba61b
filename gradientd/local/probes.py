"""Asks the parts of a stack whether they are ready. A probe answers; it never raises because a part is not there."""

from typing import Self

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from redis.exceptions import RedisError

from jobs.settings import Settings
from store.calls import aconnect
from store.tls import explained

PROBE_SECONDS = 2.0
"""How long the API may take."""


class ListedWorker(BaseModel):
    """Of a worker in the API's list: its name."""

    model_config = ConfigDict(frozen=True)

    name: str


class WorkerList(BaseModel):
    """The API's list of live workers."""

    model_config = ConfigDict(frozen=True)

    data: tuple[ListedWorker, ...]


class Probes:
    """Probes of one stack, its store as the settings name it; an asynchronous context that owns their connections."""

    def __init__(self, *, settings: Settings, api_url: str, api_key: str | None = None) -> None:
        self._settings = settings
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else None
        # Straight to the API, whatever proxy the environment names.
        self._http = httpx.AsyncClient(base_url=api_url, headers=headers, timeout=PROBE_SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def store_answers(self) -> bool:
        """Whether the store answers; not while it still loads its data."""
        return await self.store_complaint() is None

    async def store_complaint(self) -> str | None:
        """Why the store does not answer, or None if it does."""
        try:
            async with aconnect(self._settings) as store:
                await store.ping()  # pyright: ignore[reportUnknownMemberType] - redis leaves its options untyped
        except (RedisError, OSError) as error:
            return explained(error)
        return None

    async def api_is_ready(self) -> bool:
        """Whether the API can take jobs: it runs and reaches its store."""
        try:
            return (await self._http.get("/readyz")).is_success
        except httpx.HTTPError:
            return False

    async def worker_is_listed(self, name: str) -> bool:
        """Whether the API knows the worker as alive."""
        try:
            answer = await self._http.get("/v1/workers")
            listed = WorkerList.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError):
            return False
        return any(worker.name == name for worker in listed.data)
