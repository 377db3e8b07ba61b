"""Decides whether a job can be taken: resolves its spec, and looks for the device and the memory it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api import warm_start
from api.http import kinds
from api.http.extent import extent_of
from api.http.pointers import pointer_within
from api.http.problems import refused_for, shortened, told
from api.services import Services
from api.webhooks.addresses import check_webhook
from jobs import datasets, presets
from jobs.automatic import Choice
from jobs.compatibility import check_fit
from jobs.dataset_versions import DatasetNotFound, DatasetRef, DatasetVersion
from jobs.errors import DeviceUnavailable, MemoryUnavailable, UnknownDataset
from jobs.estimate import Estimate, check_split, estimate
from jobs.layers.catalogue import KINDS as LAYERS
from jobs.limits import Limits
from jobs.model_encoding import ModelEncoding
from jobs.record import Device, Worker
from jobs.reencoding import info_with
from jobs.spec import Spec
from jobs.warm_start import check_asked
from jobs.webhook import Webhook
from jobs.wire import MOST_ERRORS, FieldError

LONGEST_POINTER = 200
MOST_NAMED = 20
"""Datasets that an error names."""

MOST_OF_A_NAME = 70
"""Characters of a layer's name that an error tells."""

_GPU = "gpu"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A job that can be taken: its spec with every default filled in, and how large it is."""

    spec: Spec
    sizes: Estimate
    choices: tuple[Choice, ...] = ()
    dataset: DatasetRef | None = None
    """The version of one of its owner's datasets that it needs; None for a built-in one."""
    start: warm_start.Start | None = None
    """The weights that it begins with, compared with its network; None where they are drawn."""


async def resolve(services: Services, body: dict[str, Any], *, owner: str, webhook: Webhook | None = None) -> Admitted:
    """The job that a body asks for, of this owner; it has this webhook if it says nothing of one.

    Raises InvalidSpec, for too large a job as well, Refused, and what `warm_start.find` does.
    """
    parsed = _parsed(body)
    check_asked(parsed)
    start = await warm_start.find(services, parsed, owner=owner)
    parsed, taken_over = start.taken_over(parsed) if start else (parsed, ())
    named = presets.dataset_named(parsed)
    version = None if named in datasets.CATALOGUE else await _version(services, named, owner=owner)
    dataset = version.info if version else datasets.CATALOGUE[named]
    encoding = ModelEncoding.of_version(version) if version else ModelEncoding.of(dataset)
    if start:
        encoding = start.encoding_for(encoding, dataset.name)
        dataset = info_with(dataset, encoding)
    spec, choices = presets.resolution(parsed, dataset)
    limits = Limits.of(services.settings)
    spec = limits.bounded(spec)
    check_fit(spec, dataset)
    sizes = estimate(spec, dataset)
    check_split(spec, sizes)
    if start:
        start = start.fitted(spec, sizes.network, encoding)
        spec = spec.model_copy(update={"init_from": start.source})
    limits.check(spec, sizes)
    check_webhook(spec.webhook, allow_private=services.settings.webhooks_allow_private)
    if webhook and "webhook" not in parsed.model_fields_set:
        spec = spec.model_copy(update={"webhook": webhook})
    return Admitted(spec, sizes, (*taken_over, *choices), version.ref if version else None, start)


async def _version(services: Services, named: str, *, owner: str) -> DatasetVersion:
    """The version of an owner's dataset. Raises UnknownDataset."""
    try:
        return await services.do(services.datasets.get(owner, DatasetRef.read(named)))
    except DatasetNotFound:
        raise await unknown_dataset(services, named, owner=owner) from None


async def unknown_dataset(services: Services, named: str, *, owner: str) -> UnknownDataset:
    """The error for a dataset that the owner does not see; it names some of those that there are."""
    page = await services.do(services.datasets.list(owner, limit=MOST_NAMED))
    known = [*sorted(datasets.CATALOGUE), *(version.name for version in page.versions)]
    return UnknownDataset(named, known=[*known, "…"] if page.has_more else known)


def _parsed(body: dict[str, Any]) -> Spec:
    """The spec in a body, as it is written there. Raises Refused."""
    if excesses := list(islice(extent_of(Spec).excesses(body), MOST_ERRORS)):
        named = [
            excess.model_copy(update={"detail": _layer_of(_location(excess.pointer or ""), body) + excess.detail})
            for excess in excesses
        ]
        raise refused_for(kinds.INVALID_SPEC, named)
    try:
        return Spec.model_validate(body)
    except ValidationError as error:
        rows = mistakes(error)
        found = [
            FieldError(
                pointer=shortened(pointer_within(row["loc"], body), LONGEST_POINTER),
                detail=_layer_of(row["loc"], body) + told(row, "field"),
            )
            for row in rows[:MOST_ERRORS]
        ]
        raise refused_for(kinds.INVALID_SPEC, found, of=len(rows)) from error


