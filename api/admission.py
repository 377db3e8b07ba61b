"""Decides whether a job can be taken: resolves its spec, and looks for the device and the memory it needs."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api.http import kinds
from api.http.extent import extent_of
from api.http.pointers import to_pointer
from api.http.problems import refused_for, shortened, told
from api.services import Services
from jobs import datasets, presets
from jobs.errors import DeviceUnavailable, MemoryUnavailable
from jobs.estimate import Estimate, check_split, estimate
from jobs.limits import Limits
from jobs.record import Device, Worker
from jobs.spec import Spec
from jobs.wire import MOST_ERRORS, FieldError

LONGEST_POINTER = 200

_GPU = "gpu"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A job that can be taken: its spec with every default filled in, and how large it is."""

    spec: Spec
    sizes: Estimate


def resolve(body: dict[str, Any], limits: Limits) -> Admitted:
    """The job that a body asks for. Raises InvalidSpec, for too large a job as well, and Refused."""
    if excesses := list(islice(extent_of(Spec).excesses(body), MOST_ERRORS)):
        raise refused_for(kinds.INVALID_SPEC, excesses)
    try:
        spec = presets.resolve(Spec.model_validate(body))
    except ValidationError as error:
        rows = mistakes(error)
        found = [
            FieldError(pointer=shortened(to_pointer(row["loc"]), LONGEST_POINTER), detail=told(row, "field"))
            for row in rows[:MOST_ERRORS]
        ]
        raise refused_for(kinds.INVALID_SPEC, found, of=len(rows)) from error
    spec = limits.bounded(spec)
    sizes = estimate(spec, datasets.find(spec.dataset))
    check_split(spec, sizes)
    limits.check(spec, sizes)
    return Admitted(spec, sizes)


def mistakes(error: ValidationError) -> list[ErrorDetails]:
    """What is wrong with a spec. A list that Pydantic finds too short without its bad items is not one mistake more."""
    rows = error.errors(include_url=False, include_input=False, include_context=False)
    within = {row["loc"][:-1] for row in rows}
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
