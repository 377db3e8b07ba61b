"""Finds the weights that a job is to begin with, compares them with its network, and makes it a copy of its own.

The files are read beside the event loop. Training looks at nothing but the copy: whatever becomes of what it was taken
from does not matter to the job.
"""

import asyncio
import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.services import Services
from jobs.architecture import Architecture, describe
from jobs.automatic import Choice
from jobs.dataset_versions import DatasetNotFound, DatasetRef, StorageUnavailable
from jobs.datasets import CATALOGUE, DatasetInfo
from jobs.errors import InvalidSpec, JobNotFound
from jobs.layers.base import Shape
from jobs.model_encoding import ModelEncoding
from jobs.model_files import ENCODING, FILES
from jobs.record import Artifact, Checkpoint, InitialWeights, Job
from jobs.reencoding import adopted, check_outputs
from jobs.spec import Spec
from jobs.states import TERMINAL, Status
from jobs.uploaded_weights import WeightsNotFound
from jobs.warm_start import (
    ENCODING_FILE,
    WEIGHTS_FILE,
    Origin,
    arrays_of_checkpoint,
    output_layer,
    taken,
    taken_over,
)
from store.artifacts import LocalArtifacts
from store.npz import NpzReader, Unreadable, npz_parts

T = TypeVar("T")

POINTER = "/init_from"
LOOKS = 3
"""How often a checkpoint is looked for whose place newer ones take."""


class Moved(Exception):
    """A checkpoint went while it was looked at, as a newer one took its place: look again."""


@dataclass(frozen=True, slots=True)
class Start:
    """Weights that a job may begin with."""

    origin: Origin
    """With the checkpoint that it is."""
    path: Path
    sha256: str
    arrays: Mapping[str, str]
    """Names of the file's arrays by names of weights."""
    shapes: Mapping[str, Shape]
    """Of the weights, in their order."""
    epoch: int | None = None
    step: int | None = None
    encoding: ModelEncoding | None = None
    """What the network was fed; once it is `fitted` to a job, what that one's is. None for uploaded weights."""
    spec: Spec | None = None
    """Of the job that they come from."""
    taken: tuple[str, ...] = ()
    """Names of the weights that are taken, once it is `fitted`."""

    @property
    def source(self) -> str:
        """As messages name it."""
        return str(self.origin)

    def taken_over(self, spec: Spec) -> tuple[Spec, tuple[Choice, ...]]:
        """A spec as it was written, with what it leaves open and that of the weights says; and what that is."""
        return taken_over(spec, self.spec, source=self.source) if self.spec else (spec, ())

    def encoding_for(self, own: ModelEncoding, dataset: str) -> ModelEncoding:
        """What the network of a job is fed whose dataset has an encoding of its own. Raises InvalidSpec."""
        return adopted(own, self.encoding, dataset=dataset, source=self.source) if self.encoding else own

    def fitted(self, spec: Spec, network: Architecture, encoding: ModelEncoding) -> "Start":
        """The same, for a job with this network and what that is fed. Raises InvalidSpec where it does not fit."""
        names = taken(network, self.shapes, source=self.source, reinitialize=spec.reinitialize)
        if self.encoding is None:
            return replace(self, taken=tuple(names))
        if (last := output_layer(network)) not in spec.reinitialize:
            check_outputs(encoding, self.encoding, dataset=spec.dataset, source=self.source, layer=last)
            encoding = encoding.model_copy(update={"targets": self.encoding.targets})
        return replace(self, taken=tuple(names), encoding=encoding)

    def copied(self, artifacts: LocalArtifacts, job_id: str) -> InitialWeights:
        """Write a job's own copy of what it takes. Raises Moved, StorageUnavailable."""
        with _opened(self.path) as npz:
            file = artifacts.write(job_id, WEIGHTS_FILE, npz_parts(self._arrays(npz)))
        told = self.encoding.model_dump_json().encode() if self.encoding else b""
        return InitialWeights(
            source=self.source,
            sha256=self.sha256,
            epoch=self.epoch,
            step=self.step,
            file=file,
            encoding=artifacts.write(job_id, ENCODING_FILE, told) if told else None,
        )

    def _arrays(self, npz: NpzReader) -> Iterator[tuple[str, NDArray[Any]]]:
        for name in self.taken:
            yield name, npz.read(self.arrays[name]).astype(np.float32, copy=False)


async def find(services: Services, spec: Spec, *, owner: str) -> Start | None:
    """The weights that a spec begins with, of this owner; None where they are drawn.

    Raises InvalidSpec where there are none, StorageUnavailable, UnreadableRecord and StoreUnavailable.
    """
    if spec.init_from is None:
        return None
    origin = Origin.read(spec.init_from)
    if origin.weights:
        return await _uploaded(services, origin, owner=owner)
    for _ in range(LOOKS):
        try:
            job = await services.do(services.store.get(origin.job_id, owner=owner))
        except JobNotFound as error:
            raise InvalidSpec(f"{error}; init_from takes one of your own jobs", pointer=POINTER) from error
        with suppress(Moved):
            return await _of_job(services, job, origin, owner=owner)
    raise gone(origin)


def gone(origin: object) -> InvalidSpec:
    """The error for files that are on record and nowhere else."""
    return InvalidSpec(f"the files of {origin} are not there any more; take another one", pointer=POINTER)


async def copy(services: Services, start: Start, job_id: str) -> InitialWeights:
    """Write a job's own copy of the weights that were `fitted` to it. Raises Moved, StorageUnavailable."""
    return await _on_disk(start.copied, services.artifacts, job_id)


