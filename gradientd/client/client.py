"""A synchronous client of the HTTP API: typed answers, typed errors, no state but its connections.

with Client("http://127.0.0.1:8000") as client:
    job = client.submit({"epochs": 3})
    print(client.wait_for(job.id).metrics.test_accuracy)
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx

from gradientd import __version__
from gradientd.client.errors import ServerUnreachable
from gradientd.client.responses import Document, parse, refusal
from jobs.exposure import is_loopback
from jobs.record import Event, Job, Worker
from jobs.states import TERMINAL, Status
from jobs.wire import Page, Preset, Series

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 60
"""Longest long poll that the API grants."""

NOT_MODIFIED = 304


@dataclass(frozen=True)
class Version:
    """A job as it was at one moment, and the tag that asks for a newer one."""

    job: Job
    etag: str | None


class Client:
    """Connections to one server. Thread-safe; close it, or use it as a context."""

    def __init__(self, url: str, *, api_key: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        key = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            self.url = str(httpx.URL(url)).rstrip("/")
            self._http = httpx.Client(
                base_url=self.url,
                headers={"User-Agent": f"gradientd/{__version__}", "Accept": "application/json", **key},
                timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
                trust_env=not is_loopback(httpx.URL(url).host),  # a proxy cannot reach this machine's own address
                transport=transport,
            )
        except httpx.InvalidURL as error:
            raise ServerUnreachable(f"{url!r} is not a URL: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

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
        answer = self._request("GET", job_path(job_id), headers=headers, timeout_seconds=ANSWER_SECONDS + wait_seconds)
        if answer.status_code == NOT_MODIFIED and newer_than is not None:
            return newer_than
        return Version(job=parse(answer, Job), etag=answer.headers.get("ETag"))

    def wait_for(self, job_id: str) -> Job:
        """The job once it has reached its final status."""
        version = self.poll(job_id)
        while version.job.status not in TERMINAL:
            version = self.poll(job_id, newer_than=version, wait_seconds=LONGEST_WAIT_SECONDS)
        return version.job

    def list(
        self,
        *,
        limit: int = 20,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
        statuses: Sequence[Status] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> Page[Job]:
        """Jobs, newest first; those that have one of the statuses and all of the labels."""
        params: list[tuple[str, str]] = [("limit", str(limit)), ("order", order)]
        params += [("after", after)] if after else []
        params += [("status", status.value) for status in statuses]
        params += [(f"metadata[{key}]", value) for key, value in (metadata or {}).items()]
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

    def events(self, job_id: str, *, after: str | None = None, limit: int = 100) -> Page[Event]:
        """A page of the job's history, oldest first, after the event with the given id."""
        params = {"limit": str(limit)} | ({"after": after} if after else {})
        return parse(self._request("GET", f"{job_path(job_id)}/events", params=params), Page[Event])

    def metrics(self, job_id: str) -> Series:
        """The job's epochs as columns."""
        return parse(self._request("GET", f"{job_path(job_id)}/metrics"), Series)

    # --- the server -------------------------------------------------------------------------------

    def workers(self) -> Page[Worker]:
        """The live workers."""
        return parse(self._request("GET", "/v1/workers"), Page[Worker])

    def presets(self) -> Page[Preset]:
        """The named starting points for a spec."""
        return parse(self._request("GET", "/v1/presets"), Page[Preset])

    # --- one request ------------------------------------------------------------------------------

    def _request(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
    ) -> httpx.Response:
        timeout = httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS)
        try:
            answer = self._http.request(
                method,
                path,
                json=json,
                params=httpx.QueryParams(tuple(params.items()) if isinstance(params, Mapping) else tuple(params or ())),
                headers=headers,
                timeout=timeout,
            )
        except httpx.UnsupportedProtocol as error:
            raise ServerUnreachable(f"{self.url!r} is not the URL of a server: it must begin with http://") from error
        except httpx.RequestError as error:
            raise ServerUnreachable(f"no answer from {self.url}: {reason(error)}") from error
        if answer.is_error:
            raise refusal(answer, url=self.url)
        return answer


def job_path(job_id: str) -> str:
    """Path of a job; an id that is not a plain word cannot lead elsewhere."""
    return f"/v1/jobs/{quote(job_id, safe='')}"


def reason(error: httpx.RequestError) -> str:
    """Why there was no answer, in few words."""
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    if "refused" in str(error).lower():
        return "connection refused; is a server running there? (`gradientd up` starts one here)"
    return str(error) or type(error).__name__
