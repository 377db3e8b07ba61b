"""Puts a model card together: the job's record, its curve, and the evaluation that its worker left."""

from collections.abc import Sequence

from api.http import kinds
from api.http.problems import Refused
from api.series import NAMES, Row, columns, thinned
from jobs.evaluation import Evaluation, ModelCard
from jobs.model_files import EVALUATION
from jobs.record import Artifact, Job
from jobs.states import Status

MOST_EPOCHS = 500
"""Epochs of a curve: more than a page has pixels for."""


def evaluation_of(job: Job) -> Artifact:
    """The file with a job's evaluation. Raises Refused where there is none."""
    if job.status is not Status.SUCCEEDED:
        raise Refused(kinds.NOT_EXPORTED, f"the job is {job.status}; its model has a card once it has succeeded")
    found = next((artifact for artifact in job.artifacts if artifact.name == EVALUATION), None)
    if found is None:
        raise Refused(kinds.NOT_EXPORTED, f"the job has left no {EVALUATION}, as older versions did: train it again")
    return found


def model_card(job: Job, epochs: Sequence[Row], evaluation: bytes) -> ModelCard:
    """The card. Raises ValueError for an evaluation that cannot be read."""
    shown = thinned(epochs, MOST_EPOCHS)
    names = [name for name in NAMES if any(row.get(name) is not None for row in shown)]
    return ModelCard(
        job_id=job.id,
        spec=job.spec.model_copy(update={"webhook": None}),  # cards are passed on, and its address is nobody's business
        choices=job.choices,
        run=job.run,
        attempt=job.attempt,
        metrics=job.metrics,
        curve=columns(job.id, shown, names, points=len(epochs)),
        evaluation=Evaluation.model_validate_json(evaluation, extra="ignore"),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )
