"""A server that has jobs and lists them as the API does: by status, label and time, page by page; and changes them."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jobs.ids import new_job_id
from jobs.record import Job
from jobs.spec import Spec
from jobs.states import TERMINAL, Status
from tests.gradientd.samples import CREATED_AT, sample_job

SLIM = frozenset(
    [
        "id",
        "object",
        "status",
        "status_reason",
        "phase",
        "metrics",
        "queue_position",
        "responding",
        "attempt",
        "worker",
        "created_at",
        "started_at",
        "finished_at",
        "metadata",
        "revision",
    ]
)
BECOMES = {
    "cancel": {Status.QUEUED: Status.CANCELLED, Status.RUNNING: Status.CANCELLING, Status.PAUSED: Status.CANCELLED},
    "pause": {Status.QUEUED: Status.PAUSED, Status.RUNNING: Status.PAUSING},
    "resume": {Status.PAUSED: Status.QUEUED},
}


def some_job(status: Status, *, dataset: str = "mnist-10k", number: int = 0, **members: Any) -> Job:
    """A job with an id of its own, created so many seconds after others."""
    created_at = members.pop("created_at", CREATED_AT.replace(minute=number // 60, second=number % 60))
    spec = sample_job().spec.model_copy(update={"dataset": dataset})
    assert isinstance(spec, Spec)
    return sample_job(status, id=new_job_id(), spec=spec, created_at=created_at, **members)


@dataclass
class Listing:
    """The jobs, oldest first, and what was asked."""

    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    has_summaries: bool = True
    answers: Callable[[str, str], tuple[int, Any] | None] = lambda method, path: None
    """Answers instead of it, by method and path."""
    heard: Callable[[Message], None] = lambda headers: None
    """Hears the headers of each request."""
    queries: list[dict[str, list[str]]] = field(default_factory=list[dict[str, list[str]]])
    asked: Counter[str] = field(default_factory=Counter[str])
    away: bool = False
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, jobs: Sequence[Job], **more: Any) -> "Listing":
        """One that has these."""
        return cls({job.id: job for job in jobs}, **more)

    def put(self, job: Job, **members: Any) -> Job:
        """A job is so from now on."""
        self.jobs[job.id] = changed = job.model_copy(update=members)
        return changed

    def statuses(self) -> list[str]:
        """Those of all jobs."""
        return [job.status.value for job in self.jobs.values()]

    def answer(self, method: str, target: str) -> tuple[int, Any]:
        """What the API answers."""
        url = urlsplit(target)
        query = parse_qs(url.query)
        with self.lock:
            self.asked[f"{method} {url.path}"] += 1
            self.queries.append(query)
            given = self.answers(method, url.path)
            if given is not None:
                return given
            if self.away:
                return 503, {"status": 503, "detail": "the store is away"}
            if url.path == "/v1/jobs":
                return self._page(query)
            found = re.fullmatch(r"/v1/jobs/(\w+)(?:/(\w+))?", url.path)
            if not found or found[1] not in self.jobs:
                return 404, {"status": 404, "detail": f"no job {found and found[1]}"}
            return self._one(method, self.jobs[found[1]], found[2])

    def _one(self, method: str, job: Job, action: str | None) -> tuple[int, Any]:
        if method == "GET":
            return 200, job.model_dump(mode="json")
        if method == "DELETE":
            if job.status not in TERMINAL:
                return 409, {"status": 409, "detail": f"{job.id} is {job.status}: it has not ended"}
            del self.jobs[job.id]
            return 204, None
        assert action
        return 202, self.put(job, status=BECOMES[action].get(job.status, job.status)).model_dump(mode="json")

    def _page(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        one = {name: values[0] for name, values in query.items()}
        if "view" in one and not self.has_summaries:
            error = {"parameter": "view", "detail": "There is no such parameter"}
            problem = {"status": 422, "code": "invalid_parameter", "detail": "view: There is no such parameter"}
            return 422, {**problem, "errors": [error]}
        labels = {name[9:-1]: value for name, value in one.items() if name.startswith("metadata[")}
        fitting = [
            job
            for job in (self.jobs.values() if one.get("order") == "asc" else reversed(self.jobs.values()))
            if ("status" not in query or job.status in query["status"])
            and labels.items() <= job.metadata.items()
            and ("created_after" not in one or job.created_at > datetime.fromisoformat(one["created_after"]))
            and ("created_before" not in one or job.created_at < datetime.fromisoformat(one["created_before"]))
        ]
        start = [job.id for job in fitting].index(one["after"]) + 1 if "after" in one else 0
        page = fitting[start : start + int(one.get("limit", "20"))]
        data = [slim(job) if "view" in one else job.model_dump(mode="json") for job in page]
        ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {"first_id": None, "last_id": None}
        return 200, {"object": "list", "data": data, **ends, "has_more": len(fitting) > start + len(page)}


def slim(job: Job) -> dict[str, Any]:
    """A job as a page in brief has it."""
    document = job.model_dump(mode="json")
    return {name: document[name] for name in SLIM} | {
        "object": "training.job.summary",
        "dataset": job.spec.dataset,
        "preset": job.spec.preset,
        "progress": document["progress"],
    }


@contextmanager
def listing(jobs: Listing) -> Iterator[str]:
    """The server on loopback; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            jobs.heard(self.headers)
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, answer = jobs.answer(self.command, self.path)
            sent = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
