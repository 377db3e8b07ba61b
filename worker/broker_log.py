"""Celery's words about a broker that is away: once an outage and as a sentence, not at each attempt to connect."""

import logging

from celery.worker.consumer import connection, consumer

from jobs.errors import StoreUnavailable
from store.tls import explained
from worker.lease.outage import Outage


class BrokerLog(logging.Filter):
    """Takes from Celery's loggers what they say of attempts to connect, and tells it itself."""

    def __init__(self) -> None:
        super().__init__()
        self._outage = Outage()

    def install(self) -> None:
        """Begin."""
        for module in (connection, consumer):
            logging.getLogger(module.__name__).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether Celery's own words are let through."""
        if record.name == connection.__name__ and str(record.msg).startswith("Connected to"):
            self._outage.over()
        if not str(record.msg).startswith("consumer: Cannot connect to %s: %s") or not isinstance(record.args, tuple):
            return True
        error = record.args[1]
        said = explained(error) if isinstance(error, BaseException) else str(error)
        self._outage.met(StoreUnavailable(f"the store cannot be reached: {said}"))
        return False
