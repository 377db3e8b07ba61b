"""Jobs that begin with weights that are there: what is taken, what is refused, and what stays when the source goes."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import numpy as np
import pytest
import redis

from jobs.architecture import describe
from jobs.dataset_versions import DatasetRef
from jobs.datasets import find
from jobs.ids import new_job_id
from jobs.model_encoding import ModelEncoding
from jobs.record import Checkpoint, Metrics
from jobs.report import Report
from jobs.settings import Settings
from jobs.spec import Spec
from jobs.states import Reason, Status
from store.artifacts import LocalArtifacts
from store.datasets import DatasetStore
from store.jobs import Claim, Store
from store.keys import Keys
from store.npz import npz_parts
from tests.api.conftest import Do, assert_problem, epoch

pytestmark = pytest.mark.anyio

SMALL: dict[str, Any] = {"model": {"type": "mlp", "hidden": [8]}, "loss": "cross_entropy"}
WINE = "a,b,city,y\n" + "".join(f"{n},{n % 7},{'xyz'[n % 3]},{'no' if n % 2 else 'yes'}\n" for n in range(60))
OTHER_WINE = "city,b,a,y\n" + "".join(f"{'xw'[n % 2]},{9 * n},{n},{'no' if n % 2 else 'yes'}\n" for n in range(60))


def drawn(shapes: Mapping[str, tuple[int, ...]], *, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


class Parents:
    """Makes jobs that have been trained, as a worker would."""

    def __init__(self, http: httpx.AsyncClient, claim: Callable[[], Claim], store: Store, do: Do, settings: Settings):
        self.http, self.claim, self.store, self.do = http, claim, store, do
        self.artifacts = LocalArtifacts.of(settings)
        self.datasets = DatasetStore.of(settings)

    async def begun(self, **spec: Any) -> Claim:
        answer = await self.http.post("/v1/jobs", json={**SMALL, **spec})
        assert answer.status_code == 202, answer.text
        return self.claim()

    def encoding(self, claim: Claim) -> ModelEncoding:
        name = claim.job.spec.dataset
        if "@" not in name:
            return ModelEncoding.of(find(name))
        return ModelEncoding.of_version(self.do(self.datasets.get(claim.owner, DatasetRef.read(name))))

    def weights(self, claim: Claim) -> dict[str, np.ndarray]:
        name = claim.job.spec.dataset
        info = find(name) if "@" not in name else self.do(self.datasets.get("", DatasetRef.read(name))).info
        return drawn({weight.name: weight.shape for weight in describe(claim.job.spec, info).weights})

    def keep(self, claim: Claim, *, step: int, kind: str = "checkpoint") -> dict[str, np.ndarray]:
        """Report a checkpoint; its weights by name."""
        weights = {name: value + step for name, value in self.weights(claim).items()}
        arrays = {f"weights/{n:03}": value for n, value in enumerate(weights.values())}
        arrays["position"] = np.array([1, 0])
        file = self.artifacts.write(claim.job.id, f"{kind}-1-{step}.npz", npz_parts(arrays.items()))
        kept = Checkpoint(**file.model_dump(), epoch=1, step=step, metrics=epoch(1))
        report = Report(step, best=kept) if kind == "best" else Report(step, checkpoint=kept)
        self.do(self.store.report(claim.job.id, claim.fence, report))
        return weights

    def succeed(self, claim: Claim) -> dict[str, np.ndarray]:
        weights = self.weights(claim)
        told = self.encoding(claim).model_dump_json().encode()
        self.do(self.store.report(claim.job.id, claim.fence, Report(1, epochs=(epoch(1), epoch(2)))))
        files = [
            self.artifacts.write(claim.job.id, "weights.npz", npz_parts(weights.items())),
            self.artifacts.write(claim.job.id, "encoding.json", told),
        ]
        end = self.store.finish(
            claim.job.id, claim.fence, Status.SUCCEEDED, reason=Reason.COMPLETED, metrics=Metrics(), artifacts=files
        )
        self.do(end)
        return weights

    async def succeeded(self, **spec: Any) -> tuple[str, dict[str, np.ndarray]]:
        claim = await self.begun(**spec)
        return claim.job.id, self.succeed(claim)

    def copy(self, job: dict[str, Any]) -> dict[str, np.ndarray]:
        """What a job begins with."""
        content = self.artifacts.read(job["id"], job["initial_weights"]["file"]["name"])
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}


@pytest.fixture
def parents(http: httpx.AsyncClient, claim: Callable[[], Claim], store: Store, do: Do, settings: Settings) -> Parents:
    return Parents(http, claim, store, do, settings)


def same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return list(one) == list(other) and all(np.array_equal(one[name], other[name]) for name in one)


async def test_a_job_begins_with_a_copy_of_anothers_final_weights(parents: Parents, submit: Any) -> None:
    parent, weights = await parents.succeeded()
    job = await submit(init_from=parent)
    assert job["spec"]["init_from"] == job["initial_weights"]["source"] == parent
    assert (job["spec"]["model"], job["spec"]["loss"]) == (
        {"type": "mlp", "hidden": [8], "activation": "relu", "dropout": 0.0},
        "cross_entropy",
    )
    assert [choice["field"] for choice in job["choices"]] == ["dataset", "model", "loss"]
    assert (job["initial_weights"]["epoch"], job["initial_weights"]["step"]) == (2, 10)
    assert same(parents.copy(job), weights)
    assert (await parents.http.get(f"/v1/jobs/{job['id']}")).json() == job
    # Whatever becomes of the parent does not matter.
    assert (await parents.http.delete(f"/v1/jobs/{parent}")).status_code == 204
    parents.artifacts.remove(parent)
    assert same(parents.copy(job), weights)
    encoding = parents.artifacts.read(job["id"], job["initial_weights"]["encoding"]["name"])
    assert ModelEncoding.model_validate_json(encoding).shape == (28, 28, 1)


async def test_checkpoints_are_taken_by_the_names_of_their_network(parents: Parents, submit: Any) -> None:
    claim = await parents.begun()
    best = parents.keep(claim, step=1, kind="best")
    last = parents.keep(claim, step=2)
    for asked, source, weights in (("", "@last", last), ("@last", "@last", last), ("@best", "@best", best)):
        job = await submit(init_from=claim.job.id + asked, **SMALL)
        assert job["spec"]["init_from"] == claim.job.id + source
        assert job["initial_weights"]["step"] == (1 if source == "@best" else 2)
        assert same(parents.copy(job), weights)


async def test_frozen_weights_and_statistics_are_in_a_checkpoint_too(parents: Parents, submit: Any) -> None:
    layers = [{"type": "flatten"}, {"type": "dense", "units": 4}, {"type": "batch_normalization"}, {"type": "dense"}]
    spec: dict[str, Any] = {"model": {"type": "layers", "layers": layers}, "freeze": ["dense_2"]}
    claim = await parents.begun(**spec)
    network = describe(claim.job.spec, find("mnist-10k"))
    arrays: dict[str, Any] = {
        f"weights/{n:03}": np.full(weight.shape, n, np.float32) for n, weight in enumerate(network.trained)
    }
    arrays |= {f"fixed/{n:03}": np.full(weight.shape, 50 + n, np.float32) for n, weight in enumerate(network.fixed)}
    arrays["fixed/004"] = np.zeros(2, np.int32)  # a random layer's generator
    file = parents.artifacts.write(claim.job.id, "checkpoint-1-5.npz", npz_parts(arrays.items()))
    kept = Checkpoint(**file.model_dump(), epoch=1, step=5)
    parents.do(parents.store.report(claim.job.id, claim.fence, Report(1, checkpoint=kept)))
    found = parents.copy(await submit(init_from=claim.job.id))
    assert {name: value.flat[0] for name, value in found.items()} == {
        "dense_2/kernel": 50,
        "dense_2/bias": 51,
        "batch_normalization_3/gamma": 0,
        "batch_normalization_3/beta": 1,
        "batch_normalization_3/moving_mean": 52,
        "batch_normalization_3/moving_variance": 53,
        "dense_4/kernel": 2,
        "dense_4/bias": 3,
    }


@pytest.mark.parametrize("dry_run", [True, False])
async def test_what_does_not_fit_is_refused_by_the_layer_and_leaves_nothing(
    parents: Parents, client: redis.Redis, keys: Keys, dry_run: bool
) -> None:
    parent, _ = await parents.succeeded()
    folders = {path.name for path in parents.artifacts.path("x", "y").parents[1].iterdir()}
    for fields, pointer, said in (
        ({"model": {"type": "mlp", "hidden": [9]}}, "/init_from", "layer 2, 'dense_1' (dense): its kernel is 784 x 9"),
        ({"model": {"type": "softmax"}}, "/init_from", "'output' (dense): its kernel is 784 x 10"),
        ({"reinitialize": ["head"]}, "/reinitialize", "'head' to begin anew"),
        ({"init_from": f"{parent}@best"}, "/init_from", "has kept no checkpoint of a best epoch"),
        ({"init_from": f"{parent}@last"}, "/init_from", "has kept no checkpoint"),
        ({"init_from": new_job_id()}, "/init_from", "is known here; init_from takes one of your own jobs"),
        ({"init_from": "job_1"}, "/init_from", "the id of a job"),
    ):
        body = {"init_from": parent, **fields}
        answer = await parents.http.post("/v1/jobs", json=body, params={"dry_run": "true"} if dry_run else {})
        problem = assert_problem(answer, 422, "invalid_spec")
        assert problem["errors"][0]["pointer"] == pointer, problem
        assert said in problem["detail"], problem["detail"]
    assert client.zcard(keys.staged) == 0
    assert {path.name for path in parents.artifacts.path("x", "y").parents[1].iterdir()} == folders


async def test_a_dry_run_tells_what_is_resolved_and_writes_nothing(
    parents: Parents, client: redis.Redis, keys: Keys
) -> None:
    parent, _ = await parents.succeeded()
    answer = await parents.http.post("/v1/jobs", json={"init_from": parent, "epochs": 1}, params={"dry_run": "true"})
    assert answer.status_code == 200
    assert answer.json()["spec"]["model"]["hidden"] == [8]
    assert client.zcard(keys.staged) == client.scard(keys.trash) == 0


async def test_a_job_without_weights_yet_is_refused_by_its_status(parents: Parents) -> None:
    claim = await parents.begun()
    answer = await parents.http.post("/v1/jobs", json={"init_from": claim.job.id})
    problem = assert_problem(answer, 422, "invalid_spec")
    assert "which is running, has kept no weights so far" in problem["detail"]


async def test_layers_that_begin_anew_are_not_taken(parents: Parents, submit: Any) -> None:
    parent, weights = await parents.succeeded()
    job = await submit(init_from=parent, reinitialize=["output"], freeze=["dense_1"])
    assert list(parents.copy(job)) == ["dense_1/kernel", "dense_1/bias"]
    deeper = {"type": "mlp", "hidden": [8, 4]}
    job = await submit(init_from=parent, model=deeper, reinitialize=["dense_2", "output"])
    assert same(parents.copy(job), {name: weights[name] for name in ("dense_1/kernel", "dense_1/bias")})


async def test_a_repeat_is_answered_as_at_first_although_the_parent_is_gone(
    parents: Parents, client: redis.Redis, keys: Keys
) -> None:
    parent, _ = await parents.succeeded()
    headers = {"idempotency-key": "once"}
    first, second = [await parents.http.post("/v1/jobs", json={"init_from": parent}, headers=headers) for _ in "12"]
    await parents.http.delete(f"/v1/jobs/{parent}")
    third = await parents.http.post("/v1/jobs", json={"init_from": parent}, headers=headers)
    assert first.json() == second.json() == third.json()
    assert client.smembers(keys.trash) == {parent}
    assert client.zcard(keys.staged) == 0


async def test_files_of_a_job_that_is_refused_at_last_are_left_to_be_deleted(
    parents: Parents, client: redis.Redis, keys: Keys, store: Store, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, _ = await parents.succeeded()
    monkeypatch.setattr("api.http.context.RequestContext.caps", (1, 1))
    await parents.http.post("/v1/jobs", json={})
    answer = await parents.http.post("/v1/jobs", json={"init_from": parent})
    assert_problem(answer, 429, "too_many_jobs")
    (left,) = do(store.trash())
    assert parents.artifacts.list(left)
    assert client.zcard(keys.staged) == 0


async def test_a_checkpoint_that_is_replaced_meanwhile_is_looked_for_again(
    parents: Parents, submit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await parents.begun()
    parents.keep(claim, step=1)
    found = LocalArtifacts.path

    def late(self: LocalArtifacts, folder: str, name: str) -> Any:
        monkeypatch.undo()
        path = found(self, folder, name)
        parents.keep(claim, step=2)
        path.unlink()
        return path

    monkeypatch.setattr(LocalArtifacts, "path", late)
    job = await submit(init_from=claim.job.id)
    assert job["initial_weights"]["step"] == 2


async def test_damaged_weights_are_not_taken(parents: Parents) -> None:
    parent, _ = await parents.succeeded()
    path = parents.artifacts.path(parent, "weights.npz")
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    answer = await parents.http.post("/v1/jobs", json={"init_from": parent})
    problem = assert_problem(answer, 503, "storage_unavailable")
    assert "weights.npz, from which the job is to begin, cannot be read: its SHA-256 differs" in problem["detail"]
    path.unlink()
    problem = assert_problem(await parents.http.post("/v1/jobs", json={"init_from": parent}), 422, "invalid_spec")
    assert "are not there any more" in problem["detail"]


async def test_a_table_is_fed_as_the_parent_was(parents: Parents, submit: Any, http: httpx.AsyncClient) -> None:
    assert (await http.put("/v1/datasets/wine", content=WINE)).status_code == 201
    parent, weights = await parents.succeeded(dataset="wine")
    assert weights["dense_1/kernel"].shape == (6, 8)
    assert (await http.put("/v1/datasets/wine", content=OTHER_WINE)).status_code == 201
    job = await submit(init_from=parent, dataset="wine")
    assert job["spec"]["dataset"] == "wine@2"
    content = parents.artifacts.read(job["id"], job["initial_weights"]["encoding"]["name"])
    encoding = ModelEncoding.model_validate_json(content)
    assert encoding.rows
    assert encoding.shape == (6,)
    assert [column.name for column in encoding.rows.columns] == ["a", "b", "city", "y"]
    # A child of the child, which has no files but those: the encoding is passed on.
    grandchild = parents.claim()
    arrays = {f"weights/{n:03}": value for n, value in enumerate(weights.values())}
    file = parents.artifacts.write(grandchild.job.id, "checkpoint-1-5.npz", npz_parts(arrays.items()))
    kept = Checkpoint(**file.model_dump(), epoch=1, step=5)
    parents.do(parents.store.report(grandchild.job.id, grandchild.fence, Report(1, checkpoint=kept)))
    job = await submit(init_from=grandchild.job.id)
    assert job["spec"]["dataset"] == "wine@2"
    assert parents.artifacts.read(job["id"], job["initial_weights"]["encoding"]["name"]) == content


async def test_data_that_lack_a_column_or_have_other_classes_are_refused(
    parents: Parents, http: httpx.AsyncClient
) -> None:
    await http.put("/v1/datasets/wine", content=WINE)
    parent, _ = await parents.succeeded(dataset="wine")
    lacking = WINE.replace("city", "town")
    others = WINE.replace("yes", "aye")
    for name, content in (("lacking", lacking), ("others", others)):
        assert (await http.put(f"/v1/datasets/{name}", content=content)).status_code == 201

    async def refusal(**fields: Any) -> str:
        answer = await http.post("/v1/jobs", json={"init_from": parent, **fields})
        return assert_problem(answer, 422, "invalid_spec")["detail"]

    assert "learnt from a column 'city', which lacking@1 does not have" in await refusal(dataset="lacking")
    assert "others@1 has the classes aye, no" in await refusal(dataset="others")
    assert "learnt rows of a table, and mnist-10k has images" in await refusal(dataset="mnist-10k")
    answer = await http.post("/v1/jobs", json={"init_from": parent, "dataset": "others", "reinitialize": ["output"]})
    assert answer.status_code == 202, answer.text


async def test_reinitialize_alone_means_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/jobs", json={"reinitialize": ["output"]})
    problem = assert_problem(answer, 422, "invalid_spec")
    assert problem["errors"][0]["pointer"] == "/reinitialize"


async def test_another_owners_job_is_not_found(parents: Parents, store: Store, do: Do, http: httpx.AsyncClient) -> None:
    other = new_job_id()
    do(store.create(other, Spec(), steps=1, owner="somebody"))
    answer = await http.post("/v1/jobs", json={"init_from": other})
    assert "is known here" in assert_problem(answer, 422, "invalid_spec")["detail"]
