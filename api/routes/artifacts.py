"""`/v1/jobs/{job_id}/artifacts` and `/model`: the files that a job leaves."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from api.http import kinds
from api.http.context import RequestContext, RequestContextDep
from api.http.params import Params
from api.http.problems import Refused
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
from api.parameters.jobs import JobName
from api.parameters.models import ArtifactName, ModelFile
from api.predict.predictor import exported
from api.routes.datasets import stored_file
from api.schemas import ArtifactPage
from jobs.record import Artifact, Job

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["artifacts"], route_class=DirectRoute)


@router.get(
    "/artifacts",
    operation_id="list_job_artifacts",
    summary="List a job's files",
    response_model=ArtifactPage,
    responses={
        200: {"description": "The files that it has left; none before it has succeeded."},
        **refusals(kinds.JOB_NOT_FOUND, kinds.UNREADABLE_RECORD, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_job_artifacts(context: RequestContextDep, params: Annotated[JobName, Params(JobName)]) -> Response:
    """Say which files a job has left: `weights.npz`, its model in the formats of the spec's `export`, and
    `encoding.json`, which says what that is fed and what it tells.
    """
    artifacts = (await _job(context, params.job_id)).artifacts
    return to_json(to_page(ArtifactPage, artifacts, [artifact.name for artifact in artifacts]))


@router.get(
    "/artifacts/{name}",
    operation_id="get_job_artifact",
    summary="Download a file of a job",
    response_class=Response,
    responses={
        200: {
            "description": "The file.",
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
            kinds.JOB_NOT_FOUND,
            kinds.UNREADABLE_RECORD,
            kinds.ARTIFACT_NOT_FOUND,
            kinds.RANGE_NOT_SATISFIABLE,
            kinds.STORAGE_UNAVAILABLE,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def get_job_artifact(
    context: RequestContextDep, params: Annotated[ArtifactName, Params(ArtifactName)]
) -> Response:
    """Download a file that a job has left. Its `ETag` is its SHA-256."""
    job = await _job(context, params.job_id)
    found = next((artifact for artifact in job.artifacts if artifact.name == params.name), None)
    if found is None:
        raise Refused(kinds.ARTIFACT_NOT_FOUND, f"{job.id} has left no file {params.name!r}")
    return await _sent(context, job, found)


@router.get(
    "/model",
    operation_id="get_job_model",
    summary="Download a job's model",
    response_class=Response,
    responses={
        200: {
            "description": "The model in this format.",
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
            kinds.JOB_NOT_FOUND,
            kinds.UNREADABLE_RECORD,
            kinds.NOT_EXPORTED,
            kinds.RANGE_NOT_SATISFIABLE,
            kinds.STORAGE_UNAVAILABLE,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def get_job_model(context: RequestContextDep, params: Annotated[ModelFile, Params(ModelFile)]) -> Response:
    """Download the trained network by its format: the same file that is among the job's artifacts."""
    job = await _job(context, params.job_id)
    return await _sent(context, job, exported(job, params.query.format))


async def _job(context: RequestContext, job_id: str) -> Job:
    return await context.do(context.services.store.get(job_id, owner=context.caller.visible_owner))


async def _sent(context: RequestContext, job: Job, artifact: Artifact) -> Response:
    path = context.services.artifacts.path(job.id, artifact.name)
    return await stored_file(context.request, path, name=artifact.name, sha256=artifact.sha256)
