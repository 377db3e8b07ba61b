"""A trainer that lives but does not speak is killed; any other process is not."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from jobs.record import Worker
from jobs.settings import Settings
from store.calls import connect
from store.jobs import Store
from tests.conftest import free_port
from worker.lease.process_watchdog import Process, ProcessWatchdog, kill, process

Do = Callable[[Any], Any]


@pytest.fixture
def trainer() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is killed."""
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as trainer:
        yield trainer
        trainer.kill()


def present(name: str, pid: int) -> Worker:
    now = datetime.now(UTC)
    return Worker(
        name=name,
        host="h",
        pid=pid,
        devices=(),
        threads=1,
        tensorflow="2",
        status="idle",
        started_at=now,
        last_heartbeat_at=now,
    )


@pytest.fixture
def guard(client: redis.Redis, store: Store, trainer: subprocess.Popen[bytes]) -> ProcessWatchdog:
    """Gives up after five looks."""
    return ProcessWatchdog(
        "w", client=client, store=store, beat_seconds=store.lease_seconds / 4, trainers=lambda: [trainer.pid]
    )


def test_a_trainer_that_falls_silent_is_killed(
    guard: ProcessWatchdog, store: Store, do: Do, trainer: subprocess.Popen[bytes]
) -> None:
    do(store.present(present("w", trainer.pid), lifetime_seconds=60))
    guard.look()
    do(store.absent("w"))
    for _ in range(4):
        guard.look()
    assert trainer.poll() is None
    guard.look()
    assert trainer.wait(10) == -signal.SIGKILL


def test_a_full_store_that_no_trainer_can_speak_to_proves_nothing(
    guard: ProcessWatchdog, client: redis.Redis, store: Store, do: Do, trainer: subprocess.Popen[bytes]
) -> None:
    do(store.present(present("w", trainer.pid), lifetime_seconds=60))
    guard.look()
    do(store.absent("w"))
    client.config_set("maxmemory", "1mb")
    try:
        for _ in range(20):
            guard.look()
    finally:
        client.config_set("maxmemory", "0")
    for _ in range(4):
        guard.look()
    assert trainer.poll() is None


def test_a_trainer_that_never_spoke_is_still_starting(guard: ProcessWatchdog, trainer: subprocess.Popen[bytes]) -> None:
    for _ in range(20):
        guard.look()
    assert trainer.poll() is None


def test_speaking_again_forgives(
    guard: ProcessWatchdog, store: Store, do: Do, trainer: subprocess.Popen[bytes]
) -> None:
    for _ in range(4):
        do(store.present(present("w", trainer.pid), lifetime_seconds=60))
        guard.look()
        do(store.absent("w"))
        for _ in range(4):
            guard.look()
    assert trainer.poll() is None


def test_a_pid_that_another_worker_names_is_not_ours(
    guard: ProcessWatchdog, store: Store, do: Do, trainer: subprocess.Popen[bytes]
) -> None:
    do(store.present(present("other", trainer.pid), lifetime_seconds=60))
    guard.look()
    do(store.absent("other"))
    for _ in range(20):
        guard.look()
    assert trainer.poll() is None


def test_a_store_that_is_away_proves_nothing(settings: Settings, trainer: subprocess.Popen[bytes]) -> None:
    away = settings.model_copy(update={"redis_url": type(settings.redis_url)(f"redis://127.0.0.1:{free_port()}/0")})
    with connect(away) as client:
        with pytest.raises(redis.ConnectionError):
            client.ping()
        guard = ProcessWatchdog(
            "w", client=client, store=Store.of(settings), beat_seconds=99, trainers=lambda: [trainer.pid]
        )
        guard._known = process(trainer.pid)
        for _ in range(5):
            guard.look()
    assert trainer.poll() is None


def test_only_the_process_that_was_known_is_killed(trainer: subprocess.Popen[bytes]) -> None:
    known = process(trainer.pid)
    assert known
    assert not kill(Process(known.pid, "1"))
    assert trainer.poll() is None
    assert kill(known)
    assert trainer.wait(10) == -signal.SIGKILL


def test_there_is_no_such_process() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(30)
    assert process(gone.pid) is None
    own = process(os.getpid())
    assert own
    assert own.pid == os.getpid()
