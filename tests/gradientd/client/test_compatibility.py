"""A newer server does not break an older client, and an older server's gaps are named."""

import json
import warnings
from typing import Any

import httpx
import pytest

from gradientd import __version__
from gradientd.client import NotSupported, Refused, UnexpectedAnswer
from jobs.record import Event
from jobs.spec import Spec
from jobs.states import TERMINAL, Phase, Reason, Status
from tests.gradientd.client.conftest import ClientOf
from tests.gradientd.client.test_client import answer
from tests.gradientd.samples import CREATED_AT, JOB_ID, dump, sample_job, succeeded_job


def newer_job() -> dict[str, Any]:
    """A job as a server tells it that knows more than this client."""
    at = CREATED_AT.isoformat()
    told = dump(sample_job())
    told |= {"status": "hibernating", "status_reason": "cold", "phase": "dreaming", "colour": "blue"}
    told["transitions"] = [
        {"at": at, "status": "queued", "reason": None, "attempt": 0},
        {"at": at, "status": "hibernating", "reason": "cold", "attempt": 1},
    ]
    told["spec"] |= {
        "model": {"type": "graph", "layers": [{"type": "conv2d", "filters": 8}]},
        "optimizer": {"type": "lion", "learning_rate": 0.1},
        "precision": "float4",
        "export": ["onnx", "coreml"],
        "epochs": 1_000_000,
        "webhook": {"url": "https://example.org"},
    }
    return told


def test_what_a_newer_server_says_is_kept_as_it_came(client_of: ClientOf) -> None:
    with client_of(answer(200, newer_job())) as client:
        job = client.get(JOB_ID)
    assert (job.status, job.status_reason, job.phase) == ("hibernating", "cold", "dreaming")
    assert (type(job.status), type(job.status_reason), type(job.phase)) == (Status, Reason, Phase)
    assert job.status not in TERMINAL
    assert hash(job.status) == hash("hibernating")
    assert [str(each.status) for each in job.transitions] == ["queued", "hibernating"]
    assert job.transitions[1].reason == "cold"
    assert job.spec.model.type == "graph"
    assert getattr(job.spec.model, "layers")[0]["filters"] == 8  # noqa: B009 - of a class that has no such member here
    assert (job.spec.optimizer.type, job.spec.precision) == ("lion", "float4")
    assert (job.spec.export, job.spec.epochs) == (("onnx", "coreml"), 1_000_000)
    assert job.spec.batch_size == Spec().batch_size
    assert json.loads(job.model_dump_json(exclude={"spec"}))["status"] == "hibernating"
    assert "hibernating" in repr(job)
    assert "hibernating" in job._repr_html_()  # pyright: ignore[reportPrivateUsage] - what a notebook calls
    # What is known goes on being known.
    assert set(Status) == {"queued", "running", "cancelling", "pausing", "paused", "succeeded", "failed", "cancelled"}
    with pytest.raises(ValueError, match="hibernating"):
        Status("hibernating")
    assert Spec().model.type == "mlp"


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "mamba", "units": 3},
        {"type": "conv2d", "filters": 8},
        {"type": "dense", "units": 1 << 40},
        {"type": "dense", "units": 3, "activation": "snake"},
    ],
    ids=["kind", "default", "bound", "word"],
)
def test_a_layer_that_is_not_known_is_kept_as_it_came(client_of: ClientOf, layer: dict[str, Any]) -> None:
    told = dump(sample_job())
    told["spec"]["model"] = {"type": "layers", "layers": [{"type": "flatten"}, layer, {"type": "dense"}]}
    with client_of(answer(200, told)) as client:
        model = client.get(JOB_ID).spec.model
    assert model.type == "layers"
    kept: Any = model.layers[1]  # pyright: ignore[reportAttributeAccessIssue]
    assert (kept if isinstance(kept, dict) else kept.model_dump(exclude_unset=True, warnings=False)) == layer


def test_a_list_with_such_a_job_is_a_list(client_of: ClientOf) -> None:
    page = dump([succeeded_job()])
    page["data"].append(newer_job())
    with client_of(answer(200, page)) as client:
        assert [job.status for job in client.list()] == ["succeeded", "hibernating"]


def test_waiting_goes_on_through_a_status_that_is_not_known(client_of: ClientOf) -> None:
    answers = [newer_job(), newer_job(), dump(succeeded_job())]
    with client_of(lambda _: httpx.Response(200, json=answers.pop(0))) as client:
        assert client.wait(JOB_ID).status is Status.SUCCEEDED


