"""`/v1/jobs`: submit, list, read, cancel, pause, resume, delete."""

import asyncio
import re

import structlog
from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import Response

from api import admission
from api.http import conditional
from api.http.body import read_json_object
from api.http.context import JobId, RequestContext, RequestContextDep, checked_id
from api.http.params import CreateQuery, ListQuery, Query
from api.http.problems import Refused, refused_for
from api.http.responses import refusals, to_json, to_page
from api.openapi import examples
from api.openapi.parameters import IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_UNNEEDED, IF_NONE_MATCH, PREFER, documented
from api.schemas import JobPage, Resolved
from jobs.errors import InvalidCursor, InvalidSpec
from jobs.ids import PATTERN, new_job_id
from jobs.limits import Limits
from jobs.record import Job
from jobs.states import TERMINAL, Status
from jobs.wire import FieldError
from store.jobs import Filters
from store.lanes import Lanes

REREAD_SECONDS = 5.0
"""How often a waiting request looks at its job though it heard of no change."""
REREAD_QUEUED_SECONDS = 1.0
"""The same while the job is queued: its place in the queue moves without telling."""

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post(
    "",
    operation_id="create_job",
    summary="Submit a job",
    status_code=202,
    response_model=Job,
    openapi_extra={"requestBody": examples.JOB_BODY, **documented(CreateQuery, IDEMPOTENCY_KEY)},
    responses={
        200: {"model": Resolved, "description": "With `dry_run`: what the job would be. Nothing was created."},
        202: {"description": "The job, accepted. `Location` is its address; poll it or follow its events."},
        **refusals(
            "malformed_json",
            "body_too_large",
            "unsupported_media_type",
            "invalid_spec",
            "unknown_dataset",
            "unknown_preset",
            "job_too_large",
            "device_unavailable",
            "invalid_parameter",
            "idempotency_key_reused",
            "too_many_jobs",
            "store_unavailable",
        ),
    },
)
async def create_job(context: RequestContextDep) -> Response:
    """Accept a training job. Every field has a default: an empty body trains the textbook MLP on digits.

    The job is stored before it is answered; a worker starts it as soon as one is free.
    """
    query = CreateQuery.read(context.request)
    key = _idempotency_key(context)
    services = context.services
    body = await read_json_object(context.request, most_bytes=context.most_bytes)
    wanted = admission.resolve(body, Limits.of(services.settings))
    if query.dry_run:
        await admission.check_device(services, wanted.spec)
        return to_json(Resolved.of(wanted.spec, wanted.sizes))
    try:
        await admission.check_device(services, wanted.spec)
    except InvalidSpec:
        # A request sent again gets its first answer, whatever devices there are by now.
        if not (key and await context.do(services.store.answered(key, owner=context.caller.owner))):
            raise
    created = await context.do(
        services.store.create(
            new_job_id(),
            wanted.spec,
            steps=wanted.sizes.steps,
            owner=context.caller.owner,
            idempotency_key=key,
            digest=wanted.digest if key else "",
            max_jobs=context.caps[0],
            max_queued=context.caps[1],
        )
    )
    if created.conflict:
        detail = "this Idempotency-Key came before with another job; nothing was created"
        errors = [FieldError(parameter="Idempotency-Key", detail="used for another body")]
        raise Refused("idempotency_key_reused", detail, errors=errors)
    job = created.job
    structlog.contextvars.bind_contextvars(job_id=job.id)
    address = f"/v1/jobs/{job.id}"
    headers = {"location": address, "content-location": address, "etag": conditional.etag(job)}
    # Answer first: whoever submits never waits for the broker.
    _, wake_queue = Lanes.of(wanted.spec)
    ring = BackgroundTask(services.doorbell_sender.ring, wake_queue, created.rings) if created.rings > 0 else None
    return to_json(job, status=202, headers=headers, background=ring)


def _idempotency_key(context: RequestContext) -> str:
    """The key as the store keeps it: on another route the same key is another one. Empty without one.

    Raises Refused for one of another form.
    """
    if "idempotency-key" not in context.request.headers:
        return ""
    key = context.header("idempotency-key")
    bare = key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key
    if not _IDEMPOTENCY_KEY.fullmatch(bare):
        detail = "Input should be 1 to 255 printable ASCII characters without spaces"
        raise refused_for("invalid_parameter", [FieldError(parameter="Idempotency-Key", detail=detail)])
    return f"jobs.create:{bare}"


