"""Pictures and arrays, from the upload to the answer: what they become, and how long that takes."""

import base64
import csv
import io
import json
import threading
import time
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import psutil
from PIL import Image

from bench.figure import Figure, Spread, Target
from bench.options import Options
from bench.stack import Broken, Stack, running
from bench.throughput import ask

NOTE = """\
pictures: scikit-learn's digits as PNGs in class folders, as .npz and as CSV, preset `auto`, the mean test accuracy of 5
seeds each: the peer is the CSV, and the bound the worst of its seeds. INT8: the test accuracy, by LiteRT, of the file
in whole numbers beside the float file's. A large upload: JPEGs of 256 x 256 in a zip, from the request to the version,
by a check of one process at a low priority; others ask for a job meanwhile. One picture: a PNG of 28 x 28 in base64,
asked over 16 connections."""

SEEDS = 5
JPEGS = 20_000
TESTED = 1000


def run(options: Options) -> list[Figure]:
    """Measure."""
    with running(options, worker=True) as stack:
        return [*_digits(stack, options), *_whole_numbers(stack, options), *_many(stack, options)]


# --- the same digits in three forms --------------------------------------------------------------------


def _digits(stack: Stack, options: Options) -> list[Figure]:
    from sklearn.datasets import load_digits  # noqa: PLC0415 (for its digits; this bench alone needs it)

    found: Any = load_digits()
    pixels, labels = (found.images * 15).astype(np.uint8), found.target
    seeds = range(1 if options.quick else options.runs or SEEDS)
    forms = {"png": _zip_of(pixels, labels), "npz": _npz_of(pixels, labels), "csv": _csv_of(pixels, labels)}
    accuracy = {form: _accuracies(stack, f"digits-{form}", content, seeds) for form, content in forms.items()}
    bound = Target("at least", round(min(accuracy["csv"]), 4))
    csv_ones = Spread.of([mean(accuracy["csv"])])
    return [
        Figure(f"digits as {name}, accuracy", "", Spread.of([mean(accuracy[form])]), "as CSV", csv_ones, True, bound)
        for form, name in (("png", "PNGs"), ("npz", ".npz"))
    ]


def _accuracies(stack: Stack, name: str, content: bytes, seeds: range) -> list[float]:
    found: list[float] = []
    for seed in seeds:
        dataset = _uploaded(stack, name, content, f"split_seed={seed}")
        found.append(_succeeded(stack, dataset=dataset, seed=seed)["metrics"]["test_accuracy"])
    return found


# --- whole numbers -------------------------------------------------------------------------------------


def _whole_numbers(stack: Stack, options: Options) -> list[Figure]:
    import tensorflow as tf  # noqa: PLC0415 (for LiteRT, which comes with it)

    arrays = np.load(stack.folder.arrays)
    count = 600 if options.quick else 6000
    content = io.BytesIO()
    tested = 100 if options.quick else TESTED
    np.savez(
        content,
        x_train=arrays["x_train"][:count],
        y_train=arrays["y_train"][:count],
        x_test=arrays["x_test"][:tested],
        y_test=arrays["y_test"][:tested],
    )
    dataset = _uploaded(stack, "mnist-part", content.getvalue())
    job = _succeeded(stack, dataset=dataset, epochs=1 if options.quick else 8, export=["tflite", "tflite_int8", "onnx"])
    right: dict[str, float] = {}
    for form in ("tflite", "tflite_int8"):
        graph = stack.http.get(f"/v1/jobs/{job['id']}/model?format={form}").content
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that LiteRT has a package of its own
            model = tf.lite.Interpreter(model_content=graph)
        right[form] = _told(model, arrays["x_test"][:tested], arrays["y_test"][:tested])
    picture = io.BytesIO()
    Image.fromarray(arrays["x_test"][0]).save(picture, "PNG")
    body = json.dumps({"instances": [{"b64": base64.b64encode(picture.getvalue()).decode()}]})
    path = f"/v1/jobs/{job['id']}/predict"
    rates = [ask(stack.port, "POST", path, body, seconds=0.5 if options.quick else 3) for _ in range(options.rounds(5))]
    bound = Target("at least", round(right["tflite"] - 0.01, 4))
    return [
        Figure(
            f"INT8, accuracy on {tested:,}",
            "",
            Spread.of([right["tflite_int8"]]),
            "in float",
            Spread.of([right["tflite"]]),
            higher_is_better=True,
            target=bound,
        ),
        Figure("predict a PNG of 28 x 28", "1/s", Spread.of(rates), target=Target("at least", 500)),
    ]


