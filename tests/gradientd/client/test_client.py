"""The client: what it sends, and what becomes of every kind of answer."""

import json
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest

from gradientd.client import Client, Refused, ServerUnreachable, StillRunning, UnexpectedAnswer
from gradientd.client.datasets import opened
from jobs.datasets import CATALOGUE
from jobs.spec import Spec
from jobs.states import Status
from jobs.wire import MOST_ERRORS, Dataset, KeptCheckpoint, Preset, Series
from tests.conftest import free_port
from tests.gradientd.client.conftest import ClientOf, Handler
from tests.gradientd.samples import JOB_ID, dump, sample_job, succeeded_job


def answer(status: int, body: object, **headers: str) -> Handler:
    """A server that always answers the same."""
    return lambda request: httpx.Response(status, json=body, headers=headers)


def test_submit_sends_only_what_was_given_and_a_fresh_idempotency_key(client_of: ClientOf) -> None:
    requests: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(202, json=dump(sample_job()))

    with client_of(server) as client:
        assert dump(client.submit({"epochs": 3})) == dump(sample_job())
        client.submit({"epochs": 3})
    assert (requests[0].method, requests[0].url.path) == ("POST", "/v1/jobs")
    assert json.loads(requests[0].content) == {"epochs": 3}
    first, second = (request.headers["Idempotency-Key"] for request in requests)
    assert first != second


def test_a_refusal_names_each_wrong_field(client_of: ClientOf) -> None:
    problem = {
        "type": "about:blank",
        "title": "Invalid spec",
        "status": 422,
        "detail": "1 field is wrong",
        "code": "invalid_spec",
        "errors": [{"pointer": "/epochs", "detail": "must be at least 1"}],
    }
    with client_of(answer(422, problem)) as client, pytest.raises(Refused, match="1 field is wrong") as refused:
        client.submit({"epochs": 0})
    assert refused.value.code == "invalid_spec"
    assert [(field.pointer, field.detail) for field in refused.value.problem.errors] == [
        ("/epochs", "must be at least 1")
    ]


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ({"status": 422}, "the server answered 422"),
        ({"status": 422, "title": "Invalid spec"}, "Invalid spec"),
        ({"status": 422, "detail": "one\nof two", "request_id": None, "colour": "blue"}, "one\nof two"),
        ({"status": 422, "detail": "wrong", "errors": [{"pointer": "/epochs", "line": 7}]}, "wrong"),
        (
            {"status": 422, "detail": "much is wrong", "errors": [{"detail": "wrong"}] * (MOST_ERRORS + 1)},
            "much is wrong",
        ),
    ],
)
def test_a_problem_may_lack_members_and_have_others(client_of: ClientOf, problem: dict[str, Any], said: str) -> None:
    with client_of(answer(422, problem)) as client, pytest.raises(Refused) as refused:
        client.submit({})
    assert str(refused.value) == said
    assert refused.value.code == "refused"
    assert refused.value.problem.status == 422
    assert len(refused.value.problem.errors) == min(len(problem.get("errors", ())), MOST_ERRORS)


@pytest.mark.parametrize("body", [{"detail": "Not Found"}, {"status": "wrong"}, {"status": 404, "errors": "all"}, []])
def test_json_that_is_no_problem_is_unexpected(client_of: ClientOf, body: object) -> None:
    with client_of(answer(404, body)) as client, pytest.raises(UnexpectedAnswer, match="answered 404, but not as"):
        client.get(JOB_ID)


def test_nobody_listening_is_said_with_the_url(make: type[Client]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        make(url, max_retries=0) as client,
        pytest.raises(ServerUnreachable, match=f"no answer from {url}: connection refused"),
    ):
        client.workers()


def test_a_server_without_its_store_is_unreachable(client_of: ClientOf) -> None:
    problem = {"status": 503, "title": "Store unavailable", "detail": "the store cannot be reached"}
    with client_of(answer(503, problem)) as client, pytest.raises(ServerUnreachable, match="store cannot be reached"):
        client.get(JOB_ID)


@pytest.mark.parametrize("url", ["train.test", "ftp://train.test", "http://train.test:port", ""])
def test_what_is_no_url_is_said(make: type[Client], url: str) -> None:
    with pytest.raises(ServerUnreachable, match="URL"), make(url) as client:
        client.workers()


@pytest.mark.parametrize("status", [200, 404, 500])
def test_another_kind_of_server_is_told_apart(client_of: ClientOf, status: int) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text="<h1>It works!</h1>")

    with client_of(server) as client, pytest.raises(UnexpectedAnswer):
        client.get(JOB_ID)


