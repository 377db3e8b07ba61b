"""What a worker says of a broker that is away."""

import logging

import pytest
from celery.worker.consumer import connection, consumer
from structlog.testing import capture_logs

from worker.broker_log import BrokerLog

CANNOT_CONNECT: str = vars(consumer)["CONNECTION_ERROR"]
"""Celery's own, so that another version's other words are noticed."""


def said_by(logger: str, message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(logger, logging.ERROR, __file__, 1, message, arguments, None)


def test_attempts_to_connect_are_told_of_once_and_without_the_password() -> None:
    log = BrokerLog()
    refused = OSError("Connection refused")
    attempt = ("rediss://:**@h:1/0", refused, "Trying again in 2.00 seconds... (1/None)")
    failed = said_by(consumer.__name__, CANNOT_CONNECT, *attempt)
    connected = said_by(connection.__name__, "Connected to %s", "rediss://:**@h:1/0")
    with capture_logs() as logs:
        assert [log.filter(failed) for _ in range(3)] == [False] * 3
        assert log.filter(connected)
        assert not log.filter(failed)
    away = {
        "event": "store_away",
        "log_level": "warning",
        "error": "the store cannot be reached: Connection refused",
    }
    assert logs == [away, {"event": "store_back", "log_level": "info"}, away]


def test_other_words_of_celerys_are_let_through() -> None:
    assert BrokerLog().filter(said_by(consumer.__name__, "consumer: Connection to broker lost."))


def test_it_stands_before_celerys_own_words(caplog: pytest.LogCaptureFixture) -> None:
    log = BrokerLog()
    log.install()
    try:
        logging.getLogger(consumer.__name__).error(
            CANNOT_CONNECT, "rediss://:**@h:1/0", OSError("away"), "Trying again"
        )
    finally:
        for name in (consumer.__name__, connection.__name__):
            logging.getLogger(name).removeFilter(log)
    assert not [record for record in caplog.records if record.name == consumer.__name__]
