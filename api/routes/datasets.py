"""`/v1/datasets`: upload, list, read, look into, take back, delete. `/v1/uploads`: what becomes of an upload."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http import kinds
from api.http.body import check_upload
from api.http.context import RequestContext, RequestContextDep
from api.http.exception_handlers import kind_of
from api.http.files import file_response
from api.http.params import Params
from api.http.problems import Refused, body_of
from api.http.responses import (
    ACCEPT_RANGES,
    CONTENT_DISPOSITION,
    CONTENT_RANGE,
    FILE_ETAG,
    LOCATION,
    refusals,
    to_json,
    to_page,
)
from api.http.route import DirectRoute
from api.openapi import examples
from api.parameters import (
    DatasetContent,
    DatasetListQuery,
    DatasetNamed,
    DatasetPreview,
    DatasetUpload,
    DatasetVersionNamed,
    UploadName,
)
from api.schemas import DatasetPage, Preview
from api.uploads.encode import PREVIEW
from api.uploads.grid import cropped, grid_name
from jobs.dataset_versions import DatasetNotFound, DatasetRef, DatasetVersion, StorageUnavailable
from jobs.datasets import CATALOGUE
from jobs.errors import GradientdError, StoreUnavailable
from jobs.faults import Faulty
from jobs.wire import Dataset, Problem, Upload
from store import checked_files
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
        detail = "this server takes no more uploads at the moment"
        raise Refused(kinds.TOO_MANY_UPLOADS, detail, headers={"retry-after": str(BUSY_SECONDS), "connection": "close"})
    taken = await intake.receive(owner, context.request.stream(), room=context.room, declared_bytes=declared)
    shares: list[float] = []
    options, dry_run = params.query.options, params.query.dry_run
    work = intake.finish(taken, params.name, options, dry_run=dry_run, progress=shares.append)
    task = intake.start(work)
    await asyncio.wait({task}, timeout=WAIT_SECONDS)
    if not task.done():
        return await _followed(context, task, shares)
    if task.cancelled():
        detail = "this server is about to stop; nothing of the upload was kept"
        raise Refused(kinds.TOO_MANY_UPLOADS, detail, headers={"retry-after": str(BUSY_SECONDS), "connection": "close"})
    published = task.result()
    shown = Dataset.of_version(published.version)
    if params.query.dry_run or not published.created:
        return to_json(shown)
    log.info("dataset_uploaded", dataset=shown.id, owner=owner, examples=shown.train_examples + shown.test_examples)
    return to_json(shown, status=201, headers={"location": _address(published.version)})


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


@router.get(
    "/datasets",
    operation_id="list_datasets",
    summary="List datasets",
    response_model=DatasetPage,
    responses={
        200: {
            "description": "The newest version of each of your datasets, by name, and on the first page the built-in "
            "ones before them."
        },
        **refusals(kinds.INVALID_CURSOR, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_datasets(
    context: RequestContextDep, query: Annotated[DatasetListQuery, Params(DatasetListQuery)]
) -> Response:
    """Say which datasets a spec's `dataset` can name. Columns and reports are left out."""
    page = await context.do(context.services.datasets.list(context.caller.owner, after=query.after, limit=query.limit))
    shown = [] if query.after else [Dataset.of(info) for info in CATALOGUE.values()]
    shown += [Dataset.of_version(version, brief=True) for version in page.versions]
    return to_json(to_page(DatasetPage, shown, [dataset.name for dataset in shown], has_more=page.has_more))