def test_members_of_a_newer_server_are_ignored(client_of: ClientOf) -> None:
    newer = dump(succeeded_job())
    newer["colour"] = "blue"
    newer["spec"]["model"]["residual"] = True
    newer["metrics"]["latest"]["val_top_5"] = 1.0
    with client_of(answer(200, newer)) as client:
        assert dump(client.get(JOB_ID)) == dump(succeeded_job())


def test_presets_and_metrics_are_typed_as_the_api_has_them(client_of: ClientOf) -> None:
    preset = Preset(name="textbook", description="the loop", spec=Spec(epochs=3))
    with client_of(answer(200, dump([preset]) | {"total": 1})) as client:
        assert client.presets().data == (preset,)
    series = Series(job_id=JOB_ID, names=("loss",), epochs=(1,), steps=(71,), series={"loss": (None,)}, points=1)
    with client_of(answer(200, dump(series) | {"unit": "nats"})) as client:
        assert dump(client.metrics(JOB_ID)) == dump(series)


def test_a_long_poll_asks_for_what_is_newer_than_what_is_known(client_of: ClientOf) -> None:
    requests: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if "If-None-Match" in request.headers:
            return httpx.Response(304)
        return httpx.Response(200, json=dump(sample_job()), headers={"ETag": '"7"'})

    with client_of(server) as client:
        known = client.poll(JOB_ID)
        assert client.poll(JOB_ID, newer_than=known, wait_seconds=20) is known
    assert requests[1].headers["If-None-Match"] == '"7"'
    assert requests[1].headers["Prefer"] == "wait=20"
    assert requests[1].extensions["timeout"]["read"] > 20


def test_wait_polls_until_the_status_is_final(client_of: ClientOf) -> None:
    answers = [sample_job(), sample_job(Status.RUNNING), succeeded_job()]
    with client_of(lambda request: httpx.Response(200, json=dump(answers.pop(0)))) as client:
        assert client.wait(JOB_ID).status is Status.SUCCEEDED
    assert answers == []


def test_list_sends_its_filters(client_of: ClientOf) -> None:
    urls: list[httpx.URL] = []

    def server(request: httpx.Request) -> httpx.Response:
        urls.append(request.url)
        return httpx.Response(200, json=dump([sample_job()]) | {"has_more": True})

    with client_of(server) as client:
        page = client.list(limit=5, after=JOB_ID, status=[Status.QUEUED], dataset="wine@2", metadata={"team": "a&b"})
    assert [dump(job) for job in page.data] == [dump(sample_job())]
    assert (page.first_id, page.last_id, page.has_more) == (JOB_ID, JOB_ID, True)
    assert dict(urls[0].params) == {
        "limit": "5",
        "after": JOB_ID,
        "status": "queued",
        "dataset": "wine@2",
        "metadata[team]": "a&b",
    }


def test_an_id_cannot_lead_to_another_path(client_of: ClientOf) -> None:
    paths: list[bytes] = []

    def server(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200, json=dump(sample_job()))

    with client_of(server) as client:
        client.get("workers?x=1")
        for wrong in ("", "../workers"):
            with pytest.raises(ValueError, match="is no id of a job"):
                client.get(wrong)
        with pytest.raises(TypeError, match="None is neither a job nor the id of one"):
            client.get(cast("Any", None))
    assert paths == [b"/v1/jobs/workers%3Fx%3D1"]


def test_what_cannot_be_sent_is_said_before(client_of: ClientOf) -> None:
    with client_of(answer(500, {})) as client:
        with pytest.raises(TypeError, match="the label 'a' is text, not 1"):
            client.list(metadata=cast("Any", {"a": 1}))
        with pytest.raises(ValueError, match=r"optimizer\.learning_rate must be a finite number, not nan"):
            client.submit({"optimizer": {"type": "sgd", "learning_rate": float("nan")}})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_proxy_is_not_asked_for_this_machine(make: type[Client], host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test")
    with make(f"http://{host}:8000") as here, make("http://train.test") as there:
        assert not here._http._mounts  # pyright: ignore[reportPrivateUsage] - httpx shows its proxies nowhere else
        assert there._http._mounts  # pyright: ignore[reportPrivateUsage]


def test_list_takes_words_for_statuses(client_of: ClientOf) -> None:
    urls: list[httpx.URL] = []

    def server(request: httpx.Request) -> httpx.Response:
        urls.append(request.url)
        return httpx.Response(200, json=dump([]))

    since, until = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=2)))
    with client_of(server) as client:
        client.list(status=["succeeded", Status.FAILED])
        client.list(status="queued", created_after=since, created_before=until)
        with pytest.raises(ValueError, match=r"'succeded' is not a status; there are queued, running, .*, cancelled"):
            client.list(status=["succeded"])
    assert urls[0].params.get_list("status") == ["succeeded", "failed"]
    assert urls[1].params.get_list("status") == ["queued"]
    assert urls[1].params["created_after"] == "2026-03-01T12:00:00+00:00"
    assert urls[1].params["created_before"] == "2026-03-02T00:00:00+02:00"
    assert len(urls) == 2


