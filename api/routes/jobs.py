"""`/v1/jobs`: submit, list, read, cancel, pause, resume, delete."""

import asyncio
from contextlib import suppress
from typing import Annotated, TypeVar

import structlog
from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import Response

from api import admission, warm_start
from api.http import conditional, kinds
from api.http.body import JsonBody, read_json_object
from api.http.context import RequestContext, RequestContextDep
from api.http.params import Params
from api.http.problems import Refused
from api.http.responses import (
    CONTENT_LOCATION,
    ETAG,
    LOCATION,
    PREFERENCE_APPLIED,
    followed_by,
    refusals,
    to_json,
    to_page,
)
from api.http.route import DirectRoute
from api.job_cache import Seen
from api.openapi import examples
from api.parameters.jobs import JobChange, JobCreation, JobName, JobReading, ListQuery
from api.schemas import JobPage, JobsPage, JobSummaryPage, Resolved
from api.streams.pace import CHECK_KEY_SECONDS
from jobs.dataset_versions import DatasetNotFound
from jobs.errors import InvalidSpec, StoreUnavailable
from jobs.ids import new_job_id
from jobs.record import InitialWeights, Job, JobSummary
from jobs.states import TERMINAL, Status
from jobs.wire import FieldError
from store.jobs import Created, Filters, Page
from store.lanes import Lanes

J = TypeVar("J", Job, JobSummary)

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=DirectRoute)


