"""Jobs that begin with what others have learnt, through real processes."""

import io
from typing import Any

import numpy as np
import pytest

from tests.e2e.conftest import Stack

SMALL: dict[str, Any] = {
    "model": {"type": "mlp", "hidden": [16]},
    "loss": "cross_entropy",
    "optimizer": {"type": "sgd", "learning_rate": 0.1},
    "execution": "graph",
    "export": [],
    "epochs": 2,
}
STILL = {"type": "sgd", "learning_rate": 1e-30}
"""A rate at which no weight changes."""


def weights(stack: Stack, job_id: str) -> dict[str, np.ndarray]:
    answer = stack.http.get(f"/v1/jobs/{job_id}/artifacts/weights.npz")
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def succeeded(stack: Stack, **spec: Any) -> dict[str, Any]:
    job = stack.wait(stack.submit(**spec))
    assert job["status"] == "succeeded", job["error"]
    return job


def test_a_job_goes_on_from_what_another_one_learnt(stack: Stack) -> None:
    parent = succeeded(stack, **SMALL)
    still = succeeded(stack, init_from=parent["id"], optimizer=STILL, epochs=1, seed=5, export=[], execution="graph")
    for name, value in weights(stack, parent["id"]).items():
        np.testing.assert_array_equal(weights(stack, still["id"])[name], value)
    assert still["metrics"]["test_accuracy"] == parent["metrics"]["test_accuracy"]
    best = succeeded(stack, **{**SMALL, "init_from": f"{parent['id']}@best", "optimizer": STILL, "epochs": 1})
    assert best["initial_weights"]["epoch"] == parent["metrics"]["best"]["epoch"]
    assert best["metrics"]["latest"]["val_accuracy"] == parent["metrics"]["best"]["val_accuracy"]

    # It trains although its parent is deleted before it is claimed.
    child_id = stack.submit(**SMALL, init_from=parent["id"], freeze=["dense_1"])
    stack.http.delete(f"/v1/jobs/{parent['id']}")
    child = stack.wait(child_id)
    assert child["status"] == "succeeded", child["error"]
    assert child["initial_weights"]["source"] == parent["id"]
    learnt, before = weights(stack, child_id), weights(stack, still["id"])
    np.testing.assert_array_equal(learnt["dense_1/kernel"], before["dense_1/kernel"])
    assert not np.array_equal(learnt["output/kernel"], before["output/kernel"])
    assert child["metrics"]["test_loss"] < parent["metrics"]["test_loss"]
    logs = [event["data"]["message"] for event in stack.events(child_id, "log")]
    assert f"begins with 4 arrays of {parent['id']} after 2 epochs" in logs


def rows(first: int, *, scale: float, regression: bool) -> tuple[str, list[dict[str, Any]]]:
    """300 rows as CSV and as objects; some have no `x`."""
    rng = np.random.default_rng(first)
    made: list[dict[str, Any]] = []
    for _ in range(300):
        x, city = round(float(rng.normal(0, scale)), 3), str(rng.choice(["Bern", "Basel", "Chur"][first:]))
        y = round(2 * x + 3 * (city == "Basel"), 3)
        made.append(
            {"x": "" if rng.uniform() < 0.1 else x, "city": city, "y": y if regression else ("no", "yes")[y > 0]}
        )
    lines = [",".join(map(str, row.values())) for row in made]
    return "x,city,y\n" + "\n".join(lines) + "\n", made


@pytest.mark.parametrize("regression", [True, False], ids=["numbers", "classes"])
def test_a_table_is_fed_and_told_as_the_parents_was(stack: Stack, regression: bool) -> None:
    first, _ = rows(0, scale=1, regression=regression)
    second, raw = rows(1, scale=5, regression=regression)
    name = "first-numbers" if regression else "first-classes"
    for content in (first, second):
        assert stack.http.put(f"/v1/datasets/{name}", content=content).status_code == 201
    parent = succeeded(stack, dataset=f"{name}@1", epochs=5)
    child = succeeded(
        stack, init_from=parent["id"], dataset=f"{name}@2", optimizer=STILL, epochs=1, early_stopping=None
    )
    # Nothing was learnt: both tell the same of the same raw rows, and the child measured just that.
    told = [
        stack.http.post(f"/v1/jobs/{job['id']}/predict", json={"instances": raw}).json()["predictions"]
        for job in (parent, child)
    ]
    assert told[0] == told[1]
    held_out = stack.http.get(
        f"/v1/datasets/{name}/preview", params={"version": 2, "split": "test", "limit": 60}
    ).json()
    test_rows = held_out["data"]
    answers = stack.http.post(f"/v1/jobs/{parent['id']}/predict", json={"instances": test_rows}).json()["predictions"]
    if regression:
        errors = [abs(one["value"] - row["y"]) for one, row in zip(answers, test_rows, strict=True)]
        assert child["metrics"]["test_mae"] == pytest.approx(np.mean(errors), rel=1e-3)
    else:
        right = [one["label"] == row["y"] for one, row in zip(answers, test_rows, strict=True)]
        assert child["metrics"]["test_accuracy"] == pytest.approx(np.mean(right))
