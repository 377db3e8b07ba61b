"""Decides whether a job can be taken: resolves its spec, and looks for the device it asks for."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError

from api.http import kinds
from api.http.extent import extent_of
from api.http.pointers import to_pointer
from api.http.problems import refused_for, shortened, told
from api.services import Services
from jobs import datasets, presets
from jobs.errors import DeviceUnavailable
from jobs.estimate import Estimate, check_split, estimate
from jobs.limits import Limits
from jobs.record import Worker
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
        rows = error.errors(include_url=False, include_input=False, include_context=False)
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


def _gpus(worker: Worker) -> int:
    return sum(device.kind == _GPU for device in worker.devices)


def _devices(worker: Worker) -> str:
    gpus = (f"{_GPU}:{n}" for n in range(_gpus(worker)))
    return ", ".join(["cpu", *gpus])
