"""Predictions by the models of jobs: finds a job's model, and runs it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from api.http import kinds
from api.http.problems import Refused
from api.predict.model import Model, load_model
from api.predict.models import Models
from api.predict.runner import Runner
from jobs.dataset_versions import StorageUnavailable
from jobs.errors import TooBusy
from jobs.model_files import ENCODING, FILES, ModelForm
from jobs.record import Artifact, Job
from jobs.states import Status
from store.artifacts import LocalArtifacts

GRAPH = FILES["onnx"]
KNOWN_SECONDS = 1.0
"""How long it is taken for granted that a job is there and whose it is: predictions come by the thousand a second."""
MOST_KNOWN = 1000
MOST_LARGE = 32
"""Requests with large bodies, read or waiting for their turn."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """A job that has a model, as it was seen last."""

    graph: Artifact
    seen_at: float


class Predictor:
    """The models of one API process. Of one event loop."""

    def __init__(
        self, *, read_job: Callable[[str, str], Awaitable[Job]], artifacts: LocalArtifacts, most_bytes: int
    ) -> None:
        """`read_job` reads a job by its id, for an owner who may see it. `most_bytes` of models are kept in memory."""
        self._read_job = read_job
        self._artifacts = artifacts
        self._models = Models(most_bytes=most_bytes)
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self.runner = Runner()
        self.instances = 0
        """Those that were predicted since the process began."""
        self._reader = ThreadPoolExecutor(1, "rows")
        self._large = 0

    async def model_of(self, job_id: str, owner: str) -> Model:
        """The model of a job, in memory.

        Raises JobNotFound, Refused for a job without one, and StorageUnavailable.
        """
        graph = await self._graph_of(job_id, owner)
        return await self._models.get(f"{job_id} {graph.sha256}", lambda: self._load(job_id))

    @contextmanager
    def turn(self, *, is_large: bool) -> Generator[None]:
        """Within it a request is answered; there are so many large ones at most. Raises TooBusy."""
        if is_large and self._large >= MOST_LARGE:
            raise TooBusy(f"{self._large} large predictions are under way")
        self._large += is_large
        try:
            yield
        finally:
            self._large -= is_large

    async def beside(self, do: Callable[[], T]) -> T:
        """What a function returns that takes long: run in one thread, so that however many come at once the event loop
        shares the interpreter with one of them.
        """
        return await asyncio.get_running_loop().run_in_executor(self._reader, do)

    def close(self) -> None:
        """Predict nothing more."""
        self.runner.close()
        self._reader.shutdown(wait=False, cancel_futures=True)

    def forget(self, job_id: str) -> None:
        """Take nothing for granted of a job any longer: it is deleted."""
        for key in [key for key in self._known if key[0] == job_id]:
            del self._known[key]

    async def _graph_of(self, job_id: str, owner: str) -> Artifact:
        now = asyncio.get_running_loop().time()
        known = self._known.get((job_id, owner))
        if known and now - known.seen_at < KNOWN_SECONDS:
            return known.graph
        self._known.pop((job_id, owner), None)
        graph = exported(await self._read_job(job_id, owner), "onnx")
        self._known[job_id, owner] = _Known(graph, now)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return graph

    async def _load(self, job_id: str) -> Model:
        try:
            return await asyncio.to_thread(
                lambda: load_model(self._artifacts.path(job_id, GRAPH), self._artifacts.read(job_id, ENCODING))
            )
        except (OSError, ValueError) as error:
            log.warning("model_not_loaded", job_id=job_id, error=str(error))
            raise StorageUnavailable(f"the model of {job_id} cannot be read: {error}") from error


def exported(job: Job, form: ModelForm) -> Artifact:
    """The file of a job's model in this form. Raises Refused, naming those that there are."""
    if job.status is not Status.SUCCEEDED:
        raise Refused(kinds.NOT_EXPORTED, f"the job is {job.status}; it has a model once it has succeeded")
    found = next((artifact for artifact in job.artifacts if artifact.name == FILES[form]), None)
    if found is None:
        there = ", ".join(artifact.name for artifact in job.artifacts)
        raise Refused(kinds.NOT_EXPORTED, f"the job did not leave its model as {form}; there are: {there}")
    return found
