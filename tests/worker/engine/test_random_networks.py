"""Random networks over every kind of layer: they train in every mode that they claim, and to the same bits when they
were stopped on the way.
"""

import io
from random import Random

import numpy as np
import pytest

from jobs.architecture import describe
from tests.worker.engine.listening import Listener, measured, run, same_bits, stopped
from tests.worker.engine.random_jobs import job
from worker.engine import chunk_sizer
from worker.engine.release import release
from worker.engine.snapshot import Snapshot

TRAINED, RESUMED = 60, 20
"""Networks in each run, and of the slow ones: they are to train in all modes, or to be stopped and resumed."""


# Of an activation over a single channel, which is allowed: what it gives is 1.
pytestmark = pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")


def check_trains(seed: int) -> None:
    spec, dataset = job(seed)
    described = describe(spec, dataset.info)
    for mode in sorted(described.modes):
        outcome, heard = run(dataset, spec.model_copy(update={"execution": mode}))
        assert [epoch.step for epoch in heard.epochs] == [3]
        assert all(np.isfinite(weight).all() for weight in outcome.weights.values())
        assert [*outcome.weights] == [weight.name for weight in described.weights]
        shapes = [weight.shape for weight in outcome.weights.values()]
        assert shapes == [weight.shape for weight in described.weights]


def check_resumes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, dataset = job(seed, epochs=3, execution="graph")
    whole, heard = run(dataset, spec)
    with monkeypatch.context() as patched:
        patched.setattr(chunk_sizer.ChunkSizer, "steps", lambda _: 1)
        # Three steps and four looks an epoch.
        look = Random(seed).randint(1, 12)
        before = Listener(stop_at=look)
        snapshot = stopped(dataset, spec, listener=before).snapshot
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **snapshot.arrays())
    file.seek(0)
    release()  # so that the rest is run by another program
    with np.load(file, allow_pickle=False) as arrays:
        resumed, after = run(dataset, spec, resume=Snapshot.from_arrays(arrays))
    assert same_bits(whole.weights, resumed.weights), look
    assert whole.test == resumed.test
    both = [measured(metrics) for metrics in (*before.epochs, *after.epochs)]
    assert both == [measured(metrics) for metrics in heard.epochs]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(TRAINED))
def test_networks_train_in_every_mode_that_they_claim(seed: int) -> None:
    check_trains(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(RESUMED))
def test_networks_that_were_stopped_end_in_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check_resumes(seed, monkeypatch)