async def _uploaded(services: Services, origin: Origin, *, owner: str) -> Start:
    """Weights that somebody has uploaded. What they were fed is not known: it is what the dataset itself is."""
    for _ in range(LOOKS):
        try:
            weights = await services.do(services.weights.get(owner, origin.weights))
        except WeightsNotFound as error:
            raise InvalidSpec(f"{error}; upload them first", pointer=POINTER) from error
        with suppress(Moved):
            path = services.dataset_files.upload(weights.folder)
            shapes = await _on_disk(_checked_shapes, path, weights.file_sha256)
            return Start(origin, path, weights.sha256, {name: name for name in shapes}, shapes)
    raise gone(origin)


async def _of_job(services: Services, job: Job, origin: Origin, *, owner: str) -> Start:
    file, checkpoint = _file(job, origin)
    if checkpoint and not origin.checkpoint:
        origin = origin._replace(checkpoint="last")
    encoding = await _encoding(services, job, owner=owner)
    path = services.artifacts.path(job.id, file.name)
    shapes = await _on_disk(_checked_shapes, path, file.sha256)
    if checkpoint:
        there = arrays_of_checkpoint(describe(job.spec, _info(job.spec, encoding)))
        arrays = {name: array for name, array in there.items() if array in shapes}
    else:
        arrays = {name: name for name in shapes}
    done = checkpoint or job.metrics.latest
    return Start(
        origin,
        path,
        file.sha256,
        arrays,
        {name: shapes[array] for name, array in arrays.items()},
        epoch=done.epoch if done else None,
        step=done.step if done else None,
        encoding=encoding,
        spec=job.spec,
    )


def _file(job: Job, origin: Origin) -> tuple[Artifact | Checkpoint, Checkpoint | None]:
    """The file that is meant, and the checkpoint if it is one. Raises InvalidSpec."""
    if not origin.checkpoint and job.status is Status.SUCCEEDED:
        for artifact in job.artifacts:
            if artifact.name == FILES["weights"]:
                return artifact, None
    checkpoint = job.best_checkpoint if origin.checkpoint == "best" else job.checkpoint
    if checkpoint:
        return checkpoint, checkpoint
    what = {"best": "no checkpoint of a best epoch", "last": "no checkpoint"}.get(origin.checkpoint, "no weights")
    others = [f"{job.id}@best"] * (job.best_checkpoint is not None) + [f"{job.id}@last"] * (job.checkpoint is not None)
    if job.status is Status.SUCCEEDED:
        others.insert(0, job.id)
    instead = " or ".join(others) or "another job"
    is_final = job.status in TERMINAL
    raise InvalidSpec(
        f"{job.id}, which is {job.status}, has kept {what}{'' if is_final else ' so far'}; take {instead}"
        f"{'' if is_final else ', or wait for it'}",
        pointer=POINTER,
    )


async def _encoding(services: Services, job: Job, *, owner: str) -> ModelEncoding:
    """What a job's network is fed. Raises InvalidSpec where nobody knows any more."""
    named = ENCODING if any(artifact.name == ENCODING for artifact in job.artifacts) else ""
    if not named and job.initial_weights and job.initial_weights.encoding:
        named = ENCODING_FILE
    if named:
        content = await _on_disk(services.artifacts.read, job.id, named)
        try:
            return ModelEncoding.model_validate_json(content)
        except ValueError as error:
            raise StorageUnavailable(f"{named} of {job.id} is damaged") from error
    if job.spec.dataset in CATALOGUE:
        return ModelEncoding.of(CATALOGUE[job.spec.dataset])
    try:
        version = await services.do(services.datasets.get(owner, DatasetRef.read(job.spec.dataset)))
    except DatasetNotFound as error:
        detail = f"{error}, which {job.id} learnt: how its examples were encoded is not known any more"
        raise InvalidSpec(f"{detail}; take a job that succeeded", pointer=POINTER) from error
    return ModelEncoding.of_version(version)


def _info(spec: Spec, encoding: ModelEncoding) -> DatasetInfo:
    """What describes the network of a job; its counts of examples are of no account."""
    return DatasetInfo(
        name=spec.dataset,
        kind=encoding.kind,
        shape=encoding.shape,
        classes=encoding.classes,
        targets=encoding.targets,
        train_examples=0,
        test_examples=0,
        array_dtype=encoding.dtype,
    )


def _checked_shapes(path: Path, sha256: str) -> dict[str, Shape]:
    """Shapes of a file's arrays. Raises Moved, and StorageUnavailable where it is not what was once written."""
    with _opened(path) as npz, path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise Unreadable("its SHA-256 differs")
        return npz.shapes


@contextmanager
def _opened(path: Path) -> Generator[NpzReader]:
    """A file of weights while it is read. Raises Moved, and StorageUnavailable where it is damaged."""
    try:
        with NpzReader(path) as npz:
            yield npz
    except FileNotFoundError as error:
        raise Moved from error
    except Unreadable as error:
        raise StorageUnavailable(f"{path.name}, from which the job is to begin, cannot be read: {error}") from error


async def _on_disk(do: Callable[..., T], *arguments: Any) -> T:
    """What a function of the disk returns, beside the event loop. Raises StorageUnavailable."""
    try:
        return await asyncio.to_thread(do, *arguments)
    except OSError as error:
        raise StorageUnavailable(f"the data directory cannot be written or read: {error.strerror or error}") from error
