"""The count of requests: by what, in which buckets, and bounded whatever is sent."""

import math
from types import SimpleNamespace
from typing import Any

from api.telemetry.traffic import BOUNDS_SECONDS, Traffic

JOB: Any = SimpleNamespace(path_format="/v1/jobs/{job_id}")


def test_requests_are_counted_by_route_method_and_class_of_status() -> None:
    traffic = Traffic()
    for method, status in (("GET", 200), ("GET", 304), ("GET", 200), ("GET", 404), ("DELETE", 204), ("GET", 0)):
        traffic.note(JOB, method=method, status=status, seconds=0.001)
    traffic.note(None, method="GET", status=404, seconds=0.001)
    assert traffic.requests() == {
        ("/v1/jobs/{job_id}", "GET", "2xx"): 2,
        ("/v1/jobs/{job_id}", "GET", "3xx"): 1,
        ("/v1/jobs/{job_id}", "GET", "4xx"): 1,
        ("/v1/jobs/{job_id}", "GET", "none"): 1,
        ("/v1/jobs/{job_id}", "DELETE", "2xx"): 1,
        ("other", "GET", "4xx"): 1,
    }


def test_durations_are_those_of_all_statuses() -> None:
    traffic = Traffic()
    for status, seconds in ((200, 0.0002), (200, 0.001), (404, 0.0011), (200, 61.0)):
        traffic.note(JOB, method="GET", status=status, seconds=seconds)
    ((kind, histogram),) = traffic.durations().items()
    assert kind == ("/v1/jobs/{job_id}", "GET")
    found = dict(histogram.buckets)
    assert list(found) == [*BOUNDS_SECONDS, math.inf]
    assert [found[bound] for bound in (0.0005, 0.001, 0.0025, 60.0, math.inf)] == [1, 2, 3, 3, 4]
    assert math.isclose(histogram.seconds, 61.0023)


def test_methods_that_somebody_makes_up_are_one() -> None:
    traffic = Traffic()
    for n in range(1000):
        traffic.note(None, method=f"M{n}", status=405, seconds=0.0)
    assert traffic.requests() == {("other", "other", "4xx"): 1000}
