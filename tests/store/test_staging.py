"""Files that are there before their job: they become its own, or go."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from jobs.errors import StoreUnavailable
from jobs.ids import new_job_id
from jobs.record import Artifact, InitialWeights
from jobs.spec import Spec
from store import jobs
from store.jobs import Store
from store.keys import Keys

Do = Callable[[Any], Any]
TAKEN = InitialWeights(
    source="weights:mine", sha256="aa", file=Artifact(name="initial_weights.npz", size_bytes=3, sha256="bb")
)


def sweep(store: Store, do: Do) -> None:
    do(store.upkeep(every_seconds=0))


def test_a_job_is_told_with_what_it_begins(store: Store, do: Do) -> None:
    job_id = new_job_id()
    do(store.stage(job_id))
    first = do(store.create(job_id, Spec(), steps=1, initial_weights=TAKEN, idempotency_key="k", digest="a:1"))
    assert first.job.initial_weights == TAKEN
    assert do(store.get(job_id)).initial_weights == TAKEN
    again = do(store.create(new_job_id(), Spec(), steps=1, idempotency_key="k", digest="a:1"))
    assert again.job.initial_weights == TAKEN
    assert do(store.answered("k", owner="", digest="a:1")).job == again.job


def test_files_of_a_job_that_was_created_stay(store: Store, do: Do, client: redis.Redis, keys: Keys) -> None:
    job_id = new_job_id()
    do(store.stage(job_id))
    do(store.create(job_id, Spec(), steps=1, initial_weights=TAKEN))
    do(store.unstage(job_id))  # by a writer that does not know
    sweep(store, do)
    assert do(store.trash()) == ()
    assert client.zcard(keys.staged) == 0


def test_files_of_a_writer_that_was_killed_go(store: Store, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, lapsed = new_job_id(), new_job_id()
    do(store.stage(waiting))
    monkeypatch.setattr(jobs, "STAGED_SECONDS", 0)
    do(store.stage(lapsed))
    sweep(store, do)
    assert do(store.trash()) == (lapsed,)


def test_no_job_comes_after_its_files_were_given_up(store: Store, do: Do) -> None:
    job_id = new_job_id()
    do(store.stage(job_id))
    do(store.unstage(job_id))
    assert do(store.trash()) == (job_id,)
    with pytest.raises(StoreUnavailable, match="nothing was created"):
        do(store.create(job_id, Spec(), steps=1, initial_weights=TAKEN))
    assert do(store.list(jobs.Filters())).jobs == ()
