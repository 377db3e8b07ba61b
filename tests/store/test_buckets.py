"""Buckets: Python and Lua count a duration in the same one."""

import math

import redis

from store.buckets import BOUNDS_SECONDS, Histogram, lua_function


def test_a_duration_is_counted_in_the_first_bucket_that_holds_it(client: redis.Redis) -> None:
    source = f"{lua_function()}\nreturn bucket_of(tonumber(ARGV[1]))"
    for lower, bound in zip((0.0, *BOUNDS_SECONDS), (*BOUNDS_SECONDS, math.inf), strict=True):
        assert float(client.eval(source, 0, lower * 1.001 + 1e-6)) == bound
        if bound < math.inf:
            assert float(client.eval(source, 0, bound)) == bound


def test_buckets_rise_to_infinity_and_hold_all_that_is_shorter() -> None:
    histogram = Histogram.of({0.01: 2, 5.0: 1, math.inf: 3}, seconds=1e6)
    bounds = [bound for bound, _ in histogram.buckets]
    assert bounds == [*BOUNDS_SECONDS, math.inf]
    found = dict(histogram.buckets)
    assert [found[bound] for bound in (0.01, 2.5, 5.0, 86_400.0, math.inf)] == [2, 2, 3, 3, 6]


def test_counts_of_another_versions_buckets_are_not_lost() -> None:
    found = dict(Histogram.of({0.0123: 4, 1.0: 1}, seconds=1.0).buckets)
    assert [found[bound] for bound in (0.01, 0.0123, 0.025, 1.0, math.inf)] == [0, 4, 4, 5, 5]
