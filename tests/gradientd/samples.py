"""Jobs and events as a server would send them, and a server that sends them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from jobs.record import EpochMetrics, Event, Job, JobError, Metrics, Progress
from jobs.spec import Spec
from jobs.states import Status

JOB_ID = "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"
CREATED_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def sample_job(status: Status = Status.QUEUED, **members: Any) -> Job:
    """A job of three epochs."""
    known: dict[str, Any] = {
        "id": JOB_ID,
        "status": status,
        "spec": Spec(epochs=3),
        "progress": Progress(epochs=3, steps=213),
        "created_at": CREATED_AT,
        "revision": 1,
    }
    return Job(**(known | members))


def succeeded_job() -> Job:
    """The same, trained."""
    return sample_job(
        Status.SUCCEEDED,
        worker="worker-1",
        attempt=1,
        progress=Progress(epochs=3, steps=213, epoch=3, step=213, percent=100.0),
        metrics=Metrics(latest=sample_epoch(3), best=sample_epoch(3), test_loss=0.1, test_accuracy=0.9612),
        started_at=CREATED_AT + timedelta(seconds=1),
        finished_at=CREATED_AT + timedelta(seconds=6.2),
        revision=9,
    )


def failed_job() -> Job:
    """The same, gone wrong."""
    error = JobError(code="non_finite_loss", title="Loss is not finite", detail="the loss became nan at step 7", step=7)
    return sample_job(Status.FAILED, error=error, revision=9)


def sample_epoch(epoch: int) -> EpochMetrics:
    """What an epoch measured."""
    return EpochMetrics(
        epoch=epoch,
        step=71 * epoch,
        loss=0.3 / epoch,
        accuracy=0.9,
        val_loss=0.2,
        val_accuracy=0.91,
        learning_rate=0.1,
        seconds=0.5,
        examples_per_second=142_000.0,
    )


def status_event(number: int, status: Status, *, attempt: int = 0) -> Event:
    """A change of status."""
    data = {"at": CREATED_AT.isoformat(), "status": status.value, "reason": None, "attempt": attempt}
    return Event(id=f"{attempt}-{number}", type="status", at=CREATED_AT, data=data)


def epoch_event(number: int, epoch: int) -> Event:
    """The end of an epoch."""
    return Event(id=f"1-{number}", type="metric", at=CREATED_AT, data=sample_epoch(epoch).model_dump(mode="json"))


def dump(value: Any) -> Any:
    """A value as JSON has it; a list of them as a page."""
    if isinstance(value, list):
        data = [dump(item) for item in value]
        ids = [item.get("id", item.get("name")) for item in data]
        ends = {"first_id": ids[0], "last_id": ids[-1]} if ids else {"first_id": None, "last_id": None}
        return {"object": "list", "data": data, **ends, "has_more": False}
    return value if isinstance(value, dict) else value.model_dump(mode="json")


NO_CONTENT = 204

Answer = tuple[int, Any]
Route = Callable[[Any], Answer]


def body_of(status: int, answer: Any) -> bytes:
    """What is sent for an answer."""
    if status == NO_CONTENT:
        return b""
    return answer.encode() if isinstance(answer, str) else json.dumps(dump(answer)).encode()


@contextmanager
def serving(routes: dict[str, Route], *, asked: list[str] | None = None) -> Iterator[str]:
    """A server on loopback that answers `METHOD /path` by calling the route with the request's JSON; its URL.

    Text is answered as it is, anything else as JSON. `asked` gets each request's method, path and query.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(f"{self.command} {self.path}")
            route = routes.get(f"{self.command} {self.path.partition('?')[0]}")
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, answer = route(json.loads(body or b"null")) if route else (404, {"status": 404, "detail": "no"})
            sent = body_of(status, answer)
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            if self.headers.get("Accept") == "text/event-stream":
                self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(sent)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def one_after_another(*answers: Any) -> Route:
    """A route that gives each answer once, and the last one from then on."""
    left = list(answers)
    return lambda body: (200, left.pop(0) if len(left) > 1 else left[0])