def _location(pointer: str) -> list[str | int]:
    """The steps of a pointer into a spec's layers, as Pydantic has them."""
    match pointer.split("/")[1:]:
        case ["model", "layers", place, *rest]:
            return ["model", "layers", "layers", int(place), *rest]
        case steps:
            return list(steps)


def _layer_of(location: Sequence[str | int], body: dict[str, Any]) -> str:
    """Which layer of a network an error is about, as other refusals name it; empty for what is of none."""
    match list(location):
        case ["model", _, "layers", int(place), *_]:
            layer = body["model"]["layers"][place]
        case _:
            return ""
    if not isinstance(layer, dict):
        return f"layer {place + 1}: "
    written = cast("dict[str, Any]", layer)
    kind, name = written.get("type"), written.get("name")
    kind = kind if isinstance(kind, str) and kind in LAYERS else None
    named = (
        shortened(repr(name), MOST_OF_A_NAME) if isinstance(name, str) else repr(f"{kind}_{place + 1}") if kind else ""
    )
    return f"layer {place + 1}{', ' + named if named else ''}{f' ({kind})' if kind else ''}: "


def mistakes(error: ValidationError) -> list[ErrorDetails]:
    """What is wrong with a spec. A list that Pydantic finds too short without its bad items is not one mistake more."""
    rows = error.errors(include_url=False, include_input=False, include_context=False)
    within = {row["loc"][:end] for row in rows for end in range(len(row["loc"]))}
    return [row for row in rows if row["type"] != "too_short" or row["loc"] not in within]


async def check_device(services: Services, spec: Spec) -> None:
    """Raise DeviceUnavailable for a GPU that no live worker has, unless the job would rather wait for one."""
    if spec.wait_for_device or not spec.device.startswith(_GPU):
        return
    workers = await services.do(services.store.workers())
    needed = int(spec.device.partition(":")[2] or 0) + 1
    if any(_gpus(worker) >= needed for worker in workers):
        return
    there = "; ".join(f"{worker.name}: {_devices(worker)}" for worker in workers[:10]) or "no worker is live"
    raise DeviceUnavailable(
        f"no live worker has {spec.device!r}. There are: {there}. With wait_for_device the job stays queued"
    )


async def check_memory(services: Services, wanted: Admitted) -> None:
    """Raise MemoryUnavailable where workers are live and none can hold the job, by what each has announced."""
    workers = await services.fleet.workers()
    able = [worker for worker in workers if not wanted.spec.device.startswith(_GPU) or _gpus(worker)]
    if not able or any(_holds(worker, wanted) for worker in able):
        return
    memory = wanted.sizes.memory
    there = "; ".join(f"{worker.name}: {_room(worker, wanted.spec)}" for worker in able[:10])
    raise MemoryUnavailable(
        f"the job needs {_mib(memory.total_bytes)} by estimate, {_mib(memory.device_bytes)} of it on its device, and "
        f"no live worker has that. There are: {there}"
    )


def _holds(worker: Worker, wanted: Admitted) -> bool:
    """Whether a worker has room for a job. One that does not say (older versions do not) may have."""
    memory, gpu = wanted.sizes.memory, _gpu_for(worker, wanted.spec)
    on_host = memory.host_bytes if gpu else memory.total_bytes
    if gpu and gpu.memory_bytes_total is not None and memory.device_bytes > gpu.memory_bytes_total:
        return False
    return worker.job_memory_bytes is None or on_host <= worker.job_memory_bytes


def _gpu_for(worker: Worker, spec: Spec) -> Device | None:
    """The GPU on which a worker would train the job; None for its CPU."""
    gpus = [device for device in worker.devices if device.kind == _GPU]
    if spec.device == "cpu" or not gpus:
        return None
    return gpus[min(int(spec.device.partition(":")[2] or 0), len(gpus) - 1)]


def _room(worker: Worker, spec: Spec) -> str:
    room = _mib(worker.job_memory_bytes or 0)
    gpu = _gpu_for(worker, spec)
    return f"{room} and {_mib(gpu.memory_bytes_total)} on its GPU" if gpu and gpu.memory_bytes_total else room


def _mib(size: int) -> str:
    return f"{-(-size // 2**20):,} MiB"


def _gpus(worker: Worker) -> int:
    return sum(device.kind == _GPU for device in worker.devices)


def _devices(worker: Worker) -> str:
    gpus = (f"{_GPU}:{n}" for n in range(_gpus(worker)))
    return ", ".join(["cpu", *gpus])
