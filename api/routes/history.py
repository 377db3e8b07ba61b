"""What a job's history tells: its events, its metrics as series, and the checkpoints it kept."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from api.http import kinds
from api.http.context import RequestContextDep
from api.http.event_stream import MEDIA_TYPE, EventStream
from api.http.params import Params
from api.http.problems import SCOPE_IS_HEAD
from api.http.responses import refusals, to_json, to_page
from api.http.route import DirectRoute
from api.openapi import examples
from api.parameters.cursors import not_a_cursor
from api.parameters.events import JobEvents
from api.parameters.jobs import JobMetrics, JobName
from api.schemas import CheckpointPage, EventPage
from api.series import NAMES, as_csv, columns, thinned
from api.streams.of_job import events_of, order_of
from jobs.states import TERMINAL
from jobs.wire import KeptCheckpoint, Series
from store.history import ENTRIES_PER_READ

router = APIRouter(prefix="/v1/jobs", tags=["history"], route_class=DirectRoute)


@router.get(
    "/{job_id}/events",
    operation_id="list_job_events",
    summary="List a job's events",
    response_model=EventPage,
    responses={
        200: {
            "description": "One page of events, oldest first; or all of them, and each further one as it happens.",
            "content": {MEDIA_TYPE: examples.EVENT_STREAM},
        },
        204: {"description": "`Last-Event-ID` is that of `done`: nothing will follow, so do not connect again."},
        **refusals(
            kinds.JOB_NOT_FOUND,
            kinds.NOT_ACCEPTABLE,
            kinds.INVALID_CURSOR,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def list_job_events(context: RequestContextDep, params: Annotated[JobEvents, Params(JobEvents)]) -> Response:
    """Read what happened to a job, oldest first: each change of status, how it runs, each epoch's metrics, the
    checkpoints that were kept, and at its end `done`.

    Of very many events of one type other than `metric` the first 10 and the last 90 are kept.
    Events never change and their ids only grow: with the last one as `after` you get those that are new.

    `Accept: text/event-stream` follows the job: those events first, then each as it happens, until `done`. A stream
    that ends without it says nothing about the job: connect again with the last id as `Last-Event-ID`, as browsers do.
    `progress` is told while it lasts: it has no id, and is in no page and no replay.
    """
    query, streams = params.query, params.form == MEDIA_TYPE
    after = params.last_event_id or query.after
    found = await context.do(
        context.services.store.history.events(
            params.job_id,
            owner=context.caller.visible_owner,
            after=after,
            limit=ENTRIES_PER_READ if streams else query.limit + 1,
        )
    )
    if not streams:
        events = found[: query.limit]
        page = to_page(EventPage, events, [event.id for event in events], has_more=len(found) > query.limit)
        return to_json(page, headers={"vary": "Accept"})
    if not found:
        if (await context.job(params.job_id)).job.status in TERMINAL:
            return Response(status_code=204)
        if _precedes(await context.do(context.services.store.history.last_event(params.job_id)), after):
            raise not_a_cursor(after, "of an event that has happened to this job", parameter="Last-Event-ID")
    if context.request.scope[SCOPE_IS_HEAD]:  # whose answer has an end
        return Response(headers={"cache-control": "no-cache", "vary": "Accept"}, media_type=MEDIA_TYPE)
    return EventStream(lambda listener: events_of(context, params.job_id, listener, after=after, first=found))


def _precedes(one: str, other: str) -> bool:
    """Whether an event's id comes before another one."""
    return bool(other) and order_of(one) < order_of(other)


@router.get(
    "/{job_id}/checkpoints",
    operation_id="list_job_checkpoints",
    summary="List a job's checkpoints",
    response_model=CheckpointPage,
    responses={
        200: {"description": "The checkpoints that are kept: the last, the best, both or none."},
        **refusals(kinds.JOB_NOT_FOUND, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_job_checkpoints(context: RequestContextDep, params: Annotated[JobName, Params(JobName)]) -> Response:
    """Read which states of a job are kept: the last, from where an interrupted job goes on, and that after the epoch
    with the highest `val_accuracy`. A job that ends before its first checkpoint is due keeps the best alone.
    """
    history = context.services.store.history
    last, best = await context.do(history.checkpoints(params.job_id, owner=context.caller.visible_owner))
    kept: list[KeptCheckpoint] = []
    if last:
        kept.append(KeptCheckpoint(**last.model_dump(), kind="last"))
    if best:
        kept.append(KeptCheckpoint(**best.model_dump(), kind="best"))
    return to_json(to_page(CheckpointPage, kept, [checkpoint.name for checkpoint in kept], has_more=False))


@router.get(
    "/{job_id}/metrics",
    operation_id="get_job_metrics",
    summary="Read a job's metrics as series",
    response_model=Series,
    responses={
        200: {"description": "The metrics of the epochs done so far.", "content": {"text/csv": examples.CSV}},
        **refusals(kinds.JOB_NOT_FOUND, kinds.NOT_ACCEPTABLE, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def get_job_metrics(context: RequestContextDep, params: Annotated[JobMetrics, Params(JobMetrics)]) -> Response:
    """Read what each epoch measured, as columns ready to be plotted. Works while the job runs.
    `Accept: text/csv` gives the same as a table.

    To follow a job, send the last of `steps` as `after_step`.
    """
    query = params.query
    rows = await context.do(
        context.services.store.history.metrics(
            params.job_id, owner=context.caller.visible_owner, after_step=query.after_step
        )
    )
    shown = thinned(rows, query.max_points)
    names = [name for name in NAMES if name in query.names or not query.names]
    headers = {"vary": "Accept"}
    if params.form == "text/csv":
        return Response(as_csv(shown, names), headers=headers, media_type="text/csv; charset=utf-8; header=present")
    return to_json(columns(params.job_id, shown, names, points=len(rows)), headers=headers)
