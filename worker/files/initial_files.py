"""Reads what a job begins with that was made from other weights: its own copy of them, and of what they are fed."""

import hashlib
import io

import numpy as np

from jobs.errors import InitialWeightsUnavailable
from jobs.model_encoding import ModelEncoding
from jobs.record import Artifact, Job
from store.artifacts import Artifacts


def initial_weights(job: Job, artifacts: Artifacts) -> dict[str, np.ndarray] | None:
    """float32 arrays by name; None for a job whose weights are drawn. Raises InitialWeightsUnavailable."""
    if job.initial_weights is None:
        return None
    file = job.initial_weights.file
    with np.load(io.BytesIO(_content(job, file, artifacts)), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def initial_encoding(job: Job, artifacts: Artifacts) -> ModelEncoding | None:
    """What its network is fed; None where that is its dataset's own encoding. Raises InitialWeightsUnavailable."""
    if job.initial_weights is None or job.initial_weights.encoding is None:
        return None
    return ModelEncoding.model_validate_json(_content(job, job.initial_weights.encoding, artifacts))


def _content(job: Job, file: Artifact, artifacts: Artifacts) -> bytes:
    assert job.initial_weights
    try:
        content = artifacts.read(job.id, file.name)
    except OSError as error:
        raise _unavailable(job, f"cannot be read ({error.strerror or 'I/O error'})") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise _unavailable(job, "is damaged")
    return content


def _unavailable(job: Job, why: str) -> InitialWeightsUnavailable:
    assert job.initial_weights
    return InitialWeightsUnavailable(
        f"the job's copy of the weights of {job.initial_weights.source} {why}; submit it again"
    )
