"""What passes by itself is tried again, with the same key, so often and no more; all else is said at once."""

import hashlib
import itertools
from pathlib import Path
from typing import Any

import pytest

from gradientd.client import Client, Refused, ServerUnreachable
from gradientd.client.retries import Retries
from jobs.record import Event
from jobs.wire import Problem
from tests.gradientd.client.flaky import DROPPED, HALF, answer, flaky
from tests.gradientd.samples import CREATED_AT, JOB_ID, dump, sample_job, succeeded_job

PROBLEM = {"status": 503, "code": "store_unavailable", "detail": "the store does not answer"}
AWAY = answer(503, PROBLEM)
BUSY = answer(429, {"status": 429, "code": "too_many_requests", "detail": "slowly"}, Retry_After="0")
JOB = answer(200, dump(sample_job()))
QUICK: dict[str, Any] = {"backoff_seconds": 0.001}


@pytest.mark.parametrize("fault", [DROPPED, HALF, AWAY, answer(502), answer(504), BUSY])
def test_what_passes_is_tried_again(make: type[Client], fault: Any) -> None:
    with flaky(fault, fault, JOB) as server, make(server.url, **QUICK) as client:
        assert client.get(JOB_ID).id == JOB_ID
    assert len(server.seen) == 3


def test_a_submission_keeps_its_key_so_that_it_is_one_job(make: type[Client]) -> None:
    with flaky(DROPPED, AWAY, answer(202, dump(sample_job()))) as server, make(server.url, **QUICK) as client:
        client.submit({"epochs": 3})
        client.submit({"epochs": 3})
        client.submit({"epochs": 3}, idempotency_key="mine")
    keys = [seen.headers["idempotency-key"] for seen in server.seen]
    assert keys[0] == keys[1] == keys[2]
    assert len({*keys}) == 3
    assert keys[-1] == "mine"
    assert {seen.body for seen in server.seen} == {server.seen[0].body}


@pytest.mark.parametrize("call", ["cancel", "pause", "resume"])
def test_what_changes_a_job_has_a_key_too(make: type[Client], call: str) -> None:
    with flaky(DROPPED, JOB) as server, make(server.url, **QUICK) as client:
        getattr(client, call)(JOB_ID)
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_what_does_not_pass_is_said_at_once(make: type[Client], status: int) -> None:
    problem = answer(status, {"status": status, "code": "x", "detail": "no"})
    with flaky(problem) as server, make(server.url, **QUICK) as client:
        with pytest.raises(Refused) as refused:
            client.get(JOB_ID)
        assert refused.value.problem.status == status
    assert len(server.seen) == 1


def test_retries_end(make: type[Client]) -> None:
    with flaky(AWAY) as server, make(server.url, **QUICK) as client:
        with pytest.raises(ServerUnreachable, match="the store does not answer") as away:
            client.get(JOB_ID)
        assert away.value.problem
        assert away.value.problem.code == "store_unavailable"
    assert len(server.seen) == 3
    with flaky(DROPPED) as server, make(server.url, max_retries=0) as client, pytest.raises(ServerUnreachable):
        client.get(JOB_ID)
    assert len(server.seen) == 1


def test_a_server_that_asks_for_much_patience_is_not_waited_for(make: type[Client]) -> None:
    full = answer(503, {"status": 503, "code": "storage_unavailable", "detail": "full"}, Retry_After="30")
    with flaky(full) as server, make(server.url) as client:
        with pytest.raises(ServerUnreachable, match="full") as away:
            client.get(JOB_ID)
        assert away.value.retry_after_seconds == 30
    assert len(server.seen) == 1


def test_a_deletion_whose_answer_was_lost_is_one(make: type[Client]) -> None:
    gone = answer(404, {"status": 404, "code": "job_not_found", "detail": "no job"})
    with flaky(DROPPED, gone) as server, make(server.url, **QUICK) as client:
        client.delete(JOB_ID)
    assert [seen.method for seen in server.seen] == ["DELETE", "DELETE"]
    for plan in ((gone,), (AWAY, gone)):  # nothing was lost: nothing was deleted
        with flaky(*plan) as server, make(server.url, **QUICK) as client, pytest.raises(Refused, match="no job"):
            client.delete(JOB_ID)


