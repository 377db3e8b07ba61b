# Made of gradientd/client/_async/jobs.py by `make client`: change it there.
"""What a client does with jobs: submit, read, wait for, list, stop and delete them."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from gradientd.client import parameters
from gradientd.client._sync.connection import Connection
from gradientd.client._sync.pages import Page, listed
from gradientd.client._sync.runtime import sleep
from gradientd.client._sync.streaming import PATIENCE_SECONDS
from gradientd.client.answers import DatasetRef, Job, JobRef, SpecFields, Version, dataset_name, job_id, spec_fields
from gradientd.client.connection import is_late
from gradientd.client.errors import Refused, ServerUnreachable, StillRunning
from gradientd.client.paths import job_path
from gradientd.client.responses import NOT_MODIFIED, Document, parse
from gradientd.client.retries import may_pass
from jobs.record import JobSummary
from jobs.states import TERMINAL

LONGEST_WAIT_SECONDS = 60
"""Longest long poll that the API grants."""
AWAY_SECONDS = 1.0
"""Between two looks for a server that is away."""


class JobCalls(Connection):
    """The calls about jobs. Wherever a job is meant, its id is as good."""

    def submit(self, spec: SpecFields | None = None, *, idempotency_key: str | None = None, **fields: Any) -> Job:
        """Have a job accepted; `spec` may leave out any field, and `fields` are more of them, which win over its own.
        A `model` may be what `gradientd.from_keras` gives, whose `freeze` is taken too where none is given. However
        often it has to be sent, it is one job; with a key of your own the same key within 24 hours is, too.

        Raises:
            Refused: a field is wrong; `problem.errors` names it.
            ValueError: a number is not finite, or text is none: JSON cannot say it.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        body = spec_fields(spec or {}, **fields)
        return parse(self._request("POST", "/v1/jobs", json=body, headers=headers), Job)

    def resolve(self, spec: SpecFields | None = None, **fields: Any) -> dict[str, Any]:
        """What `submit` would do, as the server tells it: the resolved spec, estimates and each layer of the network.
        Stores nothing."""
        body, params = spec_fields(spec or {}, **fields), {"dry_run": "true"}
        return parse(self._request("POST", "/v1/jobs", json=body, params=params), Document).root

    def get(self, job: JobRef) -> Job:
        """The job as it is now."""
        return (self.poll(job)).job

    def poll(self, job: JobRef, *, newer_than: Version | None = None, wait_seconds: int = 0) -> Version:
        """The job as soon as it differs from `newer_than`, or as it is when `wait_seconds` have passed."""
        return self._poll(job, newer_than=newer_than, wait_seconds=wait_seconds)

    def _poll(
        self,
        job: JobRef,
        *,
        newer_than: Version | None = None,
        wait_seconds: int = 0,
        deadline: float = float("inf"),
    ) -> Version:
        headers = {"Prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        if newer_than is not None and newer_than.etag:
            headers["If-None-Match"] = newer_than.etag
        answer = self._request(
            "GET", job_path(job_id(job)), headers=headers, wait_seconds=wait_seconds, deadline=deadline
        )
        if answer.status_code == NOT_MODIFIED and newer_than is not None:
            return newer_than
        return Version(job=parse(answer, Job), etag=answer.headers.get("ETag"))

    def wait(self, job: JobRef, *, timeout: float | None = None, patience_seconds: float = PATIENCE_SECONDS) -> Job:
        """The job once it has reached its final status, whichever that is.

        Raises:
            StillRunning: it has not within about `timeout` seconds, or the server told nothing in that time; the job
                goes on. A TimeoutError.
            ServerUnreachable: at the first call, or for longer than `patience_seconds`.
            Refused: there is no such job; or all that time the server had too much to do.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        try:
            version = self._poll(job, deadline=deadline)
        except ServerUnreachable as error:
            if timeout is None or not is_late(error):
                raise
            raise StillRunning(job_id(job), status="", seconds=timeout) from error
        away_since: float | None = None
        while version.job.status not in TERMINAL:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StillRunning(version.job.id, status=version.job.status, seconds=timeout or 0)
            if left < 1:  # the API waits in whole seconds
                sleep(left)
            try:
                seconds = int(min(left, LONGEST_WAIT_SECONDS))
                version = self._poll(job, newer_than=version, wait_seconds=seconds, deadline=deadline)
                away_since = None
            except (ServerUnreachable, Refused) as error:
                now = time.monotonic()
                away_since = now if away_since is None else away_since
                if not may_pass(error) or now - away_since > patience_seconds:
                    raise
                sleep(min(max(AWAY_SECONDS, error.retry_after_seconds or 0), max(0.0, deadline - now)))
        return version.job

    def list(
        self,
        *,
        status: str | Sequence[str] = (),
        dataset: DatasetRef | None = None,
        metadata: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        order: Literal["asc", "desc"] = "desc",
        after: str | None = None,
        limit: int = 20,
    ) -> Page[Job]:
        """Jobs, newest first; those that have one of the statuses, the dataset (or that version of it) and all of the
        labels, made between the times.

        Going through the answer goes through all of them, `limit` being what is asked for at a time (at most 100);
        its `data` is the first page alone.

        Raises:
            ValueError: a word is no status that this version knows; the server is not asked.
            TypeError: a label's value is no text.
        """
        query = parameters.of_jobs(
            limit=limit,
            after=after,
            order=order,
            status=status,
            dataset=dataset_name(dataset) if dataset else None,
            metadata=metadata,
            created_after=created_after,
            created_before=created_before,
        )
        return listed(self, "/v1/jobs", Job, query)

    def summaries(
        self,
        *,
        status: str | Sequence[str] = (),
        dataset: DatasetRef | None = None,
        metadata: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        order: Literal["asc", "desc"] = "desc",
        limit: int = 20,
        after: str | None = None,
    ) -> Page[JobSummary]:
        """The same list with each job in brief: how it stands, without its spec, files and past.

        Raises:
            ValueError: a word is no status that this version knows; the server is not asked.
            TypeError: a label's value is no text.
            NotSupported: the server has no such list.
        """
        query = parameters.of_jobs(
            limit=limit,
            after=after,
            order=order,
            status=status,
            dataset=dataset_name(dataset) if dataset else None,
            metadata=metadata,
            created_after=created_after,
            created_before=created_before,
        )
        return listed(self, "/v1/jobs", JobSummary, [*query, ("view", "summary")])

    def cancel(self, job: JobRef) -> Job:
        """Ask a job to stop. Does nothing to one that is final."""
        return parse(self._request("POST", f"{job_path(job_id(job))}/cancel"), Job)

    def pause(self, job: JobRef) -> Job:
        """Ask a job to stop for the time being, keeping a checkpoint.

        Raises:
            Refused: it is final, or being cancelled.
        """
        return parse(self._request("POST", f"{job_path(job_id(job))}/pause"), Job)

    def resume(self, job: JobRef) -> Job:
        """Queue a paused job again.

        Raises:
            Refused: it is neither paused nor queued or running again.
        """
        return parse(self._request("POST", f"{job_path(job_id(job))}/resume"), Job)

    def delete(self, job: JobRef) -> None:
        """Delete a final job for good: its record, its events and its files.

        Raises:
            Refused: the job has not ended.
        """
        self._request("DELETE", job_path(job_id(job)))
