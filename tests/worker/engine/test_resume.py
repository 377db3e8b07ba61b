"""A job that was stopped and resumed ends in the same bits as one that was not."""

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.states import Reason
from tests.worker.engine.conftest import made_up
from tests.worker.engine.listening import Listener, measured, run, same_bits, spec_of, stopped
from worker.datasets.memory import Dataset
from worker.engine import chunk_sizer, program
from worker.engine.snapshot import Snapshot
from worker.files.exports import weights_npz

ADAM = {"type": "adam", "learning_rate": 0.004}
COMMON: dict[str, Any] = {
    "batch_size": 96,
    "epochs": 3,
    "loss": "cross_entropy",
    "schedule": {"type": "one_cycle"},
    "validation_split": 0.1,
    "early_stopping": {"monitor": "val_loss", "patience": 1, "min_delta": 0.0},
    "augmentation": {"shift_pixels": 1},
}
BODIES: dict[str, dict[str, Any]] = {
    "mlp-xla": {"model": {"type": "mlp", "hidden": [16], "dropout": 0.3}, "optimizer": ADAM, "execution": "xla"},
    "mlp-graph": {
        "model": {"type": "mlp", "hidden": [16], "dropout": 0.3},
        "optimizer": {"type": "nesterov"},
        "execution": "graph",
    },
    "mlp-half": {
        "model": {"type": "mlp", "hidden": [16]},
        "optimizer": ADAM,
        "precision": "mixed_float16",
        "execution": "xla",
    },
    "cnn-graph": {
        "model": {"type": "cnn", "filters": [4, 8], "dropout": 0.3},
        "optimizer": {"type": "adamw"},
        "execution": "graph",
    },
}
"""Everything that has a state of its own: memory of optimizers, noise, loss scale, early stopping, schedule."""


def interrupted(dataset: Dataset, body: dict[str, Any], look: int) -> tuple[Snapshot, Listener]:
    """Train one step a chunk until the `look`-th look, and pass the snapshot through a file's bytes."""
    heard = Listener(stop_at=look)
    ending = stopped(dataset, spec_of(**COMMON, **body), listener=heard)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **ending.snapshot.arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return Snapshot.from_arrays(arrays), heard


@pytest.mark.parametrize("case", BODIES)
def test_a_resumed_job_ends_in_the_same_bits(bands: Dataset, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    # So that float16 skips its first steps, beyond the first places where it stops.
    monkeypatch.setattr(program, "FIRST_FACTOR", 2.0**30)
    spec = spec_of(**COMMON, **BODIES[case])
    whole, heard = run(bands, spec)
    assert sum(m.skipped_steps or 0 for m in heard.epochs) > 5 or case != "mlp-half"
    monkeypatch.setattr(chunk_sizer.ChunkSizer, "steps", lambda _: 1)
    # 10 steps and 11 looks an epoch: before the first step, within, at its end, at the next one's beginning, late.
    for look in (1, 5, 11, 12, 29):
        snapshot, before = interrupted(bands, BODIES[case], look)
        resumed, after = run(bands, spec, resume=snapshot)
        assert same_bits(whole.weights, resumed.weights), look
        assert (whole.test, whole.reason) == (resumed.test, resumed.reason)
        both = [measured(m) for m in (*before.epochs, *after.epochs)]
        assert both == [measured(m) for m in heard.epochs], look


RESUME = """
import hashlib, json, sys
import numpy as np
from tests.worker.engine.conftest import made_up
from tests.worker.engine.listening import run, spec_of
from worker.engine.snapshot import Snapshot
from worker.files.exports import weights_npz
for path, body in json.loads(sys.argv[1]):
    with np.load(path, allow_pickle=False) as arrays:
        snapshot = Snapshot.from_arrays(arrays)
    bands = made_up(train=1000, test=200, shape=(14, 14, 1), classes=10)
    outcome, _ = run(bands, spec_of(**body), resume=snapshot)
    sys.stdout.write(hashlib.sha256(weights_npz(outcome.weights)).hexdigest() + chr(10))
"""


def test_a_job_resumed_in_another_process_ends_in_the_same_bits(bands: Dataset, tmp_path: Path) -> None:
    jobs, expected = [], []
    for case in ("mlp-xla", "cnn-graph"):
        snapshot, _ = interrupted(bands, BODIES[case], 3)
        path = tmp_path / f"{case}.npz"
        np.savez(path, allow_pickle=False, **snapshot.arrays())
        jobs.append((str(path), COMMON | BODIES[case]))
        expected.append(
            hashlib.sha256(weights_npz(run(bands, spec_of(**COMMON, **BODIES[case]))[0].weights)).hexdigest()
        )
    command = [sys.executable, "-c", RESUME, json.dumps(jobs)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert found.stdout.split() == expected


@pytest.mark.parametrize("epochs", [2, 9])
def test_a_job_goes_on_from_the_end_of_any_epoch_the_last_included(bands: Dataset, epochs: int) -> None:
    # Nine it does not reach: a rate this small improves nothing twice in a row.
    rate = {"type": "sgd", "learning_rate": 0.01 if epochs == 2 else 1e-30}
    spec = spec_of(**COMMON | BODIES["mlp-xla"] | {"epochs": epochs, "optimizer": rate})
    whole, heard = run(bands, spec)
    assert whole.reason is (Reason.COMPLETED if epochs == 2 else Reason.EARLY_STOPPED)
    for metrics, snapshot in heard.kept:
        resumed, after = run(bands, spec, resume=snapshot)
        assert same_bits(whole.weights, resumed.weights)
        assert (whole.test, whole.reason) == (resumed.test, resumed.reason)
        assert [measured(m) for m in after.epochs] == [measured(m) for m in heard.epochs[metrics.epoch :]]
        assert after.steps[0].step == metrics.step


def test_a_job_that_begins_has_no_loss_yet(bands: Dataset) -> None:
    _, heard = run(bands, spec_of(batch_size=96, epochs=1))
    first = heard.steps[0]
    assert (first.percent, first.epoch, first.step, first.loss, first.accuracy) == (0, 1, 0, None, None)


def test_a_snapshot_of_another_model_is_refused(bands: Dataset) -> None:
    snapshot, _ = interrupted(bands, BODIES["mlp-xla"], 1)
    body = COMMON | BODIES["mlp-xla"] | {"model": {"type": "mlp", "hidden": [15]}}
    with pytest.raises(ValueError, match="snapshot"):
        run(bands, spec_of(**body), resume=snapshot)


def test_a_snapshot_without_early_stopping_survives_a_file() -> None:
    small = made_up(train=96, test=10, shape=(4, 4, 1), classes=2)
    snapshot = stopped(small, spec_of(), listener=Listener(stop_at=1)).snapshot
    assert snapshot.best is None
    again = Snapshot.from_arrays(snapshot.arrays())
    assert again.arrays().keys() == snapshot.arrays().keys()
    assert (again.epoch, again.step, again.memory) == (0, 0, ())


def test_a_snapshot_of_an_older_version_counts_nothing_as_skipped(bands: Dataset) -> None:
    arrays = interrupted(bands, BODIES["mlp-half"], 5)[0].arrays()
    del arrays["skipped"]
    old = Snapshot.from_arrays(arrays)
    assert old.skipped == (0, 0)
    run(bands, spec_of(**COMMON, **BODIES["mlp-half"]), resume=old)