def test_events_of_types_that_are_not_known_are_told(client_of: ClientOf) -> None:
    told = Event(id="1-1", type="dream", at=CREATED_AT, data={"of": "sheep"})
    done = Event(id="1-2", type="done", at=CREATED_AT, data={"status": "hibernated"})
    live = {
        "object": "training.progress",
        "status": "hibernating",
        "phase": "dreaming",
        "queue_position": None,
        "progress": {"epochs": 3, "steps": 9, "percent": 3.0},
    }
    frames = [
        f"id: 1-1\nevent: dream\ndata: {told.model_dump_json()}\n\n",
        f"event: progress\ndata: {json.dumps(live)}\n\n",
        f"id: 1-2\nevent: done\ndata: {done.model_dump_json()}\n\n",
    ]
    stream = httpx.Response(200, text="".join(frames), headers={"content-type": "text/event-stream"})
    with client_of(lambda _: httpx.Response(200, content=stream.content, headers=stream.headers)) as client:
        events = list(client.events(JOB_ID, progress=True))
    assert events[0] == told
    assert not isinstance(events[1], Event)
    assert events[1].status == "hibernating"
    assert events[2] == done


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 5},
        {"status": None},
        {"object": "training.run"},
        {"progress": {"epochs": "many", "steps": 3}},
        {"created_at": "yesterday"},
        {"metadata": {"team": 5}},
    ],
)
def test_what_is_of_another_type_is_no_answer(client_of: ClientOf, wrong: dict[str, Any]) -> None:
    with client_of(answer(200, newer_job() | wrong)) as client, pytest.raises(UnexpectedAnswer):
        client.get(JOB_ID)


def older(problem: dict[str, Any], *, version: str | None = "0.0.9") -> Any:
    """A server that refuses what it does not know."""

    def server(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/healthz":
            return httpx.Response(200, json={"status": "ok", "version": version}) if version else httpx.Response(404)
        return httpx.Response(problem["status"], json=problem)

    return server


@pytest.mark.parametrize(("status", "code"), [(404, "route_not_found"), (405, "method_not_allowed")])
def test_an_older_server_is_said_to_lack_an_operation(client_of: ClientOf, status: int, code: str) -> None:
    with client_of(older({"status": status, "code": code, "detail": "nothing is here"})) as client:
        with pytest.raises(NotSupported) as refused:
            list(client.all_events())
        with pytest.raises(Refused, match="does not know POST /v1/jobs/"):
            client.pause(JOB_ID)
    told = f"this server does not know GET /v1/events: it is gradientd 0.0.9, this client {__version__}"
    assert str(refused.value) == told
    assert (refused.value.missing, refused.value.server_version) == ("GET /v1/events", "0.0.9")
    assert (refused.value.code, refused.value.problem.status) == (code, status)


def test_a_server_that_does_not_tell_its_version(client_of: ClientOf) -> None:
    problem = {"status": 404, "code": "route_not_found", "detail": "nothing is here"}
    with client_of(older(problem, version=None)) as client, pytest.raises(NotSupported, match="it does not tell"):
        client.workers()


def test_an_older_server_is_said_to_lack_a_parameter(client_of: ClientOf) -> None:
    def problem(name: str) -> dict[str, Any]:
        errors = [{"parameter": name, "detail": "There is no such parameter"}]
        return {"status": 422, "code": "invalid_parameter", "detail": f"{name}: …", "errors": errors}

    said = "does not know the parameter max_points of GET /v1/jobs/"
    with client_of(older(problem("max_points"))) as client, pytest.raises(NotSupported, match=said):
        client.metrics(JOB_ID, max_points=5)
    with client_of(older(problem("Prefer"))) as client, pytest.raises(Refused) as refused:
        client.metrics(JOB_ID)
    assert not isinstance(refused.value, NotSupported)


def test_an_older_server_is_said_to_lack_a_form(client_of: ClientOf) -> None:
    said = f"does not know GET /v1/jobs/{JOB_ID}/events as text/event-stream"
    problem = {"status": 406, "code": "not_acceptable", "detail": "there is application/json"}
    with client_of(older(problem)) as client, pytest.raises(NotSupported, match=said):
        list(client.events(JOB_ID))


def test_an_unknown_job_is_not_an_older_server(client_of: ClientOf) -> None:
    problem = {"status": 404, "code": "job_not_found", "detail": "no job"}
    with client_of(older(problem)) as client, pytest.raises(Refused, match="no job") as refused:
        client.get(JOB_ID)
    assert not isinstance(refused.value, NotSupported)


def test_what_a_newer_server_says_is_submitted_again_without_a_warning(client_of: ClientOf) -> None:
    told: list[Any] = []

    def server(request: httpx.Request) -> httpx.Response:
        told.append(json.loads(request.content) if request.content else None)
        return httpx.Response(200, json=newer_job())

    with client_of(server) as client, warnings.catch_warnings():
        warnings.simplefilter("error")
        client.submit(client.get(JOB_ID).spec)
    assert told[1]["model"] == newer_job()["spec"]["model"]