@router.get(
    "",
    operation_id="list_jobs",
    summary="List jobs",
    response_model=JobPage,
    openapi_extra=documented(ListQuery),
    responses={
        200: {"description": "One page of jobs."},
        **refusals("invalid_cursor", "invalid_parameter", "store_unavailable"),
    },
)
async def list_jobs(context: RequestContextDep) -> Response:
    """Read your jobs page by page, newest first unless asked otherwise.

    For the next page send `last_id` as `after`, as long as `has_more` says so. A page may be shorter than
    `limit` only at the end.
    """
    query = ListQuery.read(context.request)
    if query.after and not PATTERN.fullmatch(query.after):
        raise InvalidCursor(query.after)
    filters = Filters(
        statuses=frozenset(query.status),
        metadata=query.metadata,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    newest_first = query.order == "desc"
    page = await context.do(
        context.services.store.list(
            filters, owner=context.caller.visible_owner, after=query.after, limit=query.limit, newest_first=newest_first
        )
    )
    return to_json(to_page(JobPage, page.jobs, [job.id for job in page.jobs], has_more=page.has_more))


@router.get(
    "/{job_id}",
    operation_id="get_job",
    summary="Read a job, or wait for its next change",
    response_model=Job,
    openapi_extra=documented(Query, IF_NONE_MATCH, PREFER),
    responses={
        200: {"description": "The job. `ETag` names this state of it."},
        304: {"description": "The job is as `If-None-Match` knows it."},
        **refusals("job_not_found", "invalid_parameter", "store_unavailable"),
    },
)
async def get_job(context: RequestContextDep, job_id: JobId) -> Response:
    """Tell all there is to know of a job. Unchanged jobs cost little: send `If-None-Match`, and `Prefer: wait=60`."""
    Query.read(context.request)
    known = context.header("if-none-match")
    seconds = conditional.wait_seconds(context.header("prefer"))
    job = await context.do(context.services.store.get(checked_id(job_id), owner=context.caller.visible_owner))
    if seconds and not conditional.is_news(known, job):
        job = await _at_next_change(context, job, seconds=seconds)
    tag = conditional.etag(job)
    # `no-cache`: may be kept, but asked for again each time.
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "Prefer"}
    if seconds:
        headers["preference-applied"] = f"wait={seconds}"
    if conditional.matches(known, tag):
        return Response(status_code=304, headers=headers)
    return to_json(job, headers=headers)


async def _at_next_change(context: RequestContext, known: Job, *, seconds: int) -> Job:
    """The job once it is no longer what is known, or at the end of the patience of anybody concerned."""
    before = conditional.moment(known)
    changes = context.services.changes
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    async with changes.watch(known.id) as watch:
        while True:
            job = await context.do(context.services.store.get(known.id, owner=context.caller.visible_owner))
            left = deadline - clock()
            if conditional.moment(job) != before or job.status in TERMINAL or left <= 0 or changes.closing:
                return job
            if await context.request.is_disconnected():
                return job
            await watch.wait(min(left, REREAD_QUEUED_SECONDS if job.status is Status.QUEUED else REREAD_SECONDS))


@router.post(
    "/{job_id}/cancel",
    operation_id="cancel_job",
    summary="Cancel a job",
    response_model=Job,
    openapi_extra=documented(Query, IDEMPOTENCY_KEY_UNNEEDED),
    responses={
        200: {"description": "The job in its final status, because it was only queued or had ended before."},
        202: {"model": Job, "description": "The job, `cancelling`: its worker has been asked to stop."},
        **refusals("job_not_found", "invalid_parameter", "store_unavailable"),
    },
)
async def cancel_job(context: RequestContextDep, job_id: JobId) -> Response:
    """Ask for a job's end. Sending it again does no harm; a final job stays what it is.

    What was trained until then is kept: a cancelled job has its metrics.
    """
    Query.read(context.request)
    _idempotency_key(context)
    job = await context.do(context.services.store.cancel(checked_id(job_id), owner=context.caller.visible_owner))
    return to_json(job, status=200 if job.status in TERMINAL else 202)


@router.post(
    "/{job_id}/pause",
    operation_id="pause_job",
    summary="Pause a job",
    response_model=Job,
    openapi_extra=documented(Query, IDEMPOTENCY_KEY_UNNEEDED),
    responses={
        200: {"description": "The job, `paused`: at once when it was only queued, or since an earlier request."},
        202: {
            "model": Job,
            "description": "The job, `pausing`: its worker has been asked to keep a checkpoint and stop.",
        },
        **refusals("job_not_found", "not_now", "invalid_parameter", "store_unavailable"),
    },
)
async def pause_job(context: RequestContextDep, job_id: JobId) -> Response:
    """Stop a job for the time being and free its worker. Sending it again does no harm.

    Resumed, it goes on from the step where it stopped and ends in the same bits as if it had never been paused.
    """
    Query.read(context.request)
    _idempotency_key(context)
    job = await context.do(context.services.store.pause(checked_id(job_id), owner=context.caller.visible_owner))
    return to_json(job, status=200 if job.status is Status.PAUSED else 202)


@router.post(
    "/{job_id}/resume",
    operation_id="resume_job",
    summary="Resume a paused job",
    response_model=Job,
    openapi_extra=documented(Query, IDEMPOTENCY_KEY_UNNEEDED),
    responses={
        200: {
            "description": "The job, queued again at its old place, or as it is when it was queued or running already."
        },
        **refusals("job_not_found", "not_now", "invalid_parameter", "store_unavailable"),
    },
)
async def resume_job(context: RequestContextDep, job_id: JobId) -> Response:
    """Queue a paused job again. Sending it again does no harm."""
    Query.read(context.request)
    _idempotency_key(context)
    resumed = await context.do(context.services.store.resume(checked_id(job_id), owner=context.caller.visible_owner))
    ring = (
        BackgroundTask(context.services.doorbell_sender.ring, resumed.wake_queue, resumed.rings)
        if resumed.rings > 0
        else None
    )
    return to_json(resumed.job, background=ring)


@router.delete(
    "/{job_id}",
    operation_id="delete_job",
    summary="Delete a job",
    status_code=204,
    response_class=Response,
    openapi_extra=documented(Query),
    responses={
        204: {"description": "The job is deleted: record, events and, within seconds, its files."},
        **refusals("job_not_found", "not_now", "invalid_parameter", "store_unavailable"),
    },
)
async def delete_job(context: RequestContextDep, job_id: JobId) -> Response:
    """Delete a final job for good; any other must be cancelled first. Without this, final jobs are deleted after the
    server's retention time.
    """
    Query.read(context.request)
    await context.do(context.services.store.delete(checked_id(job_id), owner=context.caller.visible_owner))
    return Response(status_code=204)
