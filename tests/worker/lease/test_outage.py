"""A store that is away is told of when that begins and when it ends."""

import ssl

from redis import exceptions
from structlog.testing import capture_logs

from jobs.errors import StoreUnavailable
from worker.lease.outage import Outage

FULL = "the store takes no writes: its memory is full (maxmemory)"


def test_it_is_told_of_once() -> None:
    outage = Outage(job_id="job_1")
    with capture_logs() as logs:
        outage.over()
        for _ in range(3):
            outage.met(StoreUnavailable(FULL))
            outage.met(exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."))
        for _ in range(3):
            outage.over()
    about = {"job_id": "job_1"}
    assert logs == [
        {"event": "store_away", "log_level": "warning", "error": FULL, **about},
        {"event": "store_back", "log_level": "info", **about},
    ]


def test_another_reason_is_told_of_too() -> None:
    outage = Outage()
    expired = ssl.SSLCertVerificationError()
    expired.verify_code, expired.verify_message = 10, "certificate has expired"
    refused = exceptions.ConnectionError("Error 1 connecting to h:1.")
    refused.__context__ = expired
    with capture_logs() as logs:
        outage.met(exceptions.ConnectionError("Error 111 connecting to h:1. Connection refused."))
        outage.met(refused)
    assert [entry["error"] for entry in logs] == [
        "the store cannot be reached: Error 111 connecting to h:1. Connection refused.",
        "the store cannot be reached: its certificate has expired (certificate has expired). Nothing was sent to it",
    ]
