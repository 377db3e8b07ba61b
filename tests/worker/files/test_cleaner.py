"""Files of deleted jobs are deleted, those of others are not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from jobs.ids import new_job_id
from jobs.spec import Spec
from store.artifacts import LocalArtifacts
from store.jobs import Store
from worker.files.cleaner import Cleaner

Do = Callable[[Any], Any]


@pytest.fixture
def jobs(store: Store, do: Do, tmp_path: Path) -> list[str]:
    """Two final jobs with a file each, the first one deleted."""
    ids = [new_job_id(), new_job_id()]
    for job_id in ids:
        do(store.create(job_id, Spec(), steps=1))
        do(store.cancel(job_id))
        LocalArtifacts(tmp_path).write(job_id, "weights.npz", b"bytes")
    do(store.delete(ids[0]))
    return ids


def test_the_files_of_a_deleted_job_go(
    jobs: list[str], client: redis.Redis, store: Store, do: Do, tmp_path: Path
) -> None:
    cleaner = Cleaner(client=client, store=store, artifacts=LocalArtifacts(tmp_path))
    cleaner.clean()
    assert [path.name for path in tmp_path.iterdir()] == [jobs[1]]
    assert do(store.trash()) == ()
    cleaner.clean()


def test_a_job_without_files_is_done_with(client: redis.Redis, jobs: list[str], store: Store, tmp_path: Path) -> None:
    Cleaner(client=client, store=store, artifacts=LocalArtifacts(tmp_path / "elsewhere")).clean()
    assert client.scard(store.keys.trash) == 0


def test_files_that_cannot_be_deleted_are_tried_again(
    jobs: list[str], client: redis.Redis, store: Store, do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: LocalArtifacts, job_id: str) -> None:
        raise OSError("busy")

    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifacts, "remove", refuse)
        Cleaner(client=client, store=store, artifacts=LocalArtifacts(tmp_path)).clean()
    assert do(store.trash()) == (jobs[0],)
    Cleaner(client=client, store=store, artifacts=LocalArtifacts(tmp_path)).clean()
    assert do(store.trash()) == ()
