"""`/v1/jobs/{job_id}/artifacts`, `/model` and `/card`: the files that a job leaves, and what they say of its model."""

import asyncio
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from api.cards.card import evaluation_of, model_card
from api.cards.page import card_page, design, policy
from api.http import kinds
from api.http.conditional import matches
from api.http.context import RequestContext, RequestContextDep
from api.http.params import Params
from api.http.problems import Refused
from api.http.responses import (
    ACCEPT_RANGES,
    CARD_ETAG,
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
from api.parameters.models import ArtifactName, CardOf, ModelFile
from api.predict.predictor import exported
from api.routes.datasets import stored_file
from api.schemas import ArtifactPage
from api.series import Row
from jobs.dataset_versions import StorageUnavailable
from jobs.evaluation import ModelCard
from jobs.record import Artifact, Job

VERSION = version("gradientd")
"""A card's JSON may tell more in the next one."""

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


@router.get(
    "/card",
    operation_id="get_model_card",
    summary="Read a model's card",
    response_model=ModelCard,
    responses={
        200: {
            "description": "The card, or a page of it that needs no network.",
            "headers": CARD_ETAG,
            "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}},
        },
        304: {"description": "The card is what `If-None-Match` knows.", "headers": CARD_ETAG},
        **refusals(
            kinds.JOB_NOT_FOUND,
            kinds.UNREADABLE_RECORD,
            kinds.NOT_EXPORTED,
            kinds.NOT_ACCEPTABLE,
            kinds.STORAGE_UNAVAILABLE,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def get_model_card(context: RequestContextDep, params: Annotated[CardOf, Params(CardOf)]) -> Response:
    """Read what is to be known of a trained model: its data and their report, spec and choices, environment, curves;
    and by the test examples the confusion matrix, scores of each class and calibration, or the residuals of each
    target, with the examples where it is most wrong. `Accept: text/html` gives a page that draws it all, to be kept or
    sent on.
    """
    job = await _job(context, params.job_id)
    found = evaluation_of(job)
    is_page = params.form == "text/html"
    tag = f'"{found.sha256[:32]}.{job.revision}.{design() if is_page else VERSION}"'
    headers = {"etag": tag, "vary": "Accept", "cache-control": "private, no-cache"}
    if is_page:
        # What strangers named is in it: it does not have this origin, and so none of its rights. A 304 says so as well,
        # since a browser puts its headers in the place of those that it keeps.
        headers["content-security-policy"] = f"sandbox allow-scripts; {policy()}; frame-ancestors 'none'"
    if matches(params.if_none_match, tag):
        return Response(status_code=304, headers=headers)
    history = context.services.store.history
    epochs = await context.do(history.metrics(job.id, owner=context.caller.visible_owner))
    body = await asyncio.to_thread(_card, context, job, found, epochs, is_page=is_page)
    return Response(body, headers=headers, media_type=params.form)


def _card(context: RequestContext, job: Job, found: Artifact, epochs: Sequence[Row], *, is_page: bool) -> bytes:
    try:
        evaluation = context.services.artifacts.read(job.id, found.name)
    except OSError as error:
        raise StorageUnavailable(f"the file cannot be read: {error.strerror or error}") from error
    try:
        card = model_card(job, epochs, evaluation)
    except ValueError as error:
        raise StorageUnavailable(f"{found.name} is damaged") from error
    return card_page(card) if is_page else card.model_dump_json().encode()


async def _job(context: RequestContext, job_id: str) -> Job:
    return (await context.job(job_id)).job


async def _sent(context: RequestContext, job: Job, artifact: Artifact) -> Response:
    path = context.services.artifacts.path(job.id, artifact.name)
    return await stored_file(context.request, path, name=artifact.name, sha256=artifact.sha256)
