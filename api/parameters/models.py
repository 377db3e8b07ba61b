"""What operations on a job's files and its model take beside their bodies.

Fields of a dataclass are read in their order, so the first that cannot be is the one that is refused.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from api.http import kinds
from api.http.headers import (
    Accept,
    IfNoneMatch,
    IfRange,
    Range,
    idempotency_header,
)
from api.http.params import JobId, Segment
from api.http.problems import Refused, shortened
from api.http.query import Query
from jobs.model_files import ARTIFACT, ModelForm


def _artifact_name(text: str) -> str:
    if not ARTIFACT.fullmatch(text):
        raise Refused(kinds.ARTIFACT_NOT_FOUND, f"the job has left no file {shortened(text, 100)!r}")
    return text


@dataclass(frozen=True, slots=True)
class ArtifactName:
    """Which file of which job, and which part of it."""

    query: Query
    if_none_match: IfNoneMatch
    byte_range: Range
    if_range: IfRange
    job_id: JobId
    name: Annotated[
        str, Segment("name", _artifact_name, "The file's `name`.", "model.onnx", {"pattern": f"^{ARTIFACT.pattern}$"})
    ]


class ModelQuery(Query):
    """In which format."""

    format: Annotated[
        ModelForm,
        Field(description="Which of the formats that the job left its model in.", examples=["onnx"]),
    ] = "onnx"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The model of which job, in which format, and which part of the file."""

    query: ModelQuery
    if_none_match: IfNoneMatch
    byte_range: Range
    if_range: IfRange
    job_id: JobId


@dataclass(frozen=True, slots=True)
class CardOf:
    """The card of which job's model, and in which form."""

    query: Query
    if_none_match: IfNoneMatch
    form: Annotated[str, Accept(("application/json", "text/html"))]
    job_id: JobId


@dataclass(frozen=True, slots=True)
class Prediction:
    """By the model of which job."""

    query: Query
    idempotency_key: Annotated[
        str, idempotency_header("Accepted as everywhere, and not needed: a prediction changes nothing.")
    ]
    form: Annotated[str, Accept(("application/json", "text/csv"))]
    job_id: JobId
