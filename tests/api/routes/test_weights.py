"""`/v1/weights`: weights are checked before they are kept, and jobs begin with them."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from jobs.settings import Settings
from store.artifacts import LocalArtifacts
from tests.api.conftest import assert_problem

pytestmark = pytest.mark.anyio

MODEL: dict[str, Any] = {"model": {"type": "softmax"}}


def weights(**dtypes: str) -> dict[str, np.ndarray]:
    """Those of a softmax model on MNIST."""
    rng = np.random.default_rng(2)
    kernel = rng.normal(size=(784, 10)).astype(dtypes.get("kernel", "float32"))
    return {"output/kernel": kernel, "output/bias": np.zeros(10, dtypes.get("bias", "float32"))}


def npz(arrays: dict[str, Any], *, compressed: bool = False) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def limit(app: Any, limits: dict[str, int]) -> None:
    services = app.state.services
    object.__setattr__(services, "settings", services.settings.model_copy(update=limits))


def left_behind(settings: Settings) -> list[Path]:
    """Files in the scratch folder and among those that are kept."""
    return [path for folder in ("uploads", "versions") for path in (settings.data_dir / folder).rglob("*.*")]


async def test_weights_are_kept_listed_and_deleted(http: httpx.AsyncClient, settings: Settings) -> None:
    content = npz(weights(kernel="float16", bias="float64"), compressed=True)
    made = await http.put("/v1/weights/mine", content=content)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/v1/weights/mine"
    body = made.json()
    assert (body["object"], body["name"], body["size_bytes"]) == ("weights", "mine", len(content))
    assert body["arrays"] == [
        {"name": "output/kernel", "shape": [784, 10], "dtype": "float16"},
        {"name": "output/bias", "shape": [10], "dtype": "float64"},
    ]
    again = await http.put("/v1/weights/mine", content=content)
    assert (again.status_code, again.json()) == (200, body)
    assert (await http.get("/v1/weights/mine")).json() == body
    await http.put("/v1/weights/other", content=content)
    page = (await http.get("/v1/weights", params={"limit": 1})).json()
    assert (page["data"], page["has_more"]) == ([body | {"arrays": None}], True)
    page = (await http.get("/v1/weights", params={"after": "mine"})).json()
    assert ([each["name"] for each in page["data"]], page["has_more"]) == (["other"], False)
    for name in ("mine", "other"):
        assert (await http.delete(f"/v1/weights/{name}")).status_code == 204
    assert_problem(await http.get("/v1/weights/mine"), 404, "weights_not_found")
    assert_problem(await http.delete("/v1/weights/mine"), 404, "weights_not_found")
    assert list((settings.data_dir / "versions").iterdir()) == []


async def test_another_upload_takes_the_place_and_the_room_of_the_first(
    http: httpx.AsyncClient, settings: Settings
) -> None:
    first = (await http.put("/v1/weights/mine", content=npz(weights()))).json()
    small = {"output/bias": np.zeros(10, np.float32)}
    second = await http.put("/v1/weights/mine", content=npz(small))
    assert second.status_code == 201
    assert second.json()["stored_bytes"] < first["stored_bytes"]
    (kept,) = (settings.data_dir / "versions").iterdir()
    assert (kept / "upload").stat().st_size == second.json()["stored_bytes"]


async def test_weights_count_among_what_is_stored(http: httpx.AsyncClient, app: Any) -> None:
    object.__setattr__(
        app.state.services, "settings", app.state.services.settings.model_copy(update={"max_stored_mb": 1})
    )
    big = npz({"a/kernel": np.zeros(200_000, np.float32)})
    assert (await http.put("/v1/weights/first", content=big)).status_code == 201
    assert_problem(await http.put("/v1/weights/second", content=big), 413, "storage_full")
    assert (await http.delete("/v1/weights/first")).status_code == 204
    assert (await http.put("/v1/weights/second", content=big)).status_code == 201


class Evil:
    def __reduce__(self) -> Any:
        return print, ("unpickled",)


def lying(size: int) -> bytes:
    """An archive whose directory says another length than there is."""
    content = bytearray(zipped(**{"a/kernel.npy": npy(np.zeros(1000, np.float32))}))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", size)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no .npz"),
        (b"a,b\n1,2\n", "no .npz"),
        (npz(weights())[:-30], "cannot be read"),
        (zipped(), "no arrays"),
        (npz({"a/kernel": np.array([Evil()], object)}), "is of object"),
        (
            npz({"a/moving_mean": np.array([-1.0]), "a/moving_variance": np.array([1, -0.25, 0], np.float16)}),
            "'a/moving_variance' holds -0.25 at [1]; no variance is negative",
        ),
        (npz({"a/kernel": np.arange(3)}), "is of int64; wanted: float16, float32 or float64"),
        (npz({"a/kernel": np.zeros(2, np.complex64)}), "is of complex64"),
        (npz({"a/kernel": np.array([1, np.nan], np.float32)}), "holds nan at [1]"),
        (npz({"a/kernel": np.array([[1, 1e300]])}), "holds 1e+300 at [0, 1]; wanted: finite numbers within float32"),
        (npz({"a/kernel": np.zeros((0, 3), np.float32)}), "none of them empty"),
        (zipped(**{"a/kernel.npy": npy(np.zeros(3))[:-1]}), "has 23 bytes of values"),
        (zipped(**{"a/kernel.npy": b"\x93NUMPY\x01\x00"}), "no array that can be read"),
        (zipped(**{"a/kernel.npy": b"\x93NUMPY\x01\x00\x10\x00" + b"[" * 16}), "no array that can be read"),
        (zipped(**{"readme.txt": b"hello"}), "is no .npy file"),
        (zipped(**{"/etc/x.npy": npy(np.zeros(3))}), "cannot be the name"),
        (zipped(**{"../../etc/x.npy": npy(np.zeros(3))}), "cannot be the name"),
        (zipped(**{"a/../kernel.npy": npy(np.zeros(3))}), "cannot be the name"),
        (zipped(**{"kernel.npy": npy(np.zeros(3))}), "cannot be the name"),
        (zipped(**{"a\u202eb/kernel.npy": npy(np.zeros(3))}), "cannot be the name"),
        (zipped(**{f"a{n}/bias.npy": npy(np.zeros(1, np.float16)) for n in range(4097)}), "more than 4,096 arrays"),
        (lying(10), ""),
        (lying(2**31), "bytes"),
    ],
)
async def test_hostile_uploads_are_refused_and_leave_nothing(
    http: httpx.AsyncClient, settings: Settings, content: bytes, said: str
) -> None:
    answer = await http.put("/v1/weights/mine", content=content)
    problem = assert_problem(answer, 422, "invalid_weights")
    assert said in problem["detail"], problem["detail"]
    assert left_behind(settings) == []
    assert (await http.get("/v1/weights")).json()["data"] == []


async def test_what_unpacks_to_more_than_may_be_sent_is_refused(http: httpx.AsyncClient, app: Any) -> None:
    object.__setattr__(
        app.state.services, "settings", app.state.services.settings.model_copy(update={"max_upload_mb": 1})
    )
    bomb = npz({f"a{n}/kernel": np.zeros(200_000, np.float32) for n in range(3)}, compressed=True)
    assert len(bomb) < 20_000
    problem = assert_problem(await http.put("/v1/weights/mine", content=bomb), 422, "invalid_weights")
    assert "more than 1,048,576 bytes" in problem["detail"]
    assert_problem(await http.put("/v1/weights/mine", content=b"x" * (1 << 20) + b"x"), 413, "upload_too_large")


@pytest.mark.parametrize("name", ["Mine", "a b", "x" * 65, "..."])
async def test_a_name_that_cannot_be_is_refused(http: httpx.AsyncClient, name: str) -> None:
    assert_problem(await http.put(f"/v1/weights/{name}", content=npz(weights())), 422, "invalid_weights")
    assert_problem(await http.get(f"/v1/weights/{name}"), 404, "weights_not_found")


async def test_a_job_begins_with_uploaded_weights_whatever_becomes_of_them(
    http: httpx.AsyncClient, submit: Any, settings: Settings
) -> None:
    arrays = weights(kernel="float64")
    uploaded = (await http.put("/v1/weights/mine", content=npz(arrays))).json()
    job = await submit(init_from="weights:mine", **MODEL)
    taken = job["initial_weights"]
    assert (taken["source"], taken["sha256"], taken["epoch"], taken["encoding"]) == (
        "weights:mine",
        uploaded["sha256"],
        None,
        None,
    )
    assert job["choices"] == []
    await http.delete("/v1/weights/mine")
    content = LocalArtifacts.of(settings).read(job["id"], taken["file"]["name"])
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        assert {name: found[name].dtype.name for name in found.files} == dict.fromkeys(arrays, "float32")
        np.testing.assert_array_equal(found["output/kernel"], arrays["output/kernel"].astype(np.float32))


async def test_weights_that_do_not_fit_or_are_not_there_are_refused(http: httpx.AsyncClient) -> None:
    await http.put("/v1/weights/mine", content=npz(weights()))
    answer = await http.post("/v1/jobs", json={"init_from": "weights:mine"})
    problem = assert_problem(answer, 422, "invalid_spec")
    assert "'dense_1' (dense) has a kernel of 784 x 256, and weights:mine has no 'dense_1/kernel'" in problem["detail"]
    answer = await http.post("/v1/jobs", json={"init_from": "weights:yours", **MODEL})
    assert "there are no weights 'yours'; upload them first" in assert_problem(answer, 422, "invalid_spec")["detail"]


async def test_a_sweep_leaves_weights_where_they_are(http: httpx.AsyncClient, app: Any, settings: Settings) -> None:
    await http.put("/v1/weights/mine", content=npz(weights()))
    files = app.state.services.dataset_files
    known = await app.state.services.do(app.state.services.weights.folders())
    assert files.sweep(known, older_than_seconds=-1) == ()
    assert files.sweep(frozenset(), older_than_seconds=-1) == tuple(known)
