"""How the service itself is: alive, ready, and what its problems mean."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http import kinds
from api.http.kinds import KINDS, Kind
from api.http.params import Params
from api.http.problems import Refused, shortened
from api.http.responses import refusals, to_json, to_page
from api.http.route import DirectRoute
from api.parameters.service import ProblemName
from api.schemas import Health, ProblemKind, ProblemPage, Readiness
from api.services import Services
from jobs.errors import StoreUnavailable

READY_SECONDS = 2.0
"""How long the store may take to answer before the service counts as not ready."""

router = APIRouter(tags=["service"], route_class=DirectRoute)


@router.get(
    "/healthz",
    operation_id="get_health",
    summary="Is the process alive?",
    response_model=Health,
    responses={200: {"description": "It is."}, **refusals()},
)
async def get_health(request: Request) -> Response:
    """Answer as long as this process can answer at all, whatever state the store is in."""
    return to_json(Health(version=request.app.version))


@router.get(
    "/readyz",
    operation_id="get_readiness",
    summary="Can jobs be submitted?",
    response_model=Readiness,
    responses={
        200: {"description": "They can: the store answers, and the data directory is there."},
        **refusals(kinds.STORE_UNAVAILABLE),
    },
)
async def get_readiness(request: Request) -> Response:
    """Answer with a problem while the store is away, so that a load balancer sends requests elsewhere."""
    services: Services = request.app.state.services
    try:
        async with asyncio.timeout(READY_SECONDS):
            services.check_data_dir()
            warnings = await services.do(services.store.check_health())
            try:
                await services.do(services.store.check_writes())
            except StoreUnavailable as error:
                # What there is can still be read, and through no other process could more be done.
                warnings = (*warnings, f"no job can be submitted: {error}")
    except TimeoutError:
        raise StoreUnavailable(f"the store did not answer within {READY_SECONDS} s") from None
    return to_json(Readiness(version=request.app.version, warnings=warnings))


@router.get(
    "/problems",
    operation_id="list_problems",
    summary="List kinds of problems",
    response_model=ProblemPage,
    responses={200: {"description": "All kinds, by code."}, **refusals()},
)
async def list_problems() -> Response:
    """List every `code` that a problem can have, what it means and what to do about it."""
    found = tuple(_shown(KINDS[code]) for code in sorted(KINDS))
    return to_json(to_page(ProblemPage, found, [kind.code for kind in found]))


@router.get(
    "/problems/{code}",
    operation_id="get_problem",
    summary="Explain a kind of problem",
    response_model=ProblemKind,
    responses={200: {"description": "What it means and what to do about it."}, **refusals(kinds.PROBLEM_NOT_FOUND)},
)
async def get_problem(params: Annotated[ProblemName, Params(ProblemName)]) -> Response:
    """Explain a problem. Its `type` is this address."""
    if params.code not in KINDS:
        raise Refused(kinds.PROBLEM_NOT_FOUND, f"no problem has the code {shortened(params.code, 100)!r}")
    return to_json(_shown(KINDS[params.code]))


def _shown(kind: Kind) -> ProblemKind:
    return ProblemKind(
        code=kind.code,
        type=kind.type,
        status=kind.status,
        title=kind.title,
        meaning=kind.meaning,
        remedy=kind.remedy,
    )
