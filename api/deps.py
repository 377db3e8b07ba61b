"""What routes are handed: the services, and on whose behalf they act."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Request

from api.problems import shortened
from api.services import Services
from jobs.calls import Operation
from jobs.errors import JobNotFound
from jobs.ids import PATTERN
from jobs.keys import EVERYBODY

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    owner: str = ""
    """Whom jobs created now belong to."""
    sees: str = EVERYBODY
    """Whose jobs can be read and changed."""


ANYBODY = Caller()


@dataclass(frozen=True, slots=True)
class Call:
    """A request, on whose behalf it came, and what serves it."""

    request: Request
    services: Services
    caller: Caller

    async def do(self, operation: Operation[T]) -> T:
        """Carry out a store operation. Raises StoreUnavailable and whatever the operation raises."""
        return await self.services.do(operation)

    def header(self, name: str) -> str:
        """A header's value, of all its lines; empty without one."""
        return ", ".join(self.request.headers.getlist(name))


async def get_call(request: Request) -> Call:
    """The call. Without API keys everybody is the same, nameless owner, and sees every job."""
    return Call(request, request.app.state.services, ANYBODY)


def checked_id(job_id: str) -> str:
    """The id. Raises JobNotFound for what cannot be one, so that the store is never asked for a strange key."""
    if not PATTERN.fullmatch(job_id):
        raise JobNotFound(shortened(job_id, 100))
    return job_id


CallDep = Annotated[Call, Depends(get_call)]
JobId = Annotated[
    str,
    Path(
        description="The job's `id`.",
        examples=["job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"],
        json_schema_extra={"pattern": f"^{PATTERN.pattern}$"},
    ),
]
