"""What a job leaves: all of it, or at least what others can do without it."""

import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import tensorflow as tf
from structlog.testing import capture_logs

from jobs.datasets import DatasetInfo
from jobs.evaluation import ClassEvaluation, Evaluation
from jobs.ids import new_job_id
from jobs.settings import Settings
from jobs.spec import Spec
from jobs.states import Reason
from store import scratch
from store.artifacts import LocalArtifacts
from store.jobs import Store
from store.lanes import Lanes
from worker.datasets.memory import Dataset
from worker.engine.evaluation import ModelEvaluation, evaluate
from worker.engine.slot import Outcome
from worker.files.exporter import Exporter
from worker.lease.lease import Lease
from worker.lease.renewer import LeaseRenewer

# Within Keras.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

INFO = DatasetInfo(name="pixels", shape=(2, 3, 1), classes=("a", "b"), train_examples=4, test_examples=2)
DATASET = Dataset(
    INFO,
    train_x=np.zeros((4, 6), np.uint8),
    train_y=np.zeros(4, np.int32),
    test_x=np.arange(12, dtype=np.uint8).reshape(2, 6),
    test_y=np.zeros(2, np.int32),
)
WEIGHTS = {"output/kernel": np.ones((6, 2), np.float32), "output/bias": np.zeros(2, np.float32)}


def told() -> ModelEvaluation:
    """The evaluation of a model that is wrong about both test examples."""
    outputs = np.array([[0, 1], [0, 2]], np.float32)
    return evaluate([(outputs, DATASET.test_y)], INFO, loss="cross_entropy")


@pytest.fixture
def artifacts(settings: Settings) -> LocalArtifacts:
    return LocalArtifacts.of(settings)


@pytest.fixture
def leased(client: redis.Redis, store: Store, do: Callable[[Any], Any], renewer: LeaseRenewer) -> Any:
    """A job that is to leave its model as Keras has it, or in another format, under a lease."""

    @contextmanager
    def leased(export: str = "keras") -> Iterator[Lease]:
        spec = Spec.model_validate({"model": {"type": "softmax"}, "loss": "cross_entropy", "export": [export]})
        do(store.create(new_job_id(), spec, steps=10))
        claim = do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))
        draining = threading.Event()
        with Lease(claim, client=client, store=store, renewer=renewer, beat_seconds=60, draining=draining) as lease:
            yield lease

    return leased


def beyond_all_examples() -> ModelEvaluation:
    """An evaluation of other data."""
    whole = told()
    assert isinstance(whole, ClassEvaluation)
    return whole.model_copy(update={"worst": (whole.worst[0].model_copy(update={"index": 99}),)})


def out_of_memory() -> ModelEvaluation:
    """What a device may do meanwhile."""
    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


def left(lease: Lease, artifacts: LocalArtifacts, folder: Path, evaluate: Callable[[], ModelEvaluation]) -> list[str]:
    """The names of the files that the exporter wrote."""
    exporter = Exporter(artifacts, scratch=folder / "scratch", draining=threading.Event())
    outcome = Outcome(WEIGHTS, test={"loss": 1.0}, evaluate=evaluate, reason=Reason.COMPLETED)
    written = exporter.export(lease, DATASET, outcome)
    assert isinstance(written, tuple)
    for file in written:
        assert len(artifacts.read(lease.job.id, file.name)) == file.size_bytes
    return [file.name for file in written]


def test_a_job_leaves_weights_encoding_evaluation_and_model(
    leased: Any, artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    with leased() as lease:
        names = left(lease, artifacts, tmp_path, told)
        assert names == ["weights.npz", "encoding.json", "evaluation.json", "model.keras"]
        found = Evaluation.model_validate_json(artifacts.read(lease.job.id, "evaluation.json"))
    assert found.classification
    assert [it.index for it in found.classification.worst] == [1, 0]


@pytest.mark.parametrize("evaluate", [beyond_all_examples, out_of_memory])
def test_an_evaluation_that_cannot_be_made_costs_nothing_else(
    leased: Any,
    artifacts: LocalArtifacts,
    tmp_path: Path,
    evaluate: Callable[[], ModelEvaluation],
    store: Store,
    do: Callable[[Any], Any],
) -> None:
    with leased() as lease, capture_logs() as logs:
        names = left(lease, artifacts, tmp_path, evaluate)
        lease.flush()
        lines = [e.data for e in do(store.history.events(lease.job.id)) if e.type == "log"]
    assert lines[0]["level"] == "warning"
    assert lines[0]["message"].startswith("evaluation.json was left out")
    assert re.fullmatch(
        r"wrote weights\.npz \([\d.]+ kB\), encoding\.json .*, model\.keras \([\d.]+ kB\) in \d\.\d s",
        lines[1]["message"],
    )
    assert names == ["weights.npz", "encoding.json", "model.keras"]
    assert [(log["event"], log["artifact"]) for log in logs] == [("export_failed", "evaluation.json")]


def test_what_remains_falls_from_file_to_file(leased: Any, artifacts: LocalArtifacts, tmp_path: Path) -> None:
    told_seconds: list[float] = []
    with leased() as lease:
        lease.remaining = told_seconds.append
        left(lease, artifacts, tmp_path, told)
        expected = Exporter(artifacts, scratch=tmp_path, draining=threading.Event()).expected_seconds(
            lease.job.spec, weight_bytes=sum(weight.nbytes for weight in WEIGHTS.values())
        )
    assert len(told_seconds) == 4
    assert told_seconds[0] == pytest.approx(expected)
    assert told_seconds == sorted(told_seconds, reverse=True)
    assert 0 < told_seconds[-1] < expected


def test_nothing_temporary_is_left(
    leased: Any, artifacts: LocalArtifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "BEGUN_SECONDS", -1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed_amid = tmp_path / "scratch" / ("ab" * 16)
    killed_amid.mkdir(parents=True)
    with leased("saved_model") as lease:
        left(lease, artifacts, tmp_path, told)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert [path.name for path in tmp_path.glob("*.py")] == []