@pytest.mark.timeout(30)
def test_wait_gives_up_in_time_and_the_job_goes_on(client_of: ClientOf) -> None:
    asked: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=dump(sample_job(Status.RUNNING)))

    with client_of(server) as client, pytest.raises(TimeoutError, match=r"is running after 0\.05 s") as gave_up:
        client.wait(JOB_ID, timeout=0.05)
    assert isinstance(gave_up.value, StillRunning)
    assert {request.method for request in asked} == {"GET"}
    assert len(asked) == 2


def test_wait_asks_the_server_to_wait_no_longer_than_there_is_time(client_of: ClientOf) -> None:
    waits: list[str | None] = []
    answers = [sample_job(), sample_job(), succeeded_job()]

    def server(request: httpx.Request) -> httpx.Response:
        waits.append(request.headers.get("Prefer"))
        return httpx.Response(200, json=dump(answers.pop(0)))

    with client_of(server) as client:
        client.wait(JOB_ID, timeout=10.5)
    assert waits == [None, "wait=10", "wait=10"]


def test_a_job_that_ended_is_answered_whatever_the_time(client_of: ClientOf) -> None:
    with client_of(answer(200, dump(succeeded_job()))) as client:
        assert client.wait(JOB_ID, timeout=0).status is Status.SUCCEEDED


def test_the_environment_names_the_server_and_the_key(make: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str | None] = []

    def server(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("Authorization"))
        return httpx.Response(200, json=dump([]))

    transport = httpx.MockTransport(server)
    with make(transport=transport) as client:
        assert client.url == "http://127.0.0.1:8000"
        client.workers()
    monkeypatch.setenv("GRADIENTD_URL", "http://train.test/")
    monkeypatch.setenv("GRADIENTD_API_KEY", "gd_environment\n")
    for url, api_key in ((None, None), ("http://other.test", "gd_given"), (None, "")):
        with make(url, api_key=api_key, transport=transport) as client:
            assert client.url == (url or "http://train.test")
            client.workers()
    assert keys == [None, "Bearer gd_environment", "Bearer gd_given", None]


def test_a_key_that_cannot_be_one_is_not_repeated(make: type[Client]) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as refused:
        make("http://train.test", api_key="gd_ä-secret")
    assert "secret" not in str(refused.value)


def test_the_history_is_read_and_a_job_is_deleted(client_of: ClientOf) -> None:
    kept = KeptCheckpoint(name="c.npz", epoch=1, step=71, size_bytes=9, sha256="9f", kind="best")
    requests: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if request.method == "DELETE":
            return httpx.Response(204)
        if request.headers["Accept"] == "text/csv":
            return httpx.Response(200, text="epoch,step,loss\r\n1,71,0.5\r\n")
        return httpx.Response(200, json=dump([kept]) | {"pages": 1})

    with client_of(server) as client:
        client.delete(JOB_ID)
        assert client.checkpoints(JOB_ID).data == (kept,)
        assert client.metrics_csv(JOB_ID, names=["loss"], after_step=5, max_points=9).startswith("epoch,step,loss")
    assert [request.url.path for request in requests] == [
        f"/v1/jobs/{JOB_ID}",
        f"/v1/jobs/{JOB_ID}/checkpoints",
        f"/v1/jobs/{JOB_ID}/metrics",
    ]
    assert dict(requests[2].url.params) == {"names": "loss", "after_step": "5", "max_points": "9"}


