"""What a job begins with is its own copy, checked when it is read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.datasets import find
from jobs.errors import InitialWeightsUnavailable
from jobs.ids import new_job_id
from jobs.model_encoding import ModelEncoding
from jobs.record import InitialWeights, Job
from jobs.spec import Spec
from jobs.states import Reason
from store.artifacts import LocalArtifacts
from store.jobs import Store
from store.npz import npz_parts
from worker.files.initial_files import initial_encoding, initial_weights

WEIGHTS = {"output/kernel": np.arange(6, dtype=np.float32).reshape(3, 2), "output/bias": np.ones(2, np.float32)}


@pytest.fixture
def job(store: Store, do: Any, tmp_path: Path) -> Job:
    """One with weights and an encoding to begin with."""
    artifacts, job_id = LocalArtifacts(tmp_path), new_job_id()
    told = ModelEncoding.of(find("mnist-10k")).model_dump_json().encode()
    taken = InitialWeights(
        source="weights:mine",
        sha256="aa",
        file=artifacts.write(job_id, "initial_weights.npz", npz_parts(WEIGHTS.items())),
        encoding=artifacts.write(job_id, "initial_encoding.json", told),
    )
    do(store.stage(job_id))
    return do(store.create(job_id, Spec(), steps=1, initial_weights=taken)).job


def test_weights_and_encoding_are_read(job: Job, tmp_path: Path) -> None:
    found = initial_weights(job, LocalArtifacts(tmp_path))
    assert found
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in WEIGHTS.items()
    }
    assert initial_encoding(job, LocalArtifacts(tmp_path)) == ModelEncoding.of(find("mnist-10k"))


def test_a_job_without_has_none(store: Store, do: Any, tmp_path: Path) -> None:
    job = do(store.create(new_job_id(), Spec(), steps=1)).job
    assert initial_weights(job, LocalArtifacts(tmp_path)) is None
    assert initial_encoding(job, LocalArtifacts(tmp_path)) is None


@pytest.mark.parametrize("name", ["initial_weights.npz", "initial_encoding.json"])
@pytest.mark.parametrize("damage", ["missing", "other"])
def test_what_is_damaged_or_gone_fails_with_what_to_do(job: Job, tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / job.id / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"x")
    read = initial_weights if name.endswith(".npz") else initial_encoding
    with pytest.raises(InitialWeightsUnavailable, match=r"weights of weights:mine .*; submit it again") as failed:
        read(job, LocalArtifacts(tmp_path))
    assert Reason(failed.value.code) is Reason.INITIAL_WEIGHTS_UNAVAILABLE
