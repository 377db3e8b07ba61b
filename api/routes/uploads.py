"""`PUT /v1/datasets/{name}`: an upload becomes a version. `/v1/uploads`: what becomes of one that takes long."""

import asyncio
import secrets
from typing import Annotated, Any

import structlog
from fastapi import APIRouter
from starlette.responses import Response

from api.http import kinds
from api.http.body import check_upload
from api.http.context import RequestContext, RequestContextDep
from api.http.exception_handlers import kind_of
from api.http.params import Params
from api.http.problems import Refused, body_of
from api.http.responses import (
    LOCATION,
    refusals,
    to_json,
)
from api.http.route import DirectRoute
from api.openapi import examples
from api.parameters.datasets import (
    DatasetUpload,
    UploadName,
)
from jobs.dataset_versions import DatasetVersion
from jobs.errors import GradientdError, StoreUnavailable
from jobs.faults import Faulty
from jobs.wire import Dataset, Problem, Upload
from store.datasets import Published

WAIT_SECONDS = 30.0
"""How long an upload's request waits for the check; one that takes longer is answered by where to look."""
NOTE_SECONDS = 5.0
"""How often it is noted that an upload is still being checked."""
SILENCE_SECONDS = 60.0
"""How long such a note lasts: an upload whose process was killed is forgotten."""
OUTCOME_SECONDS = 3600.0
"""How long it is kept what became of an upload."""
BUSY_SECONDS = 5

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["datasets"], route_class=DirectRoute)


@router.put(
    "/datasets/{name}",
    operation_id="upload_dataset",
    summary="Upload a dataset",
    status_code=201,
    response_model=Dataset,
    openapi_extra={"requestBody": examples.UPLOAD_BODY},
    responses={
        200: {
            "description": "The newest version, which these bytes are already; or with `dry_run` what it would be.",
            "model": Dataset,
        },
        201: {"description": "The new version.", "headers": LOCATION},
        202: {
            "model": Upload,
            "description": "The upload is there whole, and checking it takes a while. `Location` says what becomes of "
            "it.",
            "headers": LOCATION,
        },
        **refusals(
            kinds.INVALID_DATASET_NAME,
            kinds.INVALID_UPLOAD,
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
async def upload_dataset(
    context: RequestContextDep, params: Annotated[DatasetUpload, Params(DatasetUpload)]
) -> Response:
    """Send a table as a CSV (commas, semicolons or tabs; gzip or not), pictures in folders named as their classes (zip,
    tar or tar.gz), or arrays (NumPy's .npz, or an archive of IDX files): the body is the file, and its bytes say which.
    It becomes a version that never changes, which jobs name as `name@version`, or by its name alone while it is the
    newest.

    An upload with faults is refused, and the problem names each; nothing of it is kept. The same upload again is no new
    version, so a retry is safe.
    """
    services, owner = context.services, context.caller.owner
    intake = services.intake
    declared = check_upload(context.request.headers)
    services.check_data_dir()
    if intake.is_full:
        raise too_many("this server takes no more uploads at the moment")
    taken = await intake.receive(owner, context.request.stream(), room=context.room, declared_bytes=declared)
    shares: list[float] = []
    options, dry_run = params.query.options, params.query.dry_run
    work = intake.finish(taken, params.name, options, dry_run=dry_run, progress=shares.append)
    task = intake.start(work)
    await asyncio.wait({task}, timeout=WAIT_SECONDS)
    if not task.done():
        return await _followed(context, task, shares)
    if task.cancelled():
        raise too_many("this server is about to stop; nothing of the upload was kept")
    published = task.result()
    shown = Dataset.of_version(published.version)
    if params.query.dry_run or not published.created:
        return to_json(shown)
    log.info("dataset_uploaded", dataset=shown.id, owner=owner, examples=shown.train_examples + shown.test_examples)
    return to_json(shown, status=201, headers={"location": _address(published.version)})


def too_many(detail: str) -> Refused:
    """The error for an upload that may come again in a while."""
    return Refused(kinds.TOO_MANY_UPLOADS, detail, headers={"retry-after": str(BUSY_SECONDS), "connection": "close"})


async def _followed(context: RequestContext, task: asyncio.Task[Published], shares: list[float]) -> Response:
    """The answer for an upload that is still being checked: where to ask for it from now on."""
    upload = Upload(id=f"up_{secrets.token_hex(16)}", status="checking")
    await _note(context, upload, SILENCE_SECONDS)
    context.services.intake.start(_follow(context, upload, task, shares))
    return to_json(upload, status=202, headers={"location": f"/v1/uploads/{upload.id}"})


async def _follow(context: RequestContext, upload: Upload, task: asyncio.Task[Published], shares: list[float]) -> None:
    """Note what becomes of an upload, until that is known; `shares` of it are checked, the last one most lately."""
    while not task.done():
        await asyncio.wait({task}, timeout=NOTE_SECONDS)
        if not task.done():
            known = upload.model_copy(update={"progress": shares[-1]}) if shares else upload
            await _note(context, known, SILENCE_SECONDS)
    changes: dict[str, Any] = {"status": "refused"}
    try:
        changes = {"status": "ready", "progress": 1.0, "dataset": Dataset.of_version(task.result().version)}
    except asyncio.CancelledError:
        return  # the process is about to stop, and the note lapses
    except GradientdError as error:
        faults = error if isinstance(error, Faulty) else None
        body = body_of(context.request.scope, kind_of(error), str(error), faults=faults)
        changes["problem"] = Problem.model_validate(body)
    await _note(context, upload.model_copy(update=changes), OUTCOME_SECONDS)


async def _note(context: RequestContext, upload: Upload, lifetime_seconds: float) -> None:
    services, note = context.services, upload.model_dump_json()
    try:
        await services.do(
            services.datasets.note_upload(context.caller.owner, upload.id, note, lifetime_seconds=lifetime_seconds)
        )
    except StoreUnavailable as error:
        log.warning("upload_not_noted", upload=upload.id, error=str(error))


@router.get(
    "/uploads/{upload_id}",
    operation_id="get_upload",
    summary="See what becomes of an upload",
    response_model=Upload,
    responses={
        200: {"description": "The upload; `checking` until it is a version or refused."},
        **refusals(kinds.UPLOAD_NOT_FOUND, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def get_upload(context: RequestContextDep, params: Annotated[UploadName, Params(UploadName)]) -> Response:
    """Read what became of an upload whose check took longer than its request waited. It is told for an hour."""
    note = await context.do(context.services.datasets.upload(context.caller.owner, params.upload_id))
    if note is None:
        raise Refused(kinds.UPLOAD_NOT_FOUND, f"no upload {params.upload_id!r} is known here, or not any more")
    return Response(note, media_type="application/json")


def _address(version: DatasetVersion) -> str:
    """Where a version can be read."""
    return f"/v1/datasets/{version.name}/versions/{version.version}"
