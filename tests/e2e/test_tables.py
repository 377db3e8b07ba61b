"""From a CSV to an answer, through real processes: words, dates, missing values, and the same answers everywhere."""

import csv
import io
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs" / "rows.py"
DECODER = runpy.run_path(str(DOCS))

KERAS = """
import sys, keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
assert not {"gradientd", "worker", "api", "jobs"} & sys.modules.keys()
"""
"""The downloaded file in Keras, without anything of ours."""


def table(*, regression: bool = False) -> list[dict[str, Any]]:
    """500 rows of what people have, whose target depends on some of it."""
    rng = np.random.default_rng(8)
    rows: list[dict[str, Any]] = []
    for n in range(500):
        age, city = round(float(rng.normal(40, 12)), 1), str(rng.choice(["Bern", "Basel; Stadt", "Zürich"]))
        score = age / 12 + 2 * (city == "Bern") + rng.normal(scale=0.3)
        rows.append(
            {
                "age": "" if n % 17 == 0 else age,
                "city": "NA" if n % 31 == 0 else city,
                "since": f"20{n % 25:02}-0{1 + n % 9}-11",
                "note": 'said "yes",\nthen no' if n % 2 else "-",
                "customer": f"c{rng.integers(0, 1000):04}",
                "country": "CH",
                "ref": f"r{n}-{rng.integers(0, 10**9)}",
                "price": round(float(score), 3) if regression else ("dear" if score > 4.3 else "cheap"),
            }
        )
    return rows


def csv_of(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.mark.parametrize("regression", [False, True], ids=["classes", "numbers"])
def test_raw_rows_are_told_the_same_by_http_onnx_and_keras(stack: Stack, tmp_path: Path, regression: bool) -> None:
    rows = table(regression=regression)
    name = "prices" if regression else "dear"
    made = stack.http.put(f"/v1/datasets/{name}", content=csv_of(rows))
    assert made.status_code == 201, made.text
    job = stack.wait(stack.submit(dataset=name, max_runtime_seconds=600))
    assert job["status"] == "succeeded", job["error"]
    assert job["spec"]["dataset"] == f"{name}@1"
    good = job["metrics"]["test_r2"] if regression else job["metrics"]["test_accuracy"]
    assert good > 0.7
    for file in ("model.onnx", "model.keras", "encoding.json"):
        answer = stack.http.get(f"/v1/jobs/{job['id']}/artifacts/{file}")
        (tmp_path / file).write_bytes(answer.content)
    encoding = json.loads((tmp_path / "encoding.json").read_text())
    raw = [{name: str(cell) for name, cell in row.items()} for row in rows]
    inputs = DECODER["encode"](encoding, raw)
    # What training was fed is what the documented decoder makes of the raw strings.
    (folder,) = (
        folder for folder in (stack.folder / "versions").iterdir() if (folder / "upload").read_bytes() == csv_of(rows)
    )
    trained_on = np.concatenate([np.load(folder / "arrays" / f"{part}_x.npy") for part in ("train", "test")])
    sort = lambda x: x[np.lexsort(x.T)]  # noqa: E731
    np.testing.assert_allclose(sort(inputs.round(5)), sort(trained_on.round(5)), atol=2e-5)

    told = stack.http.post(f"/v1/jobs/{job['id']}/predict", json={"instances": raw}).json()["predictions"]
    session: Any = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (onnx,) = session.run(None, {"features": inputs})
    np.save(tmp_path / "inputs.npy", inputs)
    subprocess.run(
        [sys.executable, "-c", KERAS, tmp_path / "model.keras", tmp_path / "inputs.npy", tmp_path / "keras.npy"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    keras = np.load(tmp_path / "keras.npy")
    labels = [one.get("label") for one in told]
    if regression:
        (target,) = made.json()["targets"]
        tolerance = 1e-5 * target["std"]
        ours = np.array([[one["value"]] for one in told])
        real = np.array([row["price"] for row in rows])
        assert np.abs(ours[:, 0] - real).mean() < 0.7 * real.std()
    else:
        tolerance = 1e-5
        ours = np.array([list(one["probabilities"].values()) for one in told])
        assert labels == [DECODER["label"](encoding, one) for one in onnx]
    np.testing.assert_allclose(ours, onnx, atol=tolerance)
    np.testing.assert_allclose(ours, keras, atol=tolerance)
    # The same rows one by one, and as a CSV without the target, whose columns are in another order.
    for row, one in list(zip(raw, told, strict=True))[:5]:
        again = stack.http.post(f"/v1/jobs/{job['id']}/predict", json={"instances": [row]}).json()["predictions"][0]
        assert again == pytest.approx(one, abs=1e-6) if regression else again["label"] == one["label"]
    without = [{name: row[name] for name in reversed(list(row)) if name != "price"} for row in rows]
    answer = stack.http.post(
        f"/v1/jobs/{job['id']}/predict", content=csv_of(without), headers={"content-type": "text/csv"}
    )
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(lines) == len(rows)
    if regression:
        np.testing.assert_allclose([float(line["price"]) for line in lines], ours[:, 0], atol=tolerance)
    else:
        assert [line["label"] for line in lines] == labels


def test_a_job_outlives_nothing_that_it_needs(stack: Stack) -> None:
    rows = table()
    stack.http.put("/v1/datasets/kept", content=csv_of(rows))
    job_id = stack.submit(dataset="kept", epochs=10_000, early_stopping=None, validation_split=0)
    refused = stack.http.delete("/v1/datasets/kept")
    assert (refused.status_code, refused.json()["code"]) == (409, "dataset_in_use")
    stack.http.post(f"/v1/jobs/{job_id}/cancel")
    stack.wait(job_id)
    assert stack.http.delete("/v1/datasets/kept").status_code == 204