@router.post(
    "",
    operation_id="create_job",
    summary="Submit a job",
    status_code=202,
    response_model=Job,
    openapi_extra={"requestBody": examples.JOB_BODY},
    responses={
        200: {"model": Resolved, "description": "With `dry_run`: what the job would be. Nothing was created."},
        202: {
            "description": "The job, accepted. `Location` is its address; poll it or follow its events.",
            "headers": LOCATION | CONTENT_LOCATION | ETAG,
            "links": followed_by(
                "job_id",
                value="$response.body#/id",
                description="The `id` of the answered job is the `job_id` of this operation.",
            ),
        },
        **refusals(
            kinds.MALFORMED_JSON,
            kinds.BODY_TOO_LARGE,
            kinds.UNSUPPORTED_MEDIA_TYPE,
            kinds.INVALID_SPEC,
            kinds.UNKNOWN_DATASET,
            kinds.UNKNOWN_PRESET,
            kinds.JOB_TOO_LARGE,
            kinds.DEVICE_UNAVAILABLE,
            kinds.PRIORITY_TOO_HIGH,
            kinds.MEMORY_UNAVAILABLE,
            kinds.INVALID_PARAMETER,
            kinds.IDEMPOTENCY_KEY_REUSED,
            kinds.UNREADABLE_RECORD,
            kinds.TOO_MANY_JOBS,
            kinds.STORAGE_UNAVAILABLE,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def create_job(context: RequestContextDep, params: Annotated[JobCreation, Params(JobCreation)]) -> Response:
    """Accept a training job. Every field has a default: an empty body trains the textbook MLP on digits.

    The job is stored before it is answered; a worker starts it as soon as one is free.
    """
    body = await read_json_object(context.request, most_bytes=context.most_bytes)
    if params.query.dry_run:
        wanted = await _admitted(context, body)
        return to_json(Resolved.of(wanted.spec, wanted.sizes, choices=wanted.choices))
    created = await _created(context, body, params.idempotency_key)
    if created.conflict:
        detail = "this Idempotency-Key came before with another body; nothing was created"
        errors = [FieldError(parameter="Idempotency-Key", detail="used for another body")]
        raise Refused(kinds.IDEMPOTENCY_KEY_REUSED, detail, errors=errors)
    job = created.job
    structlog.contextvars.bind_contextvars(job_id=job.id)
    address = f"/v1/jobs/{job.id}"
    headers = {"location": address, "content-location": address, "etag": conditional.etag(job)}
    # Answer first: whoever submits never waits for the broker.
    _, wake_queue = Lanes.of(job.spec)
    sender = context.services.doorbell_sender
    ring = BackgroundTask(sender.ring, wake_queue, created.rings) if created.rings > 0 else None
    return to_json(job, status=202, headers=headers, background=ring)


async def _created(context: RequestContext, body: JsonBody, idempotency_key: str) -> Created:
    """The job that a body asks for, made now or for an earlier request with the same key."""
    store, owner = context.services.store, context.caller.owner
    # On another route the same key is another one.
    key = f"jobs.create:{idempotency_key}" if idempotency_key else ""
    job_id = new_job_id()
    try:
        wanted = await _admitted(context, body)
        if wanted.start and key and (first := await context.do(store.answered(key, owner=owner, digest=body.digest))):
            return first
        context.services.check_data_dir()
        wanted, initial_weights = await _begun(context, body, wanted, job_id)
    except (Refused, InvalidSpec):
        # A request sent again gets its first answer, whatever limits, defaults and devices there are by now.
        first = await context.do(store.answered(key, owner=owner, digest=body.digest)) if key else None
        if first is None:
            raise
        return first
    creation = store.create(
        job_id,
        wanted.spec,
        steps=wanted.sizes.steps,
        train_examples=wanted.sizes.train_examples,
        owner=owner,
        idempotency_key=key,
        digest=body.digest,
        max_jobs=context.caps[0],
        max_queued=context.caps[1],
        dataset=wanted.dataset,
        choices=wanted.choices,
        initial_weights=initial_weights,
    )
    created = None
    try:
        created = await context.do(creation)
        return created
    except DatasetNotFound:  # deleted since it was looked up
        raise await admission.unknown_dataset(context.services, wanted.spec.dataset, owner=owner) from None
    finally:
        if initial_weights and (created is None or created.job.id != job_id):
            await _unstage(context, job_id)


async def _begun(
    context: RequestContext, body: JsonBody, wanted: admission.Admitted, job_id: str
) -> tuple[admission.Admitted, InitialWeights | None]:
    """What a body asks for, and the job's copy of the weights that it begins with, which is staged.

    Raises as `_admitted` does: a checkpoint that went meanwhile is looked for again.
    """
    if not wanted.start:
        return wanted, None
    await context.do(context.services.store.stage(job_id))
    try:
        for _ in range(warm_start.LOOKS):
            assert wanted.start
            with suppress(warm_start.Moved):
                return wanted, await warm_start.copy(context.services, wanted.start, job_id)
            wanted = await _admitted(context, body)
        raise warm_start.gone(wanted.spec.init_from)
    except BaseException:
        await _unstage(context, job_id)
        raise


async def _unstage(context: RequestContext, job_id: str) -> None:
    """Have the files deleted of a job that was not created. What cannot be said lapses."""
    with suppress(StoreUnavailable):
        await context.do(context.services.store.unstage(job_id))


async def _admitted(context: RequestContext, body: JsonBody) -> admission.Admitted:
    """What a body asks for, if it can be taken. Raises InvalidSpec and Refused."""
    key = context.caller.key
    wanted = await admission.resolve(
        context.services, body.fields, owner=context.caller.owner, webhook=key.default_webhook if key else None
    )
    context.check_priority(wanted.spec)
    await admission.check_device(context.services, wanted.spec)
    await admission.check_memory(context.services, wanted)
    return wanted


@router.get(
    "",
    operation_id="list_jobs",
    summary="List jobs",
    response_model=JobPage | JobSummaryPage,
    responses={
        200: {"description": "One page of jobs, whole or in brief."},
        **refusals(kinds.INVALID_CURSOR, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_jobs(context: RequestContextDep, query: Annotated[ListQuery, Params(ListQuery)]) -> Response:
    """Read your jobs page by page, newest first unless asked otherwise.

    For the next page send `last_id` as `after`, as long as `has_more` says so. A page may be shorter than
    `limit` only at the end. `unreadable` names those of its jobs that cannot be shown.
    """
    filters = Filters(
        statuses=frozenset(query.status),
        dataset=query.dataset,
        metadata=query.metadata,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    newest_first = query.order == "desc"
    owner, after, limit, store = context.caller.visible_owner, query.after, query.limit, context.services.store
    if query.view == "summary":
        brief = store.summaries(filters, owner=owner, after=after, limit=limit, newest_first=newest_first)
        return _listed(JobSummaryPage, await context.do(brief))
    whole = store.list(filters, owner=owner, after=after, limit=limit, newest_first=newest_first)
    return _listed(JobPage, await context.do(whole))


def _listed(kind: type[JobsPage[J]], page: Page[J]) -> Response:
    shown = to_page(kind, page.jobs, [job.id for job in page.jobs], has_more=page.has_more)
    return to_json(shown.model_copy(update={"unreadable": page.unreadable}))


@router.get(
    "/{job_id}",
    operation_id="get_job",
    summary="Read a job, or wait for its next change",
    response_model=Job,
    responses={
        200: {"description": "The job. `ETag` names this state of it.", "headers": ETAG | PREFERENCE_APPLIED},
        304: {"description": "The job is as `If-None-Match` knows it.", "headers": ETAG | PREFERENCE_APPLIED},
        **refusals(kinds.JOB_NOT_FOUND, kinds.UNREADABLE_RECORD, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def get_job(context: RequestContextDep, params: Annotated[JobReading, Params(JobReading)]) -> Response:
    """Tell all there is to know of a job. Unchanged jobs cost little: send `If-None-Match`, and `Prefer: wait=60`."""
    known, seconds = params.if_none_match, params.wait_seconds
    seen = await context.job(params.job_id)
    if seconds and not conditional.is_news(known, seen.job):
        seen = await _at_next_change(context, seen, seconds=seconds)
    # `no-cache`: may be kept, but asked for again each time.
    headers = {"etag": seen.etag, "cache-control": "private, no-cache", "vary": "Prefer"}
    if seconds:
        headers["preference-applied"] = f"wait={seconds}"
    if conditional.matches(known, seen.etag):
        return Response(status_code=304, headers=headers)
    return Response(seen.body, headers=headers, media_type="application/json")


async def _at_next_change(context: RequestContext, known: Seen, *, seconds: int) -> Seen:
    """The job once it is no longer what is known, or at the end of the patience of anybody concerned."""
    before = conditional.moment(known.job)
    feed = context.services.job_feed
    clock = asyncio.get_running_loop().time
    deadline, checked_at = clock() + seconds, clock()
    async with feed.follow(known.job.id) as follower:
        await follower.look()
        while True:
            now = clock()
            job = follower.job
            if follower.trouble or job is None:
                # As whoever asks now is told: that the store is away, or the job.
                return await context.job(known.job.id)
            if conditional.moment(job) != before or job.status in TERMINAL or now >= deadline or feed.closing:
                return Seen(job)
            if await context.request.is_disconnected():
                return Seen(job)
            if now - checked_at >= CHECK_KEY_SECONDS:
                checked_at = now
                await context.check_key()
            await follower.wait(min(deadline - now, CHECK_KEY_SECONDS))


@router.post(
    "/{job_id}/cancel",
    operation_id="cancel_job",
    summary="Cancel a job",
    response_model=Job,
    responses={
        200: {"description": "The job in its final status, because it was only queued or had ended before."},
        202: {"model": Job, "description": "The job, `cancelling`: its worker has been asked to stop."},
        **refusals(kinds.JOB_NOT_FOUND, kinds.UNREADABLE_RECORD, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def cancel_job(context: RequestContextDep, params: Annotated[JobChange, Params(JobChange)]) -> Response:
    """Ask for a job's end. Sending it again does no harm; a final job stays what it is.

    What was trained until then is kept: a cancelled job has its metrics.
    """
    job = await context.do(context.services.store.cancel(params.job_id, owner=context.caller.visible_owner))
    return to_json(job, status=200 if job.status in TERMINAL else 202)


@router.post(
    "/{job_id}/pause",
    operation_id="pause_job",
    summary="Pause a job",
    response_model=Job,
    responses={
        200: {"description": "The job, `paused`: at once when it was only queued, or since an earlier request."},
        202: {
            "model": Job,
            "description": "The job, `pausing`: its worker has been asked to keep a checkpoint and stop.",
        },
        **refusals(
            kinds.JOB_NOT_FOUND,
            kinds.UNREADABLE_RECORD,
            kinds.NOT_NOW,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def pause_job(context: RequestContextDep, params: Annotated[JobChange, Params(JobChange)]) -> Response:
    """Stop a job for the time being and free its worker. Sending it again does no harm.

    Resumed, it goes on from the step where it stopped and ends in the same bits as if it had never been paused.
    """
    job = await context.do(context.services.store.pause(params.job_id, owner=context.caller.visible_owner))
    return to_json(job, status=200 if job.status is Status.PAUSED else 202)


@router.post(
    "/{job_id}/resume",
    operation_id="resume_job",
    summary="Resume a paused job",
    response_model=Job,
    responses={
        200: {
            "description": "The job, queued again at its old place, or as it is when it was queued or running already."
        },
        **refusals(
            kinds.JOB_NOT_FOUND,
            kinds.UNREADABLE_RECORD,
            kinds.NOT_NOW,
            kinds.TOO_MANY_JOBS,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def resume_job(context: RequestContextDep, params: Annotated[JobChange, Params(JobChange)]) -> Response:
    """Queue a paused job again. Sending it again does no harm."""
    resumed = await context.do(
        context.services.store.resume(params.job_id, owner=context.caller.visible_owner, max_queued=context.caps[1])
    )
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
    responses={
        204: {"description": "The job is deleted: record, events and, within seconds, its files."},
        **refusals(kinds.JOB_NOT_FOUND, kinds.NOT_NOW, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def delete_job(context: RequestContextDep, params: Annotated[JobName, Params(JobName)]) -> Response:
    """Delete a final job for good; any other must be cancelled first. Without this, final jobs are deleted after the
    server's retention time.
    """
    await context.do(context.services.store.delete(params.job_id, owner=context.caller.visible_owner))
    context.services.predictor.forget(params.job_id)
    return Response(status_code=204)
