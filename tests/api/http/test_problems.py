"""What is refused is refused alike everywhere, and explained."""

from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from api.http.kinds import KINDS
from api.http.pointers import pointer_within
from jobs import errors
from tests.api.conftest import assert_problem

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/nope", "/v1", "/v1/jobs/", "/v1/jobs/a/b", "/docs/x", "/v2/jobs?x=1"])
async def test_an_unknown_path_is_a_problem(http: httpx.AsyncClient, path: str) -> None:
    assert_problem(await http.get(path), 404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, HEAD, POST"),
        ("DELETE", "/healthz", "GET, HEAD"),
        ("GET", "/v1/jobs/x/cancel", "POST"),
        ("HEAD", "/v1/jobs/x/cancel", "POST"),
        ("OPTIONS", "/v1/jobs/x", "GET, HEAD, DELETE"),
        ("BREW", "/v1/workers", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    http: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert_problem(answer, 405, "method_not_allowed")


async def test_a_fault_of_ours_is_a_500_that_says_nothing_of_it(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("store.jobs.Store.workers", fail)
    with capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        answer = await http.get("/v1/workers", headers={"X-Request-Id": "find-me"})
    assert_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    failure = next(line for line in logged if line["event"] == "request_failed")
    assert (failure["exc_info"], failure["request_id"]) == (True, "find-me")


async def test_an_errors_cause_in_the_store_is_for_the_log(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise errors.StoreUnavailable("connecting to 10.0.0.7:6379")

    monkeypatch.setattr("store.jobs.Store.workers", fail)
    answer = await http.get("/v1/workers")
    assert_problem(answer, 503, "store_unavailable")
    assert answer.headers["retry-after"] == "2"
    assert "10.0.0.7" not in answer.text


async def test_every_kind_is_explained_at_its_type(http: httpx.AsyncClient) -> None:
    page = (await http.get("/problems")).json()
    assert [kind["code"] for kind in page["data"]] == sorted(KINDS)
    for kind in page["data"]:
        assert (await http.get(kind["type"])).json() == kind
        assert kind["meaning"].endswith(".")
        assert kind["remedy"]
    assert_problem(await http.get("/problems/nope"), 404, "problem_not_found")


async def test_every_error_that_callers_can_cause_has_a_kind() -> None:
    """Failures of training are a job's, a claim that ended its worker's, wrong settings the operator's.

    A lost data directory is told as a store that is away.
    """
    others = (errors.TrainingFailed, errors.StaleFence, errors.Misconfigured, errors.DataLost)
    ours = {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, errors.GradientdError)
        and (issubclass(error, errors.InvalidSpec) or not issubclass(error, others))
        and error is not errors.GradientdError
    }
    assert ours <= KINDS.keys()


@pytest.mark.parametrize(
    ("location", "pointer"),
    [
        ((), ""),
        (("epochs",), "/epochs"),
        (("optimizer", "sgd", "learning_rate"), "/optimizer/learning_rate"),
        (("optimizer", "sgd", "sgd"), "/optimizer/sgd"),
        (("optimizer",), "/optimizer"),
        (("model", "mlp", "hidden", 2), "/model/hidden/2"),
        (("early_stopping", "patience"), "/early_stopping/patience"),
        (("metadata", "a/b~", "[key]"), "/metadata/a~1b~0"),
        (("class_weights", "literal['balanced']"), "/class_weights"),
        (("class_weights", "dict[constrained-str,constrained-float]", "a"), "/class_weights/a"),
        (("layers", 0, "dense", "units"), "/layers/0/units"),
        (("layers", 1, "conv2d", "filters"), "/layers/1/filters"),
        (("layers", 1, "conv2d", "kernel_size", "constrained-int"), "/layers/1/kernel_size"),
        (("layers", 1, "conv2d", "kernel_size", "tuple[int, int]", 0), "/layers/1/kernel_size/0"),
    ],
)
async def test_pointers_lead_into_the_body(location: tuple[Any, ...], pointer: str) -> None:
    body = {
        "epochs": 1,
        "optimizer": {"type": "sgd", "learning_rate": 0, "sgd": 1},
        "model": {"type": "mlp", "hidden": [1, 2, "x"]},
        "early_stopping": {},
        "metadata": {"a/b~": ""},
        "class_weights": {"a": -1},
        "layers": [{"type": "dense", "units": 0}, {"type": "conv2d", "kernel_size": [0]}],
    }
    assert pointer_within(location, body) == pointer
