"""The Python client of the HTTP API: needs neither Redis, Celery nor TensorFlow."""

from gradientd.client._async.client import AsyncClient
from gradientd.client._async.pages import AsyncPage
from gradientd.client._sync.client import Client
from gradientd.client._sync.pages import Page
from gradientd.client.answers import Dataset, Job, JobEvent, JobProgress, Series
from gradientd.client.errors import (
    ExtraMissing,
    NotSupported,
    Refused,
    ServerUnreachable,
    StillRunning,
    UnexpectedAnswer,
)

__all__ = [
    "AsyncClient",
    "AsyncPage",
    "Client",
    "Dataset",
    "ExtraMissing",
    "Job",
    "JobEvent",
    "JobProgress",
    "NotSupported",
    "Page",
    "Refused",
    "Series",
    "ServerUnreachable",
    "StillRunning",
    "UnexpectedAnswer",
]
