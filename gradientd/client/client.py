"""A synchronous client of the HTTP API: typed answers, typed errors, no state but its connections.

with Client() as client:
    job = client.submit({"epochs": 3})
    print(client.wait_for(job.id).metrics.test_accuracy)
"""

import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from gradientd.client.datasets import DatasetCalls
from gradientd.client.errors import StillRunning
from gradientd.client.models import ModelCalls
from gradientd.client.paths import job_path
from gradientd.client.responses import Document, parse
from gradientd.client.streaming import PATIENCE_SECONDS, SILENCE_SECONDS, events_in, streamed
from jobs.record import Event, Job, Worker
from jobs.states import TERMINAL, Status
from jobs.wire import KeptCheckpoint, LiveProgress, Page, Preset, Series

LONGEST_WAIT_SECONDS = 60
"""Longest long poll that the API grants."""

NOT_MODIFIED = 304


@dataclass(frozen=True)
class Version:
    """A job as it was at one moment, and the tag that asks for a newer one."""

    job: Job
    etag: str | None


class Client(DatasetCalls, ModelCalls):
    """What a server can be asked for. Thread-safe; close it, or use it as a context. Made as a `Connection` is."""

    # --- jobs -------------------------------------------------------------------------------------

    def submit(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Have a job accepted; `spec` may leave out any field.

        Raises:
            Refused: a field is wrong; `problem.errors` names it.
        """
        key = idempotency_key or str(uuid.uuid4())
        return parse(self._request("POST", "/v1/jobs", json=spec, headers={"Idempotency-Key": key}), Job)

    def resolve(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """What `submit` would do, as the server tells it: the resolved spec and estimates. Stores nothing."""
        return parse(self._request("POST", "/v1/jobs", json=spec, params={"dry_run": "true"}), Document).root

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        return self.poll(job_id).job

    def poll(self, job_id: str, *, newer_than: Version | None = None, wait_seconds: int = 0) -> Version:
        """The job as soon as it differs from `newer_than`, or as it is when `wait_seconds` have passed."""
        headers = {"Prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        if newer_than is not None and newer_than.etag:
            headers["If-None-Match"] = newer_than.etag
        answer = self._request("GET", job_path(job_id), headers=headers, wait_seconds=wait_seconds)
        if answer.status_code == NOT_MODIFIED and newer_than is not None:
            return newer_than
        return Version(job=parse(answer, Job), etag=answer.headers.get("ETag"))

    def wait_for(self, job_id: str, *, timeout_seconds: float | None = None) -> Job:
        """The job once it has reached its final status.

        Raises:
            StillRunning: it has not within `timeout_seconds`; the job goes on. A TimeoutError.
        """
        deadline = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
        version = self.poll(job_id)
        while version.job.status not in TERMINAL:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StillRunning(job_id, status=version.job.status, seconds=timeout_seconds or 0)
            if left < 1:  # the API waits in whole seconds
                time.sleep(left)
            version = self.poll(job_id, newer_than=version, wait_seconds=int(min(left, LONGEST_WAIT_SECONDS)))
        return version.job

    def list(
        self,
        *,
        limit: int = 20,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
        statuses: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[Job]:
        """Jobs, newest first; those that have one of the statuses and all of the labels, made between the times.

        Raises:
            ValueError: a word in `statuses` is no status.
        """
        params: list[tuple[str, str]] = [("limit", str(limit)), ("order", order)]
        params += [("after", after)] if after else []
        params += [("status", status) for status in read_statuses(statuses)]
        params += [(f"metadata[{key}]", value) for key, value in (metadata or {}).items()]
        params += [("created_after", created_after.isoformat())] if created_after else []
        params += [("created_before", created_before.isoformat())] if created_before else []
        return parse(self._request("GET", "/v1/jobs", params=params), Page[Job])

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop. Does nothing to one that is final."""
        return parse(self._request("POST", f"{job_path(job_id)}/cancel"), Job)

    def pause(self, job_id: str) -> Job:
        """Ask a job to stop for the time being, keeping a checkpoint."""
        return parse(self._request("POST", f"{job_path(job_id)}/pause"), Job)

    def resume(self, job_id: str) -> Job:
        """Queue a paused job again."""
        return parse(self._request("POST", f"{job_path(job_id)}/resume"), Job)

    def delete(self, job_id: str) -> None:
        """Delete a final job for good: its record, its events and its files.

        Raises:
            Refused: the job has not ended.
        """
        self._request("DELETE", job_path(job_id))

    # --- a job's history --------------------------------------------------------------------------

    def events(self, job_id: str, *, after: str | None = None, limit: int = 100) -> Page[Event]:
        """A page of the job's history, oldest first, after the event with the given id."""
        params = {"limit": str(limit)} | ({"after": after} if after else {})
        return parse(self._request("GET", f"{job_path(job_id)}/events", params=params), Page[Event])

    def stream(
        self, job_id: str, *, after: str = "", patience_seconds: float = PATIENCE_SECONDS
    ) -> Iterator[Event | LiveProgress]:
        """The job's history behind an event, then each event as it happens, the last one of the type `done`; and how
        far the job is between them. Each event comes once, however often the connection breaks meanwhile.

        Raises:
            Refused: there is no such job.
            ServerUnreachable: at the first call, or for longer than `patience_seconds`.
        """
        return streamed(lambda known: self._followed(job_id, known), after=after, patience_seconds=patience_seconds)

    def _followed(self, job_id: str, after: str) -> Generator[Event | LiveProgress]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        with self._stream(f"{job_path(job_id)}/events", headers=headers, read_seconds=SILENCE_SECONDS) as answer:
            yield from events_in(answer)

    def metrics(
        self, job_id: str, *, names: Sequence[str] = (), after_step: int = 0, max_points: int | None = None
    ) -> Series:
        """The job's epochs as columns: those metrics, of epochs that ended after the step, thinned out to so many."""
        params = metrics_params(names, after_step=after_step, max_points=max_points)
        return parse(self._request("GET", f"{job_path(job_id)}/metrics", params=params), Series)

    def metrics_csv(
        self, job_id: str, *, names: Sequence[str] = (), after_step: int = 0, max_points: int | None = None
    ) -> str:
        """The same as CSV: a header, then a line an epoch."""
        params = metrics_params(names, after_step=after_step, max_points=max_points)
        return self._request("GET", f"{job_path(job_id)}/metrics", params=params, headers={"Accept": "text/csv"}).text

    def checkpoints(self, job_id: str) -> Page[KeptCheckpoint]:
        """The states of the job that are kept: the last, the best, both or none."""
        return parse(self._request("GET", f"{job_path(job_id)}/checkpoints"), Page[KeptCheckpoint])

    # --- the server -------------------------------------------------------------------------------

    def workers(self) -> Page[Worker]:
        """The live workers."""
        return parse(self._request("GET", "/v1/workers"), Page[Worker])

    def presets(self) -> Page[Preset]:
        """The named starting points for a spec."""
        return parse(self._request("GET", "/v1/presets"), Page[Preset])


def read_statuses(statuses: Sequence[str]) -> tuple[Status, ...]:
    """The statuses that the words name; a single word is one. Raises ValueError."""
    words = (statuses,) if isinstance(statuses, str) else statuses
    for word in words:
        if word not in set(Status):
            raise ValueError(f"{word!r} is not a status; there are {', '.join(Status)}")
    return tuple(map(Status, words))


def metrics_params(names: Sequence[str], *, after_step: int, max_points: int | None) -> list[tuple[str, str]]:
    """The query of a series: what differs from its defaults."""
    params = [("names", name) for name in names]
    params += [("after_step", str(after_step))] if after_step else []
    return params + ([("max_points", str(max_points))] if max_points is not None else [])
