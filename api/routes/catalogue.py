"""What there is to train with: workers and presets."""

from fastapi import APIRouter
from starlette.responses import Response

from api.http import kinds
from api.http.context import RequestContextDep
from api.http.params import NoParams
from api.http.responses import refusals, to_json, to_page
from api.http.route import DirectRoute
from api.schemas import PresetPage, WorkerPage
from jobs.limits import Limits
from jobs.presets import PRESETS, resolve
from jobs.record import Worker
from jobs.spec import Spec
from jobs.wire import Preset
from store.keys import EVERYBODY

router = APIRouter(prefix="/v1", tags=["catalogue"], route_class=DirectRoute)


@router.get(
    "/workers",
    operation_id="list_workers",
    summary="List live workers",
    response_model=WorkerPage,
    responses={
        200: {"description": "All workers that spoke lately, by name."},
        **refusals(kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_workers(context: RequestContextDep, _: NoParams) -> Response:
    """Say who trains: the live workers, their devices with memory growth and memory in use, and their present job."""
    workers = await context.do(context.services.store.workers())
    if context.caller.visible_owner != EVERYBODY:
        held = [worker.job_id for worker in workers if worker.job_id]
        own = await context.do(context.services.store.owned(context.caller.visible_owner, held))
        workers = tuple(_as_seen(worker, own) for worker in workers)
    return to_json(to_page(WorkerPage, workers, [worker.name for worker in workers]))


@router.get(
    "/presets",
    operation_id="list_presets",
    summary="List presets",
    response_model=PresetPage,
    responses={200: {"description": "All presets."}, **refusals(kinds.INVALID_PARAMETER)},
)
async def list_presets(context: RequestContextDep, _: NoParams) -> Response:
    """Say which starting points a spec's `preset` can name, and what each stands for."""
    limits = Limits.of(context.services.settings)
    presets = tuple(Preset.of(preset, limits.bounded(resolve(Spec(preset=preset.name)))) for preset in PRESETS.values())
    return to_json(to_page(PresetPage, presets, list(PRESETS)))


def _as_seen(worker: Worker, own: frozenset[str]) -> Worker:
    """The worker as somebody sees it who has these jobs: of another's job only that the worker is busy."""
    return worker if worker.job_id is None or worker.job_id in own else worker.model_copy(update={"job_id": None})
