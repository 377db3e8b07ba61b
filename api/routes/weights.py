"""`/v1/weights`: upload weights to begin jobs with, list, read, delete them."""

import asyncio
from typing import Annotated

import structlog
from fastapi import APIRouter
from starlette.responses import Response

from api.http import kinds
from api.http.body import check_upload
from api.http.context import RequestContextDep
from api.http.params import Params
from api.http.responses import LOCATION, refusals, to_json, to_page
from api.http.route import DirectRoute
from api.openapi import examples
from api.parameters.weights import WeightsListQuery, WeightsNamed, WeightsUpload
from api.routes.uploads import too_many
from api.schemas import WeightsPage
from jobs.wire import Weights

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["weights"], route_class=DirectRoute)


@router.put(
    "/weights/{name}",
    operation_id="upload_weights",
    summary="Upload weights",
    status_code=201,
    response_model=Weights,
    openapi_extra={"requestBody": examples.WEIGHTS_BODY},
    responses={
        200: {"description": "What has the name is this upload already.", "model": Weights},
        201: {"description": "The weights, in place of what had the name.", "headers": LOCATION},
        **refusals(
            kinds.INVALID_WEIGHTS,
            kinds.UPLOAD_TOO_LARGE,
            kinds.STORAGE_FULL,
            kinds.STORAGE_UNAVAILABLE,
            kinds.TOO_MANY_UPLOADS,
            kinds.UNSUPPORTED_MEDIA_TYPE,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def upload_weights(
    context: RequestContextDep, params: Annotated[WeightsUpload, Params(WeightsUpload)]
) -> Response:
    """Send a `.npz` (NumPy's) of arrays named `layer/weight`, as a job's `weights.npz` has them: float16, float32 or
    float64, finite, and no Python objects. A spec's `init_from` names them `weights:NAME`.

    What had the name is replaced; jobs that were accepted with it have their copy. The same upload again changes
    nothing, so a retry is safe. Weights count among the bytes that their owner's datasets may take.
    """
    services = context.services
    intake = services.intake
    declared = check_upload(context.request.headers)
    services.check_data_dir()
    if intake.is_full:
        raise too_many("this server takes no more uploads at the moment")
    stream = context.request.stream()
    taken = await intake.receive(context.caller.owner, stream, room=context.room, declared_bytes=declared)
    task = intake.start(intake.finish_weights(taken, params.name))
    await asyncio.wait({task})
    if task.cancelled():
        raise too_many("this server is about to stop; nothing of the upload was kept")
    published = task.result()
    shown = Weights.of(published.weights)
    if not published.created:
        return to_json(shown)
    log.info("weights_uploaded", weights=shown.name, owner=context.caller.owner, size_bytes=shown.size_bytes)
    return to_json(shown, status=201, headers={"location": f"/v1/weights/{shown.name}"})


@router.get(
    "/weights",
    operation_id="list_weights",
    summary="List uploaded weights",
    response_model=WeightsPage,
    responses={
        200: {"description": "Your weights, by name."},
        **refusals(kinds.INVALID_CURSOR, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_weights(
    context: RequestContextDep, query: Annotated[WeightsListQuery, Params(WeightsListQuery)]
) -> Response:
    """Say which weights a spec's `init_from` can name, beside those of jobs. Their arrays are left out."""
    page = await context.do(context.services.weights.list(context.caller.owner, after=query.after, limit=query.limit))
    shown = [Weights.of(weights, brief=True) for weights in page.weights]
    return to_json(to_page(WeightsPage, shown, [weights.name for weights in shown], has_more=page.has_more))


@router.get(
    "/weights/{name}",
    operation_id="get_weights",
    summary="Read what uploaded weights are",
    response_model=Weights,
    responses={
        200: {"description": "The weights, with name, shape and type of each array."},
        **refusals(kinds.WEIGHTS_NOT_FOUND, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def get_weights(context: RequestContextDep, params: Annotated[WeightsNamed, Params(WeightsNamed)]) -> Response:
    """Tell what there is under a name."""
    return to_json(Weights.of(await context.do(context.services.weights.get(context.caller.owner, params.name))))


@router.delete(
    "/weights/{name}",
    operation_id="delete_weights",
    summary="Delete uploaded weights",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "They are deleted. Jobs that were accepted with them have their copy."},
        **refusals(kinds.WEIGHTS_NOT_FOUND, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def delete_weights(context: RequestContextDep, params: Annotated[WeightsNamed, Params(WeightsNamed)]) -> Response:
    """Delete weights for good."""
    await context.services.intake.delete_weights(context.caller.owner, params.name)
    return Response(status_code=204)
