"""Ids: of the published form, growing, and without repetition."""

import time

import pytest

from jobs.ids import PATTERN, IdSource, new_job_id


def test_ids_have_the_published_form() -> None:
    assert PATTERN.fullmatch(new_job_id())


def test_ids_of_one_process_sort_by_creation() -> None:
    made = [new_job_id() for _ in range(20_000)]  # many within each millisecond
    assert made == sorted(set(made))


def test_ids_grow_over_a_clock_that_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source = IdSource()
    first = source()
    hour_ago = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: hour_ago)
    assert source() > first


def test_two_sources_do_not_give_the_same_ids() -> None:
    one, other = IdSource(), IdSource()
    assert not {one() for _ in range(1000)} & {other() for _ in range(1000)}
