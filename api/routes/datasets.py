"""`/v1/datasets`: list, read, look into, take back, delete."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http import kinds
from api.http.context import RequestContext, RequestContextDep
from api.http.files import file_response
from api.http.params import Params
from api.http.responses import (
    ACCEPT_RANGES,
    CONTENT_DISPOSITION,
    CONTENT_RANGE,
    FILE_ETAG,
    refusals,
    to_json,
    to_page,
)
from api.http.route import DirectRoute
from api.openapi import examples
from api.parameters.datasets import (
    DatasetContent,
    DatasetListQuery,
    DatasetNamed,
    DatasetPreview,
    DatasetVersionNamed,
)
from api.schemas import DatasetPage, Preview
from api.uploads.encode import PREVIEW
from api.uploads.grid import cropped, grid_name
from jobs.dataset_versions import DatasetNotFound, DatasetRef, DatasetVersion, StorageUnavailable
from jobs.datasets import CATALOGUE
from jobs.wire import Dataset
from store import checked_files

router = APIRouter(prefix="/v1", tags=["datasets"], route_class=DirectRoute)


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
