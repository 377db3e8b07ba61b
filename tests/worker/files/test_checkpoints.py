"""Which checkpoints a job keeps: the last, and that of its best epoch."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from jobs.ids import new_job_id
from jobs.spec import Spec
from jobs.states import Reason
from store.artifacts import LocalArtifacts
from store.jobs import Store
from store.lanes import Lanes
from tests.conftest import wait_until
from tests.worker.lease.test_lease import epoch
from worker.engine.snapshot import Snapshot
from worker.files.checkpoint_writer import CheckpointWriter
from worker.files.checkpoints import Checkpoints
from worker.lease.lease import Lease
from worker.lease.renewer import LeaseRenewer

Do = Callable[[Any], Any]


def snapshot(epochs: int) -> Snapshot:
    """A state after so many epochs of two steps."""
    weights = (np.full(3, epochs, np.float32),)
    return Snapshot(
        epoch=epochs, step=0, weights=weights, memory=(), fixed=(), scale=(1.0, 0.0), sums=(0.0, 0.0), seconds=0.0
    )


@pytest.fixture
def writer() -> Iterator[CheckpointWriter]:
    """A running one."""
    writer = CheckpointWriter()
    writer.start()
    yield writer
    writer.stop()


@pytest.fixture
def lease(client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer) -> Iterator[Lease]:
    do(store.create(new_job_id(), Spec(), steps=10))
    claim = do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))
    with Lease(
        claim, client=client, store=store, renewer=renewer, beat_seconds=60, draining=threading.Event()
    ) as lease:
        yield lease


@pytest.fixture
def checkpoints(lease: Lease, writer: CheckpointWriter, tmp_path: Path) -> Checkpoints:
    return Checkpoints(lease, artifacts=LocalArtifacts(tmp_path), writer=writer, steps_per_epoch=2, every_seconds=3600)


def lines(lease: Lease, store: Store, do: Do) -> list[tuple[str, str]]:
    """Level and message of the job's log lines."""
    lease.flush()
    events = do(store.history.events(lease.job.id))
    return [(event.data["level"], event.data["message"]) for event in events if event.type == "log"]


def told(checkpoints: Checkpoints, accuracies: list[float]) -> None:
    """Tell of epochs with these accuracies."""
    for number, accuracy in enumerate(accuracies, 1):
        metrics = epoch(number).model_copy(update={"val_accuracy": accuracy})
        checkpoints.epoch_done(metrics, lambda number=number: snapshot(number))


def test_the_best_epoch_is_kept_beside_the_last(
    checkpoints: Checkpoints, lease: Lease, store: Store, do: Do, tmp_path: Path
) -> None:
    told(checkpoints, [0.5, 0.9, 0.7, 0.9])
    checkpoints.write(snapshot(4))
    lease.flush()
    job = do(store.get(lease.job.id))
    assert (job.checkpoint.epoch, job.checkpoint.step, job.best_checkpoint.epoch) == (4, 8, 2)
    assert (job.checkpoint.metrics.epoch, job.best_checkpoint.metrics.val_accuracy) == (4, 0.9)
    assert {path.name for path in (tmp_path / lease.job.id).iterdir()} == {"checkpoint-1-8.npz", "best-1-4.npz"}
    with np.load(tmp_path / lease.job.id / "best-1-4.npz") as arrays:
        assert Snapshot.from_arrays(arrays).weights[0][0] == 2


def test_a_better_epoch_takes_the_place_of_the_best(
    checkpoints: Checkpoints, lease: Lease, store: Store, do: Do, tmp_path: Path
) -> None:
    told(checkpoints, [0.5])
    checkpoints.write_best()
    lease.flush()
    told(checkpoints, [0.4, 0.6])
    checkpoints.write_best()
    lease.flush()
    checkpoints.write_best()
    assert do(store.get(lease.job.id)).best_checkpoint.name == "best-1-4.npz"
    assert (tmp_path / lease.job.id / "best-1-4.npz").exists()


def test_a_disk_that_refuses_costs_the_checkpoint_only(
    checkpoints: Checkpoints, lease: Lease, store: Store, do: Do, tmp_path: Path
) -> None:
    (tmp_path / lease.job.id).write_text("in the way")
    told(checkpoints, [0.5])
    checkpoints.write(snapshot(1))
    lease.flush()
    job = do(store.get(lease.job.id))
    assert (job.checkpoint, job.best_checkpoint) == (None, None)
    (tmp_path / lease.job.id).unlink()
    told(checkpoints, [0.6])
    checkpoints.write(snapshot(1))
    # The disk's refusal once, and that it takes files again.
    assert [level for level, _ in lines(lease, store, do)] == ["warning", "info", "info"]
    assert (
        lines(lease, store, do)[0][1] == "the disk does not take best-1-2.npz (File exists): training goes on without"
    )


