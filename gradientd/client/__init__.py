"""The Python client of the HTTP API: needs neither Redis, Celery nor TensorFlow."""

from typing import TYPE_CHECKING, Any

from gradientd.client._sync.client import Client
from gradientd.client._sync.pages import Page
from gradientd.client.answers import Dataset, Job, Series
from gradientd.client.errors import (
    ExtraMissing,
    InvalidUrl,
    NotSupported,
    Refused,
    ServerUnreachable,
    StillRunning,
    UnexpectedAnswer,
)
from jobs.wire import JobEvent, JobProgress

if TYPE_CHECKING:
    from gradientd.client._async.client import AsyncClient
    from gradientd.client._async.pages import AsyncPage

__all__ = [
    "AsyncClient",
    "AsyncPage",
    "Client",
    "Dataset",
    "ExtraMissing",
    "InvalidUrl",
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


def __getattr__(name: str) -> Any:
    """The asynchronous client, imported when it is first asked for: a command that uses the other starts sooner."""
    if name in ("AsyncClient", "AsyncPage"):
        from gradientd.client._async import client, pages  # noqa: PLC0415 - see above

        return client.AsyncClient if name == "AsyncClient" else pages.AsyncPage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
