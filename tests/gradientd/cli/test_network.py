"""`model show`: the table of layers, and refusals that name the layer."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.schemas import Resolved
from gradientd.cli.app import app
from gradientd.cli.exit_codes import ExitCode
from jobs.datasets import find
from jobs.estimate import estimate
from jobs.spec import Spec
from tests.gradientd.samples import serving

MODEL: dict[str, Any] = {
    "type": "layers",
    "layers": [
        {"type": "conv2d", "name": "entry", "filters": 8, "kernel_size": 3, "padding": "same"},
        {"type": "batch_normalization", "name": "norm"},
        {"type": "add", "name": "sum", "inputs": ["entry", "norm"]},
        {"type": "flatten"},
        {"type": "dense"},
    ],
}
TABLE = """\
layer (type)                output shape  parameters  connected to
entry (conv2d)              28 x 28 x 8   80          input
norm (batch_normalization)  28 x 28 x 8   32          entry
sum (add)                   28 x 28 x 8   0           entry, norm
flatten_4 (flatten)         6272          0           sum
dense_5 (dense)             10            62,730      flatten_4
parameters: 62,842 (251 kB)
trained: 62,826
not trained: 16
"""


def show(*arguments: str, stdin: str | None = None, asked: list[Any] | None = None, answer: Any = None) -> Result:
    """Run the command against a server that resolves as ours does, or gives this answer."""

    def resolve(body: Any) -> tuple[int, Any]:
        if asked is not None:
            asked.append(body)
        spec = Spec.model_validate(body)
        return answer or (200, Resolved.of(spec, estimate(spec, find(spec.dataset))))

    with serving({"POST /v1/jobs": resolve}) as url:
        return CliRunner().invoke(app, ["model", "show", *arguments], env={"GRADIENTD_URL": url}, input=stdin)


def test_a_table_tells_each_layer_and_the_sums(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps({"model": MODEL, "loss": "cross_entropy"}))
    result = show(str(file))
    assert (result.exit_code, result.stdout) == (0, TABLE)


def test_a_model_alone_is_put_into_a_spec_and_may_come_by_standard_input() -> None:
    asked: list[Any] = []
    assert show("-", "--dataset", "mnist", stdin=json.dumps(MODEL), asked=asked).stdout == TABLE
    assert asked == [{"model": MODEL, "dataset": "mnist"}]


def test_json_is_the_servers_answer() -> None:
    found = json.loads(show("-", "--json", stdin=json.dumps(MODEL)).stdout)
    assert [layer["type"] for layer in found["layers"]] == [layer["type"] for layer in MODEL["layers"]]
    assert (found["parameters"], found["non_trainable_parameters"]) == (62_826, 16)


@pytest.mark.parametrize(
    ("pointer", "detail", "said"),
    [
        (
            "/model/layers/0/filters",
            "must be at least 1",
            "model.layers.0.filters: must be at least 1 (in layer 1, 'entry')",
        ),
        ("/model/layers/4/unit", "there is no such field", "(in layer 5, 'dense')"),
        (
            "/model/layers/2",
            "layer 3, 'sum' (add), takes inputs of one shape",
            "model.layers.2: layer 3, 'sum' (add), takes inputs of one shape\n",
        ),
    ],
)
def test_a_refused_model_is_told_with_the_layer(pointer: str, detail: str, said: str) -> None:
    errors = [{"pointer": pointer, "detail": detail}]
    problem = {"status": 422, "code": "invalid_spec", "title": "The spec is wrong", "detail": detail, "errors": errors}
    result = show("-", stdin=json.dumps(MODEL), answer=(422, problem))
    assert result.exit_code == ExitCode.REFUSED
    assert said in result.stderr


@pytest.mark.parametrize("text", ["[]", "{", '"x"'])
def test_what_is_no_object_is_a_usage_error(text: str) -> None:
    result = show("-", stdin=text)
    assert result.exit_code == 2
    assert "standard input" in result.stderr


def test_an_older_server_is_told_to_be_that() -> None:
    result = show("-", stdin="{}", answer=(200, {"object": "training.estimate", "parameters": 3}))
    assert result.exit_code != 0
    assert "does not tell the layers" in result.stderr