def test_a_checkpoint_is_told_once_in_an_attempt(checkpoints: Checkpoints, lease: Lease, store: Store, do: Do) -> None:
    for number in (1, 2, 3):
        checkpoints.write(snapshot(number))
    assert lines(lease, store, do) == [
        ("info", "kept checkpoint-1-2.npz (0.0 MB): another follows every 3600 s of training")
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, ("warning", "its checkpoint checkpoint-1-4.npz cannot be read: it begins anew, to the same result")),
        (b"no", ("warning", "its checkpoint checkpoint-1-4.npz is damaged: it begins anew, to the same result")),
        (b"", ("info", "goes on from checkpoint-1-4.npz: epoch 2 done, step 4")),
    ],
)
def test_where_an_attempt_goes_on_from_is_told(
    checkpoints: Checkpoints,
    lease: Lease,
    store: Store,
    do: Do,
    renewer: LeaseRenewer,
    client: redis.Redis,
    tmp_path: Path,
    content: bytes | None,
    line: tuple[str, str],
) -> None:
    checkpoints.write(snapshot(2))
    lease.flush()
    do(store.requeue(lease.job.id, lease.fence, reason=Reason.WORKER_DRAINED))
    claim = do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))
    file = tmp_path / lease.job.id / "checkpoint-1-4.npz"
    if content is None:
        file.unlink()
    elif content:
        file.write_bytes(content)
    with Lease(
        claim, client=client, store=store, renewer=renewer, beat_seconds=60, draining=threading.Event()
    ) as second:
        again = Checkpoints(
            second, artifacts=LocalArtifacts(tmp_path), writer=CheckpointWriter(), steps_per_epoch=2, every_seconds=9
        )
        assert (again.latest() is not None) == (content == b"")
        assert lines(second, store, do)[-1] == line


def test_a_spec_can_ask_for_a_checkpoint_every_so_many_epochs(
    client: redis.Redis, store: Store, do: Do, renewer: LeaseRenewer, writer: CheckpointWriter, tmp_path: Path
) -> None:
    spec = Spec.model_validate({"checkpoint": {"every_epochs": 2}})
    do(store.create(new_job_id(), spec, steps=10))
    claim = do(store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))
    with Lease(
        claim, client=client, store=store, renewer=renewer, beat_seconds=60, draining=threading.Event()
    ) as lease:
        # Closing writes what still waits, so the last one is there for sure.
        with Checkpoints(
            lease, artifacts=LocalArtifacts(tmp_path), writer=writer, steps_per_epoch=2, every_seconds=3600
        ) as checkpoints:
            told(checkpoints, [0.5, 0.4, 0.3, 0.2, 0.1])
        lease.flush()
    job = do(store.get(lease.job.id))
    assert (job.checkpoint.name, job.checkpoint.metrics.val_accuracy) == ("checkpoint-1-8.npz", 0.2)
    assert (tmp_path / lease.job.id / "checkpoint-1-8.npz").exists()


def test_the_writer_writes_beside_the_training(
    lease: Lease, writer: CheckpointWriter, store: Store, do: Do, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(
        lease, artifacts=LocalArtifacts(tmp_path), writer=writer, steps_per_epoch=2, every_seconds=0
    )
    with checkpoints:
        checkpoints.offer(lambda: snapshot(1))
        wait_until(lambda: do(store.get(lease.job.id)).checkpoint, what="the checkpoint on record")
    assert (tmp_path / lease.job.id / "checkpoint-1-2.npz").exists()


def test_what_still_waits_when_a_claim_is_lost_is_not_written(lease: Lease, tmp_path: Path) -> None:
    idle = CheckpointWriter()
    checkpoints = Checkpoints(
        lease, artifacts=LocalArtifacts(tmp_path), writer=idle, steps_per_epoch=2, every_seconds=0
    )
    with checkpoints:
        checkpoints.offer(lambda: snapshot(1))
        checkpoints.discard()
    checkpoints.offer(lambda: snapshot(2))
    with pytest.raises(ZeroDivisionError), checkpoints:
        raise ZeroDivisionError
    assert not (tmp_path / lease.job.id).exists()