def _told(model: Any, pictures: np.ndarray, labels: np.ndarray) -> float:
    """Share of the pictures [N, 28, 28] that a TFLite file tells right."""
    (given,), (told,) = model.get_input_details(), model.get_output_details()
    model.allocate_tensors()
    right = 0
    for picture, label in zip(pictures, labels, strict=True):
        model.set_tensor(given["index"], picture.reshape(given["shape"]).astype(given["dtype"]))
        model.invoke()
        right += int(model.get_tensor(told["index"])[0].argmax() == label)
    return right / len(pictures)


# --- a large upload ------------------------------------------------------------------------------------


def _many(stack: Stack, options: Options) -> list[Figure]:
    count = 200 if options.quick else JPEGS
    archive = stack.folder.path / "many.zip"
    _write_jpegs(archive, count)
    job_id = _succeeded(stack, epochs=1, dataset="mnist-10k")["id"]
    api = _process_of(stack)
    peaks, answers, done = [api.memory_info().rss], list[float](), threading.Event()

    def others() -> None:
        while not done.is_set():
            began = time.perf_counter()
            stack.http.get(f"/v1/jobs/{job_id}").raise_for_status()
            answers.append(time.perf_counter() - began)
            peaks.append(api.memory_info().rss)
            done.wait(0.01)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(others)
        began = time.perf_counter()
        try:
            with archive.open("rb") as content:
                _uploaded(stack, "many", content)
        finally:
            done.set()
        seconds = time.perf_counter() - began
        asking.result()
    megabytes = archive.stat().st_size / 1e6
    grown = (max(peaks) - peaks[0]) / 2**20
    p99 = Spread.of(answers).percentile(99)
    what = f"{count:,} JPEGs ({megabytes:,.0f} MB)"
    return [
        Figure(f"{what} checked", "s", Spread.of([seconds]), target=Target("at most", 240)),
        Figure(f"{what}: the API grows by", "MiB", Spread.of([max(grown, 0.01)]), target=Target("at most", 200)),
        Figure(f"{what}: others' p99", "ms", Spread.of([p99 * 1e3]), target=Target("at most", 100)),
    ]


def _write_jpegs(path: Path, count: int) -> None:
    """Pictures of 256 x 256 in ten class folders: waves, each its own, with as much detail as photographs have."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 16, (512, 512, 3))
    y, x = np.mgrid[0:256, 0:256]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for n in range(count):
            label = n % 10
            angle, phase = label * np.pi / 10, rng.uniform(0, 6.3, 3)
            wave = np.sin((x * np.cos(angle) + y * np.sin(angle))[..., None] / 9 + phase) * 70 + 128
            at = rng.integers(0, 256, 2)
            noisy = wave + grain[at[0] : at[0] + 256, at[1] : at[1] + 256]
            out = io.BytesIO()
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=88)
            archive.writestr(f"class{label}/{n:05}.jpg", out.getvalue())


def _process_of(stack: Stack) -> psutil.Process:
    (pid,) = (process.pid for name, process, _ in stack.processes.started if name == "api")
    return psutil.Process(pid)


# --- shared --------------------------------------------------------------------------------------------


def _uploaded(stack: Stack, name: str, content: Any, query: str = "") -> str:
    """Upload, and wait for the check; the version's id."""
    answer = stack.http.put(f"/v1/datasets/{name}?{query}", content=content, timeout=600)
    if answer.status_code == 202:
        where = answer.headers["location"]
        upload: Callable[[], Any] = lambda: stack.http.get(where).json()  # noqa: E731
        stack.processes.wait_until(lambda: upload()["status"] != "checking", what="the check", seconds=900)
        ended = upload()
        if ended["status"] != "ready":
            raise Broken(json.dumps(ended)[:1000])
        return ended["dataset"]["id"]
    if answer.status_code not in (200, 201):
        raise Broken(answer.text[:1000])
    return answer.json()["id"]


def _succeeded(stack: Stack, **spec: Any) -> dict[str, Any]:
    """Train; the job once it has succeeded."""
    job_id = stack.submit(**spec)
    stack.until_status(job_id, "succeeded")
    return stack.http.get(f"/v1/jobs/{job_id}").json()


def _zip_of(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for n, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
            out = io.BytesIO()
            Image.fromarray(picture).save(out, "PNG")
            archive.writestr(f"{label}/{n:04}.png", out.getvalue())
    return content.getvalue()


def _npz_of(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.savez(content, x_train=pixels, y_train=labels)
    return content.getvalue()


def _csv_of(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    content = io.StringIO()
    writer = csv.writer(content)
    rows = pixels.reshape(len(pixels), -1)
    writer.writerow([*(f"p{n}" for n in range(rows.shape[1])), "digit"])
    writer.writerows([*row, label] for row, label in zip(rows.tolist(), labels.tolist(), strict=True))
    return content.getvalue().encode()
