"""The state machine: its table, and that the scripts obey it."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import redis

from jobs.ids import new_job_id
from jobs.spec import Spec
from jobs.states import HELD, TERMINAL, TRANSITIONS, Status
from store.jobs import Store
from store.keys import Keys
from store.scripts import load

Do = Callable[[Any], Any]


def test_every_status_has_its_row() -> None:
    assert set(TRANSITIONS) == set(Status)


def test_nothing_follows_a_final_status() -> None:
    assert {status for status, onward in TRANSITIONS.items() if not onward} == TERMINAL


def test_every_status_can_be_reached_and_can_end() -> None:
    def reach(status: Status) -> set[Status]:
        found, new = {status}, {status}
        while new:
            new = {onward for one in new for onward in TRANSITIONS[one]} - found
            found |= new
        return found

    assert reach(Status.QUEUED) == set(Status)
    for status in Status:
        assert reach(status) & TERMINAL
    assert not HELD & TERMINAL


@pytest.mark.parametrize(("begin", "end"), list(itertools.product(Status, Status)))
def test_the_scripts_allow_what_the_table_allows(
    begin: Status, end: Status, client: redis.Redis, keys: Keys, store: Store, do: Do
) -> None:
    job_id = new_job_id()
    do(store.create(job_id, Spec(), steps=1))
    client.hset(keys.job(job_id), mapping={"status": begin, "claimed_at": "0"})
    source = load("pause").source.rsplit("-- Ask for a job", 1)[0]
    changed = client.eval(
        f"{source}\nreturn transition(ARGV[1], ARGV[2], '') and 1 or 0", 1, keys.namespace, job_id, end
    )
    assert bool(changed) == (end in TRANSITIONS[begin])
    assert client.hget(keys.job(job_id), "status") == (end if changed else begin)
