# Made of gradientd/client/_async/history.py by `make client`: change it there.
"""What a client asks of jobs' histories: events as they happen, epochs, learning curves, checkpoints."""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Literal, overload

from gradientd.client import frames, parameters
from gradientd.client._sync.connection import Connection
from gradientd.client._sync.pages import Page, listed
from gradientd.client._sync.streaming import PATIENCE_SECONDS, Stream, streamed
from gradientd.client.answers import JobRef, Series, job_id
from gradientd.client.paths import job_path
from gradientd.client.responses import parse
from jobs.record import Event
from jobs.wire import JobEvent, JobProgress, KeptCheckpoint, LiveProgress

if TYPE_CHECKING:
    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] (it has none)

READY = "ready"
"""The type of what says that a stream of all jobs has begun."""


class HistoryCalls(Connection):
    """The calls about what happened to jobs."""

    @overload
    def events(
        self, job: JobRef, *, after: str = "", progress: Literal[False] = False, patience_seconds: float = ...
    ) -> Generator[Event]: ...

    @overload
    def events(
        self, job: JobRef, *, after: str = "", progress: Literal[True], patience_seconds: float = ...
    ) -> Generator[Event | LiveProgress]: ...

    def events(
        self, job: JobRef, *, after: str = "", progress: bool = False, patience_seconds: float = PATIENCE_SECONDS
    ) -> Generator[Event | LiveProgress]:
        """The job's history behind an event, then each event as it happens, the last one of the type `done`; with
        `progress` also how far the job is between them. Each event comes once, however often the connection breaks
        meanwhile.

        Raises:
            Refused: there is no such job.
            ServerUnreachable: at the first call, or for longer than `patience_seconds`.
        """
        stream = Stream(self, f"{job_path(job_id(job))}/events", Event, LiveProgress)
        told = streamed(stream.connected, after=after, patience_seconds=patience_seconds, retries=self._retries)
        with closing(told):
            for _, each in told:
                if progress or isinstance(each, Event):
                    yield each

    @overload
    def all_events(
        self, *, after: str = "", progress: Literal[False] = False, patience_seconds: float = ...
    ) -> Generator[JobEvent]: ...

    @overload
    def all_events(
        self, *, after: str = "", progress: Literal[True], patience_seconds: float = ...
    ) -> Generator[JobEvent | JobProgress]: ...

    def all_events(
        self, *, after: str = "", progress: bool = False, patience_seconds: float = PATIENCE_SECONDS
    ) -> Generator[JobEvent | JobProgress]:
        """The events of all jobs as they happen, from now on or behind the one with the given id, without end.

        One of the type `reset`, of no job, says that events before it are no longer kept: list the jobs anew.

        Raises:
            NotSupported: the server has no such stream.
            ServerUnreachable: at the first call, or for longer than `patience_seconds`.
        """
        stream = Stream(self, "/v1/events", JobEvent, JobProgress)
        told = streamed(
            stream.connected, after=after, patience_seconds=patience_seconds, retries=self._retries, ends=False
        )
        with closing(told):
            for _, each in told:
                if progress if isinstance(each, JobProgress) else each.type != READY:
                    yield each

    def history(self, job: JobRef, *, after: str | None = None, limit: int = 100) -> Page[Event]:
        """The job's history up to now, oldest first, behind the event with the given id."""
        query = [("limit", str(limit))] + ([("after", after)] if after else [])
        return listed(self, f"{job_path(job_id(job))}/events", Event, query)

    def metrics(
        self, job: JobRef, *, names: str | Sequence[str] = (), after_step: int = 0, max_points: int | None = None
    ) -> Series:
        """The job's epochs as columns: those metrics, of epochs that ended after the step, thinned out to so many."""
        params = parameters.of_series(names, after_step=after_step, max_points=max_points)
        return parse(self._request("GET", f"{job_path(job_id(job))}/metrics", params=params), Series)

    def metrics_csv(
        self, job: JobRef, *, names: str | Sequence[str] = (), after_step: int = 0, max_points: int | None = None
    ) -> str:
        """The same as CSV: a header, then a line an epoch."""
        params = parameters.of_series(names, after_step=after_step, max_points=max_points)
        path = f"{job_path(job_id(job))}/metrics"
        return (self._request("GET", path, params=params, headers={"Accept": "text/csv"})).text

    def plot(
        self,
        *jobs: JobRef,
        metrics: str | Sequence[str] = frames.CURVES,
        names: Sequence[str] | None = None,
        log_y: bool = False,
        max_points: int | None = 1000,
    ) -> "Figure":
        """Learning curves of jobs, as a plotly figure: a colour for each job, training solid, validation dashed, the
        metrics one below the other, over epochs. `names` are what the legend calls the jobs, by default their ids.

        Raises:
            ExtraMissing: plotly is not there (an ImportError).
            ValueError: no job was given, or none of the metrics measured.
        """
        if not jobs:
            raise ValueError("plot() draws at least one job")
        frames.imported("plotly", what="plot()")
        labels = names if names is not None else [job_id(job) for job in jobs]
        if len(labels) != len(jobs):
            raise ValueError(f"{len(jobs)} jobs cannot have {len(labels)} names")
        series = [self.metrics(job, max_points=max_points) for job in jobs]
        wanted = (metrics,) if isinstance(metrics, str) else metrics
        return frames.learning_curves(list(zip(labels, series, strict=True)), metrics=wanted, log_y=log_y)

    def checkpoints(self, job: JobRef) -> Page[KeptCheckpoint]:
        """The states of the job that are kept: the last, the best, both or none."""
        return listed(self, f"{job_path(job_id(job))}/checkpoints", KeptCheckpoint)
