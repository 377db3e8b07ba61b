"""`/metrics`: the service in numbers, for Prometheus."""

import asyncio
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import PlainTextResponse, Response

from api.http import kinds
from api.http.context import ContextReader, RequestContext
from api.http.params import NoParams
from api.http.responses import refusals
from api.http.route import DirectRoute
from api.openapi import examples
from api.services import Services
from api.telemetry.exposition import Process, exposition
from jobs.api_keys import Scope
from jobs.errors import StoreUnavailable
from jobs.record import Worker
from store.stats import Stats, read_stats

STORE_SECONDS = 2.0
"""How long the store may take to answer before it is told to be away."""

log = structlog.get_logger(__name__)

router = APIRouter(tags=["service"], route_class=DirectRoute)


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Read the service's numbers, for Prometheus",
    response_class=PlainTextResponse,
    responses={
        200: {"description": "The numbers, each family with its help.", "content": examples.NUMBERS},
        **refusals(kinds.INVALID_PARAMETER),
    },
)
async def get_metrics(
    context: Annotated[RequestContext, Depends(ContextReader(Scope.METRICS))], _: NoParams
) -> Response:
    """Tell in numbers how the service does: jobs, queue, training and workers as the store counts them, the same from
    every API process; and requests, predictions, connections and uploads as this process does since it began.

    The numbers are of everybody's jobs: where keys are required this takes one with the scope `metrics`. While the
    store is away `gradientd_store_up` is 0, and what it counts is left out.
    """
    services, state = context.services, context.request.app.state
    stats, workers = await _of_the_store(services)
    process = Process(
        version=context.request.app.version,
        traffic=state.traffic,
        connections=state.connections,
        instances=services.predictor.instances,
        followers=services.job_feed.followers + services.event_feed.followers,
        uploads_under_way=services.intake.under_way,
        uploads_checking=services.intake.checking,
    )
    return Response(exposition(process, stats, workers), media_type=CONTENT_TYPE_PLAIN_0_0_4)


async def _of_the_store(services: Services) -> tuple[Stats | None, tuple[Worker, ...]]:
    """What the store tells; None and nobody where it does not answer."""
    try:
        async with asyncio.timeout(STORE_SECONDS):
            return await services.do(read_stats(services.store.keys)), await services.fleet.workers()
    except (StoreUnavailable, TimeoutError) as error:
        log.warning("store_not_measured", error=str(error))
        return None, ()
