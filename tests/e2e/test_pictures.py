"""From a folder of pictures, and from arrays, to an answer, through real processes; the same answers everywhere."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from gradientd.client import Client
from jobs.encoding import ArrayEncoder
from jobs.model_encoding import ModelEncoding
from tests.e2e.conftest import Stack

pytestmark = pytest.mark.slow


def digits(each: int) -> tuple[np.ndarray, np.ndarray]:
    """So many pictures, uint8 [N, 8, 8], of each digit, and the digits."""
    found: Any = load_digits()
    chosen = np.concatenate([np.flatnonzero(found.target == digit)[:each] for digit in range(10)])
    return (found.images[chosen] * 15.9375).astype(np.uint8), found.target[chosen]


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(str(stack.http.base_url)) as client:
        yield client


def downloaded(client: Client, job_id: str, folder: Path) -> tuple[Any, ModelEncoding]:
    """A job's graph in ONNX Runtime, and its encoding."""
    session = onnxruntime.InferenceSession(client.download(job_id, "model.onnx", folder))
    return session, ModelEncoding.model_validate_json(client.download(job_id, "encoding.json", folder).read_bytes())


def test_a_folder_of_pictures_is_learnt_and_asked(client: Client, tmp_path: Path) -> None:
    pictures, labels = digits(40)
    for n, (pixels, label) in enumerate(zip(pictures, labels, strict=True)):
        part = ("train", "train", "train", "val", "test")[n % 5]
        path = tmp_path / "digits" / part / f"Ziffer {label}" / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    dataset = client.upload("digits", tmp_path / "digits")
    assert (dataset.kind, dataset.features.shape, dataset.validation_examples) == ("images", (8, 8, 1), 80)
    job = client.wait(client.submit({"dataset": "digits", "export": ["onnx", "tflite_int8"]}).id)
    assert job.status == "succeeded", job.error
    assert job.metrics.test_accuracy is not None
    assert job.metrics.test_accuracy > 0.8
    assert {choice.field for choice in job.choices} >= {"augmentation", "early_stopping"}
    assert job.spec.validation_split == 0
    assert {artifact.name for artifact in job.artifacts} >= {"model.onnx", "model-int8.tflite", "encoding.json"}

    paths = sorted((tmp_path / "digits" / "test").rglob("*.png"))
    by_file = client.predict_pictures(job.id, paths)
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    assert client.predict(job.id, pixels.tolist()) == by_file
    session, _ = downloaded(client, job.id, tmp_path)
    (told,) = session.run(None, {"features": pixels[..., None]})
    np.testing.assert_allclose([list(one["probabilities"].values()) for one in by_file], told, atol=1e-5)
    right = np.mean([one["label"] == path.parent.name for one, path in zip(by_file, paths, strict=True)])
    assert right == pytest.approx(job.metrics.test_accuracy)


def test_a_picture_is_asked_as_it_is(stack: Stack, client: Client) -> None:
    job_id = stack.submit(dataset="mnist-10k", model={"type": "softmax"}, epochs=1)
    assert stack.wait(job_id)["status"] == "succeeded"
    picture = png(np.arange(28 * 28, dtype=np.uint8).reshape(28, 28))
    answer = stack.http.post(f"/v1/jobs/{job_id}/predict", content=picture, headers={"content-type": "image/png"})
    instance = {"b64": base64.b64encode(picture).decode()}
    assert answer.json()["predictions"] == client.predict(job_id, [instance])


@pytest.mark.parametrize("regression", [False, True], ids=["classes", "numbers"])
def test_arrays_are_learnt_and_asked(client: Client, tmp_path: Path, regression: bool) -> None:
    rng = np.random.default_rng(4)
    which = rng.integers(0, 3, 600)
    x = 1e4 + 100 * (rng.normal(size=(600, 20, 3)) + which[:, None, None] * np.sin(np.arange(20) / 3)[None, :, None])
    y: Any = np.stack([x.mean(axis=(1, 2)), 1e6 * x[:, 0, 0], which], axis=1) if regression else None
    y = y if regression else np.array(["still", "wave", "Schwingung"])[which]
    dataset = client.upload("waves", {"x_train": x, "y_train": y})
    assert (dataset.kind, dataset.features.shape) == ("arrays", (20, 3))
    job = client.wait(client.submit({"dataset": "waves"}).id)
    assert job.status == "succeeded", job.error
    good = job.metrics.test_r2 if regression else job.metrics.test_accuracy
    assert good is not None
    assert good > 0.7
    told = client.predict(job.id, x[:50].tolist())
    session, encoding = downloaded(client, job.id, tmp_path)
    assert encoding.arrays
    (outputs,) = session.run(None, {"features": ArrayEncoder(encoding.arrays, encoding.shape).encode(x[:50])})
    found = [list((one["values"] if regression else one["probabilities"]).values()) for one in told]
    stds = [target.std for target in encoding.targets] or 1.0
    np.testing.assert_allclose(np.array(found) / stds, outputs / stds, atol=1e-5)
