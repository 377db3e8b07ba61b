"""What a job's history tells: its events, its metrics as series, and the checkpoints it kept."""

import re

from fastapi import APIRouter
from starlette.responses import Response

from api.http.context import JobId, RequestContextDep, checked_id
from api.http.negotiation import choose
from api.http.params import EVENT_ID, EventsQuery, MetricsQuery, Query
from api.http.problems import Refused, shortened
from api.http.responses import refusals, to_json, to_page
from api.openapi import examples
from api.openapi.parameters import documented
from api.schemas import CheckpointPage, EventPage, KeptCheckpoint
from api.series import NAMES, as_csv, columns, thinned
from jobs.wire import FieldError, Series

_EVENT_ID = re.compile(EVENT_ID)

router = APIRouter(prefix="/v1/jobs", tags=["history"])


@router.get(
    "/{job_id}/events",
    operation_id="list_job_events",
    summary="List a job's events",
    response_model=EventPage,
    openapi_extra=documented(EventsQuery),
    responses={
        200: {"description": "One page of events, oldest first."},
        **refusals("job_not_found", "invalid_cursor", "invalid_parameter", "store_unavailable"),
    },
)
async def list_job_events(context: RequestContextDep, job_id: JobId) -> Response:
    """Read what happened to a job, oldest first: each change of status, how it runs, and each epoch's metrics.

    Events never change and their ids only grow: with the last one as `after` you get those that are new.
    """
    query = EventsQuery.read(context.request)
    if query.after and not _EVENT_ID.fullmatch(query.after):
        detail = f"the cursor {shortened(query.after, 100)!r} is not an event's id"
        raise Refused("invalid_cursor", detail, errors=[FieldError(parameter="after", detail=detail)])
    found = await context.do(
        context.services.store.history.events(
            checked_id(job_id), owner=context.caller.visible_owner, after=query.after, limit=query.limit + 1
        )
    )
    events = found[: query.limit]
    return to_json(to_page(EventPage, events, [event.id for event in events], has_more=len(found) > query.limit))


@router.get(
    "/{job_id}/checkpoints",
    operation_id="list_job_checkpoints",
    summary="List a job's checkpoints",
    response_model=CheckpointPage,
    openapi_extra=documented(Query),
    responses={
        200: {"description": "The checkpoints that are kept: the last, the best, both or none."},
        **refusals("job_not_found", "invalid_parameter", "store_unavailable"),
    },
)
async def list_job_checkpoints(context: RequestContextDep, job_id: JobId) -> Response:
    """Read which states of a job are kept: the last, from where an interrupted job goes on, and that after the epoch
    with the highest `val_accuracy`. A job that ends before its first checkpoint is due keeps the best alone.
    """
    Query.read(context.request)
    history = context.services.store.history
    last, best = await context.do(history.checkpoints(checked_id(job_id), owner=context.caller.visible_owner))
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
    openapi_extra=documented(MetricsQuery),
    responses={
        200: {"description": "The metrics of the epochs done so far.", "content": {"text/csv": examples.CSV}},
        **refusals("job_not_found", "not_acceptable", "invalid_parameter", "store_unavailable"),
    },
)
async def get_job_metrics(context: RequestContextDep, job_id: JobId) -> Response:
    """Read what each epoch measured, as columns ready to be plotted. Works while the job runs.
    `Accept: text/csv` gives the same as a table.

    To follow a job, send the last of `steps` as `after_step`.
    """
    query = MetricsQuery.read(context.request)
    form = choose(context.header("accept"), ("application/json", "text/csv"))
    rows = await context.do(
        context.services.store.history.metrics(
            checked_id(job_id), owner=context.caller.visible_owner, after_step=query.after_step
        )
    )
    shown = thinned(rows, query.max_points)
    names = [name for name in NAMES if name in query.names or not query.names]
    headers = {"vary": "Accept"}
    if form == "text/csv":
        return Response(as_csv(shown, names), headers=headers, media_type="text/csv; charset=utf-8; header=present")
    return to_json(columns(job_id, shown, names, points=len(rows)), headers=headers)