def test_datasets_are_typed(client_of: ClientOf) -> None:
    dataset = Dataset.of(CATALOGUE["mnist"])
    with client_of(answer(200, dump([dataset]))) as client:
        assert [dump(each) for each in client.datasets().data] == [dump(dataset)]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<h1>It works!</h1>", "the answer is not JSON"),
        ("{}", "the answer lacks 'id'"),
        ("[]", "is not what it should be"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told_in_our_words(client_of: ClientOf, body: str, fault: str) -> None:
    with client_of(lambda request: httpx.Response(200, text=body)) as client, pytest.raises(UnexpectedAnswer) as error:
        client.get(JOB_ID)
    assert str(error.value).endswith(fault)


def test_an_answer_is_waited_for_no_longer_than_told(make: type[Client]) -> None:
    timeouts: list[dict[str, float]] = []

    def server(request: httpx.Request) -> httpx.Response:
        timeouts.append(request.extensions["timeout"])
        return httpx.Response(200, json=dump([]))

    with make("http://train.test", timeout_seconds=1, transport=httpx.MockTransport(server)) as client:
        client.workers()
    assert (timeouts[0]["read"], timeouts[0]["connect"]) == (1, 1)


def test_arrays_may_have_the_names_that_others_give_them() -> None:
    x, y = np.zeros((4, 2), np.float32), np.arange(4)
    for names in (("X", "y"), ("x", "y"), ("train_images", "train_labels"), ("x_train", "y_train")):
        _, parts = opened(dict(zip(names, (x, y), strict=True)))
        assert b"".join(parts).startswith(b"PK")
    _, parts = opened({"x": np.arange(3), "y": np.arange(3)})  # columns of a table
    assert b"".join(parts).startswith(b"x,y\r\n")
    with pytest.raises(ValueError, match="NumPy arrays x_train and y_train"):
        opened({"x_train": x})
    with pytest.raises(ValueError, match="no columns"):
        opened({})


def test_a_single_picture_is_in_a_list(make: type[Client], tmp_path: Path) -> None:
    with make("http://127.0.0.1:1") as client:
        for picture in ("one.png", tmp_path / "one.png", b"bytes"):
            with pytest.raises(TypeError, match="a list of pictures"):
                client.predict_pictures(JOB_ID, picture)  # pyright: ignore[reportArgumentType]


def test_a_folder_that_is_not_there_is_named(make: type[Client], tmp_path: Path) -> None:
    with make("http://127.0.0.1:1") as client, pytest.raises(FileNotFoundError, match="none"):
        client.download(JOB_ID, "model.onnx", tmp_path / "none" / "model.onnx")


@pytest.mark.timeout(30)
def test_wait_gives_up_in_time_where_the_server_hangs(make: type[Client]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began_at = time.monotonic()
        with make(url) as client, pytest.raises(StillRunning, match=r"told nothing in 0\.1 s"):
            client.wait(JOB_ID, timeout=0.1)
        assert time.monotonic() - began_at < 10


def test_wait_goes_on_where_the_server_has_too_much_to_do(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradientd.client._sync.jobs.AWAY_SECONDS", 0.0)
    monkeypatch.setattr("gradientd.client._async.jobs.AWAY_SECONDS", 0.0)
    busy = httpx.Response(429, json={"code": "rate_limited", "status": 429})
    answers = [httpx.Response(200, json=dump(sample_job())), busy, httpx.Response(200, json=dump(succeeded_job()))]
    with client_of(lambda request: answers.pop(0)) as client:
        assert client.wait(JOB_ID).status is Status.SUCCEEDED


@dataclass(frozen=True)
class Converted:
    """As `gradientd.from_keras` gives it."""

    model: dict[str, Any]
    freeze: tuple[str, ...] = ()


LAYERS = {"type": "layers", "layers": [{"type": "flatten"}, {"type": "dense", "name": "a"}]}


@pytest.mark.parametrize(
    ("spec", "fields", "sent"),
    [
        (None, {}, {}),
        ({"epochs": 3, "seed": 1}, {"epochs": 2}, {"epochs": 2, "seed": 1}),
        (None, {"model": Converted(LAYERS), "dataset": "digits"}, {"model": LAYERS, "dataset": "digits"}),
        ({"model": Converted(LAYERS, ("a",))}, {}, {"model": LAYERS, "freeze": ["a"]}),
        (None, {"model": Converted(LAYERS, ("a",)), "freeze": []}, {"model": LAYERS, "freeze": []}),
        (Spec(seed=4), {"epochs": 1}, {"seed": 4, "epochs": 1}),
    ],
)
def test_fields_may_stand_beside_a_spec_and_a_model_be_a_converted_one(
    client_of: ClientOf, spec: Any, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    bodies: list[Any] = []

    def accept(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(202, json=dump(sample_job()))

    with client_of(accept) as client:
        client.submit(spec, **fields)
        client.resolve(spec, **fields)
    assert bodies == [sent, sent]
