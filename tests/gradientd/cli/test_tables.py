"""What the tables show at 80 columns, and what `show` tells of a job."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from gradientd.cli.key_store import print_keys
from gradientd.cli.tables import (
    print_checkpoints,
    print_datasets,
    print_job,
    print_jobs,
    print_metrics,
    print_presets,
    print_workers,
)
from jobs.api_keys import KeyLimits, Scope, new_key, new_secret
from jobs.datasets import CATALOGUE
from jobs.ids import new_job_id
from jobs.presets import PRESETS, resolve
from jobs.record import Device, Metrics, Worker
from jobs.spec import CNN, Softmax, Spec
from jobs.states import Status
from jobs.wire import Dataset, KeptCheckpoint, Preset, Series
from store.api_keys import StoredKey
from tests.gradientd.samples import sample_epoch, sample_job, succeeded_job

NOW = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)


class Screen(Console):
    """A terminal of 80 columns, and what is on it."""

    def __init__(self) -> None:
        self.written = io.StringIO()
        super().__init__(file=self.written, width=80, force_terminal=True, color_system=None, highlight=False)

    @property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.written.getvalue().splitlines()


@pytest.fixture
def screen() -> Screen:
    return Screen()


def assert_fits(screen: Screen) -> None:
    """No line is longer than the terminal is wide, and none was cut."""
    assert max(map(len, screen.lines)) <= 80
    assert "…" not in screen.written.getvalue()


def test_every_job_has_its_whole_id(screen: Screen) -> None:
    long = {"labels": "so long that they would take a line of their own, and another one besides"}
    jobs = [
        sample_job(status, id=new_job_id(), spec=Spec(model=CNN()), metadata=long, metrics=succeeded_job().metrics)
        for status in Status
    ]
    print_jobs(screen, jobs, now=NOW)
    assert_fits(screen)
    assert [line.split()[0] for line in screen.lines[1:]] == [job.id for job in jobs]
    assert screen.lines[0].split() == ["id", "status", "done", "model", "accuracy", "created"]


def test_every_worker_has_its_name_and_its_job(screen: Screen) -> None:
    worker = Worker(
        name="worker-12-ab12",
        host="training-machine-7.example.org",
        pid=7,
        devices=(Device(name="/device:GPU:0", kind="gpu", model="NVIDIA H100 80GB HBM3", memory_bytes=2**31),),
        threads=2,
        tensorflow="2.21.0",
        status="busy",
        job_id=new_job_id(),
        started_at=NOW,
        last_heartbeat_at=NOW,
    )
    print_workers(screen, [worker])
    assert_fits(screen)
    assert screen.lines[1].split()[:3] == [worker.name, "busy", worker.job_id]


def test_every_preset_and_dataset_has_its_name_and_all_its_words(screen: Screen) -> None:
    presets = [Preset.of(preset, resolve(Spec(preset=preset.name))) for preset in PRESETS.values()]
    datasets = [Dataset.of(info) for info in CATALOGUE.values()]
    print_presets(screen, presets)
    print_datasets(screen, datasets)
    assert_fits(screen)
    words = " ".join(screen.written.getvalue().split())
    for shown in (*presets, *datasets):
        assert any(line.split()[0] == shown.name for line in screen.lines if line.split())
        assert shown.description.split()[-1] in words


def test_every_key_has_its_id_owner_and_name(screen: Screen) -> None:
    limits = KeyLimits(max_jobs=100, max_queued=50, requests_per_minute=6000, max_body_bytes=10_000)
    key = new_key(new_secret(), owner="alice@example.org", scopes=set(Scope), name="the nightly build", limits=limits)
    print_keys(screen, [StoredKey(key, None)])
    assert_fits(screen)
    assert screen.lines[1].startswith(f"{key.id}  alice@example.org  ")
    assert "  the nightly build" in screen.lines[1]


def test_every_checkpoint_has_its_name(screen: Screen) -> None:
    kept = KeptCheckpoint(
        name="checkpoint-12-469000.npz",
        epoch=1000,
        step=469_000,
        size_bytes=942_000_000,
        sha256="9f" * 32,
        metrics=sample_epoch(3),
        kind="best",
    )
    print_checkpoints(screen, [kept])
    assert_fits(screen)
    assert screen.lines[1].split()[:3] == ["checkpoint-12-469000.npz", "best", "1000"]


def series(**columns: tuple[float | None, ...]) -> Series:
    """Some epochs' metrics."""
    count = len(next(iter(columns.values())))
    return Series(
        job_id=sample_job().id,
        names=tuple(columns),
        epochs=tuple(range(1, count + 1)),
        steps=tuple(71 * epoch for epoch in range(1, count + 1)),
        series=columns,
        points=count,
    )


def test_metrics_are_a_row_an_epoch_and_say_first_how_well_it_learns(screen: Screen) -> None:
    measured: dict[str, Any] = {
        "loss": (0.9275, 12.5),
        "accuracy": (0.6942, 0.75),
        "val_loss": (0.1529, 0.1),
        "val_accuracy": (0.949, 0.96),
        "learning_rate": (0.005, 0.0025),
        "seconds": (2.4, 2.2),
        "examples_per_second": (3716.4, 142_000.0),
        "device_memory_bytes": (None, None),
    }
    print_metrics(screen, series(**measured))
    assert_fits(screen)
    heading = ["epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "examples_per_second"]
    assert screen.lines[0].split() == heading
    assert screen.lines[1].split() == ["1", "71", "0.9275", "0.6942", "0.1529", "0.9490", "3,716"]


def test_show_tells_types_and_what_was_set(screen: Screen) -> None:
    spec = resolve(Spec(model=Softmax(), epochs=3)).model_copy(update={"max_runtime_seconds": 3600})
    print_job(screen, sample_job(spec=spec), usual_runtime_seconds=3600)
    (line,) = (line for line in screen.lines if line.startswith("spec"))
    assert line == (
        'spec      {"dataset": "mnist-10k", "model": {"type": "softmax"}, "loss": "cross_entropy", '
        '"optimizer": {"type": "sgd", "learning_rate": 0.2}, "epochs": 3, "batch_size": 128}'
    )


def test_show_tells_epochs_within_the_terminal(screen: Screen) -> None:
    epoch = sample_epoch(3).model_copy(update={"epoch": 9999, "loss": 1234.5})
    job = sample_job(
        Status.RUNNING,
        metrics=Metrics(latest=epoch, best=epoch),
        progress=sample_job().progress.model_copy(update={"epochs": 10_000}),
    )
    print_job(screen, job)
    told = {line.split()[0]: line for line in screen.lines}
    assert told["latest"] == "latest    epoch  9999/10000  loss 1234.5 acc 0.9000  val loss 0.2000 acc 0.9100"
    assert len(told["best"]) <= 80
    assert told["speed"] == "speed     142,000 examples/s"


@pytest.mark.parametrize(
    ("ago", "words"), [(timedelta(seconds=42), "42 s ago"), (timedelta(days=5), "5 d ago"), (timedelta(-1), "0 s ago")]
)
def test_ages_are_in_one_unit(ago: timedelta, words: str, screen: Screen) -> None:
    print_jobs(screen, [sample_job(created_at=NOW - ago)], now=NOW)
    assert words in screen.lines[1]