def test_an_upload_is_sent_again_from_its_beginning(make: type[Client], tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"a,b\r\n" + b"1,2\r\n" * 500_000)
    moved: list[int] = []
    ready = answer(201, dump(_dataset()))
    with flaky(AWAY, ready) as server, make(server.url, **QUICK) as client:
        client.upload("table", tmp_path / "table.csv", progress=lambda sent, total: moved.append(sent))
    content = (tmp_path / "table.csv").read_bytes()
    assert [seen.body for seen in server.seen] == [content, content]
    assert moved[-1] == len(content)
    assert any(after < before for before, after in itertools.pairwise(moved))


def test_a_download_that_breaks_off_begins_again(make: type[Client], tmp_path: Path) -> None:
    content = b"weights" * 1000
    whole = (200, content, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'})
    with flaky(HALF, DROPPED, whole) as server, make(server.url, **QUICK) as client:
        path = client.download(JOB_ID, "weights.npz", tmp_path)
    assert path.read_bytes() == content
    assert len(server.seen) == 3
    assert list(tmp_path.iterdir()) == [path]
    with flaky(HALF) as server, make(server.url, **QUICK) as client, pytest.raises(ServerUnreachable):
        client.download(JOB_ID, "model.onnx", tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_waiting_outlasts_a_server_that_is_away(make: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    for client in ("_sync", "_async"):
        monkeypatch.setattr(f"gradientd.client.{client}.jobs.AWAY_SECONDS", 0.001)
    done = answer(200, dump(succeeded_job()))
    with flaky(JOB, *[DROPPED] * 7, done) as server, make(server.url, **QUICK) as client:
        assert client.wait(JOB_ID).status == "succeeded"
    assert len(server.seen) == 9
    with flaky(JOB, AWAY) as server, make(server.url, **QUICK) as client, pytest.raises(ServerUnreachable):
        client.wait(JOB_ID, patience_seconds=0.05)


def test_a_stream_that_cannot_be_had_yet_is_tried_again(make: type[Client]) -> None:
    done = Event(id="0-1", type="done", at=CREATED_AT, data={})
    frame = f"id: 0-1\nevent: done\ndata: {done.model_dump_json()}\n\n"
    stream = (200, frame.encode(), {"Content-Type": "text/event-stream"})
    with flaky(AWAY, DROPPED, stream) as server, make(server.url, **QUICK) as client:
        assert [event.type for event in client.events(JOB_ID)] == ["done"]
    with flaky(AWAY) as server, make(server.url, **QUICK) as client, pytest.raises(ServerUnreachable):
        list(client.events(JOB_ID))
    assert len(server.seen) == 3


# --- how long is waited -------------------------------------------------------------------------------


def refused(status: int, seconds: float | None = None) -> Refused:
    names = dict.fromkeys(("type", "title", "detail", "instance", "code", "request_id"), "")
    return Refused(Problem.model_validate({"status": status, **names}), retry_after_seconds=seconds)


def test_each_pause_is_twice_the_one_before_with_a_part_left_to_chance() -> None:
    away = ServerUnreachable("away")
    retries = Retries(most=7, backoff_seconds=0.5)
    assert [retries.pause_seconds(n, away, draw=lambda: 0) for n in range(8)] == [0.5, 1, 2, 4, 8, 8, 8, None]
    assert retries.pause_seconds(0, away, draw=lambda: 0.999) == pytest.approx(0.375, abs=1e-3)


def test_what_the_server_asks_for_is_heeded() -> None:
    retries = Retries(most=1, backoff_seconds=0.5)
    assert retries.pause_seconds(0, refused(429, 7), draw=lambda: 0) == 7
    assert retries.pause_seconds(0, refused(429), draw=lambda: 0) == 0.5
    assert retries.pause_seconds(0, refused(429, 60)) is None
    assert retries.pause_seconds(0, refused(422, 7)) is None
    assert 7 <= (retries.pause_seconds(0, ServerUnreachable("away", retry_after_seconds=7)) or 0) < 9


def _dataset() -> Any:
    from jobs.datasets import CATALOGUE
    from jobs.wire import Dataset

    return Dataset.of(CATALOGUE["mnist-10k"])
