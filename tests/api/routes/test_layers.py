"""`POST /v1/jobs` with networks of layers: what is refused names the layer, and hostile ones cost little."""

from typing import Any

import httpx
import pytest

from jobs.spec import MOST_LAYERS
from tests.api.conftest import assert_problem
from tests.jobs.random_networks import Json
from tests.jobs.test_layers import MUTATIONS, spoilt

pytestmark = pytest.mark.anyio

RELU = {"type": "activation", "activation": "relu"}


def nested(levels: int, innermost: Any) -> Any:
    for _ in range(levels):
        innermost = {"type": "bidirectional", "layer": innermost}
    return innermost


def lists(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


HOSTILE: dict[str, tuple[list[Any], str, str]] = {
    "10,000 layers": ([{}] * 10_000, "/model/layers", "Input should have at most 512 items, not 10,000"),
    "widths at the bounds": (
        [{"type": "flatten"}, *[{"type": "dense", "units": 65_536}] * (MOST_LAYERS - 2), {"type": "dense"}],
        "/model",
        "2,186,223,812,618 parameters",
    ),
    "a huge embedding": (
        [{"type": "embedding", "input_dim": 1_000_000, "output_dim": 65_536}, {"type": "flatten"}, {"type": "dense"}],
        "/model",
        "parameters; this server allows",
    ),
    "a cycle": (
        [{"type": "add", "name": f"n{n}", "inputs": [f"n{(n + 1) % 500}"] * 16} for n in range(500)],
        "/model/layers/0/inputs",
        "layer 1, 'n0' (add), takes 'n1', which comes after it",
    ),
    "names that differ in case": (
        [{**RELU, "name": f"{'a' * 60}{letter}"} for letter in "bB" * 250],
        "/model/layers/1/name",
        "names must differ in more than case",
    ),
    "100 levels": ([nested(100, {"type": "lstm", "units": 1})], "/model/layers/0/layer", "layer 1, 'bidirectional_1'"),
    "100 lists": ([lists(100)], "/model/layers/0", "layer 1: "),
    "100 lists for a number": (
        [{"type": "dense", "units": lists(100)}],
        "/model/layers/0/units",
        "layer 1, 'dense_1' (dense)",
    ),
    "memory that doubles": (
        [{"type": "flatten", "name": "n0"}]
        + [{"type": "concatenate", "name": f"n{n}", "inputs": [f"n{n - 1}"] * 2} for n in range(1, 500)],
        "/model/layers/19",
        "layer 20, 'n19' (concatenate), gives 411,041,792",
    ),
    "512 unknown kinds": ([{"type": "x" * 400}] * 512, "/model/layers/0", "there is no kind of layer 'xxx"),
    "10,000 fields": (
        [{**RELU, **{f"x{n}": 1 for n in range(10_000)}}],
        "/model/layers/0",
        "fields, not 10,002",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_networks_are_refused_with_the_number_that_is_too_large(
    http: httpx.AsyncClient, what: str
) -> None:
    layers, pointer, words = HOSTILE[what]
    answer = await http.post("/v1/jobs", json={"model": {"type": "layers", "layers": layers}})
    problem = assert_problem(answer, 422, "job_too_large" if pointer == "/model" else "invalid_spec")
    errors = problem["errors"]
    assert errors[0]["pointer"] == pointer
    assert words in errors[0]["detail"]


@pytest.mark.parametrize("fault", range(len(MUTATIONS)))
async def test_a_fault_is_told_with_its_layer(http: httpx.AsyncClient, fault: int) -> None:
    for seed in range(fault, 6 * len(MUTATIONS), len(MUTATIONS)):
        _, model, _ = spoilt(seed)
        answer = await http.post("/v1/jobs", json={"model": model})
        assert answer.status_code == 422, (seed, answer.json())
        first: Json = answer.json()["errors"][0]
        assert first["pointer"].startswith("/model/layers"), (seed, first)
        if first["pointer"] != "/model/layers" and "Input should have at most" not in first["detail"]:
            assert first["detail"].startswith(f"layer {int(first['pointer'].split('/')[3]) + 1}"), (seed, first)