@router.get(
    "/datasets/{name}",
    operation_id="get_dataset",
    summary="Read a dataset",
    response_model=Dataset,
    responses={
        200: {"description": "Its newest version."},
        **refusals(kinds.DATASET_NOT_FOUND, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def get_dataset(context: RequestContextDep, params: Annotated[DatasetNamed, Params(DatasetNamed)]) -> Response:
    """Tell all of a dataset's newest version: how its columns are encoded, and what its check has seen."""
    if params.name in CATALOGUE:
        return to_json(Dataset.of(CATALOGUE[params.name]))
    return to_json(Dataset.of_version(await _version(context, params.ref)))


@router.get(
    "/datasets/{name}/versions",
    operation_id="list_dataset_versions",
    summary="List a dataset's versions",
    response_model=DatasetPage,
    responses={
        200: {"description": "All its versions, the oldest first."},
        **refusals(kinds.DATASET_NOT_FOUND, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_dataset_versions(
    context: RequestContextDep, params: Annotated[DatasetNamed, Params(DatasetNamed)]
) -> Response:
    """Say which versions there are. Columns and reports are left out."""
    versions = await context.do(context.services.datasets.versions(context.caller.owner, params.name))
    shown = [Dataset.of_version(version, brief=True) for version in versions]
    return to_json(to_page(DatasetPage, shown, [dataset.id for dataset in shown]))


@router.get(
    "/datasets/{name}/versions/{version}",
    operation_id="get_dataset_version",
    summary="Read a version of a dataset",
    response_model=Dataset,
    responses={
        200: {"description": "The version."},
        **refusals(kinds.DATASET_NOT_FOUND, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def get_dataset_version(
    context: RequestContextDep, params: Annotated[DatasetVersionNamed, Params(DatasetVersionNamed)]
) -> Response:
    """Tell all of a version: how its columns are encoded, and what its check has seen."""
    return to_json(Dataset.of_version(await _version(context, params.ref)))


@router.get(
    "/datasets/{name}/preview",
    operation_id="preview_dataset",
    summary="Look into a dataset",
    response_model=Preview,
    responses={
        200: {
            "description": "Examples, as a prediction takes them, with what is to be told of them.",
            "content": examples.PICTURES,
        },
        **refusals(
            kinds.DATASET_NOT_FOUND, kinds.STORAGE_UNAVAILABLE, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE
        ),
    },
)
async def preview_dataset(
    context: RequestContextDep, params: Annotated[DatasetPreview, Params(DatasetPreview)]
) -> Response:
    """Show the first examples of a part, in the order in which they are kept: rows and arrays as JSON, pictures as a
    PNG. Columns with too many or too long texts to be learnt from are left out.
    """
    version = await _version(context, params.ref)
    query = params.query
    if query.split == "val" and not version.validation_examples:
        raise DatasetNotFound(f"{version.ref} has no examples that were brought to validate on")
    are_pictures = version.kind == "images"
    name = grid_name(query.split) if are_pictures else PREVIEW
    try:
        content = await asyncio.to_thread(context.services.dataset_files.read_bytes, version.folder, name)
    except (OSError, checked_files.Damaged) as error:
        raise StorageUnavailable(f"the files of {version.ref} cannot be read: {error}") from error
    if are_pictures:
        grid = await asyncio.to_thread(cropped, content, examples=query.limit)
        return Response(grid, media_type="image/png")
    rows = json.loads(content)[query.split][: query.limit]
    return to_json(Preview(dataset=str(version.ref), split=query.split, data=tuple(rows)))


@router.get(
    "/datasets/{name}/content",
    operation_id="get_dataset_content",
    summary="Take an upload back",
    response_class=Response,
    responses={
        200: {
            "description": "The file as it came.",
            "headers": FILE_ETAG | ACCEPT_RANGES | CONTENT_DISPOSITION,
            "content": examples.FILE,
        },
        206: {
            "description": "The part asked for, or several.",
            "headers": FILE_ETAG | CONTENT_RANGE,
            "content": examples.PARTS,
        },
        304: {"description": "The file is what `If-None-Match` knows.", "headers": FILE_ETAG},
        **refusals(
            kinds.DATASET_NOT_FOUND,
            kinds.RANGE_NOT_SATISFIABLE,
            kinds.STORAGE_UNAVAILABLE,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def get_dataset_content(
    context: RequestContextDep, params: Annotated[DatasetContent, Params(DatasetContent)]
) -> Response:
    """Download the upload of a version, byte for byte."""
    version = await _version(context, params.ref)
    path = context.services.dataset_files.upload(version.folder)
    return await stored_file(context.request, path, name=f"{version.name}-{version.version}", sha256=version.sha256)


@router.delete(
    "/datasets/{name}",
    operation_id="delete_dataset",
    summary="Delete a dataset",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "All versions are deleted, with their files."},
        **refusals(kinds.DATASET_NOT_FOUND, kinds.DATASET_IN_USE, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def delete_dataset(context: RequestContextDep, params: Annotated[DatasetNamed, Params(DatasetNamed)]) -> Response:
    """Delete a dataset for good, unless a job that has not ended needs one of its versions. Models that were trained on
    it stay whole. Its version numbers are never used again.
    """
    _check_uploaded(params.ref)
    await context.services.intake.delete(context.caller.owner, params.ref)
    return Response(status_code=204)


@router.delete(
    "/datasets/{name}/versions/{version}",
    operation_id="delete_dataset_version",
    summary="Delete a version of a dataset",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "The version is deleted, with its files."},
        **refusals(kinds.DATASET_NOT_FOUND, kinds.DATASET_IN_USE, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def delete_dataset_version(
    context: RequestContextDep, params: Annotated[DatasetVersionNamed, Params(DatasetVersionNamed)]
) -> Response:
    """Delete a version for good, unless a job that has not ended needs it."""
    await context.services.intake.delete(context.caller.owner, params.ref)
    return Response(status_code=204)


async def stored_file(request: Request, path: Path, *, name: str, sha256: str) -> Response:
    """A file of the data directory as an answer. Raises Refused and StorageUnavailable."""
    try:
        return await file_response(request, path, name=name, sha256=sha256)
    except OSError as error:
        raise StorageUnavailable(f"the file cannot be read: {error.strerror or error}") from error


def _check_uploaded(ref: DatasetRef) -> None:
    if ref.name in CATALOGUE:
        raise DatasetNotFound(f"{ref.name} is built in: it has neither versions nor an upload")


async def _version(context: RequestContext, ref: DatasetRef) -> DatasetVersion:
    _check_uploaded(ref)
    return await context.do(context.services.datasets.get(context.caller.owner, ref))


def _address(version: DatasetVersion) -> str:
    return f"/v1/datasets/{version.name}/versions/{version.version}"
