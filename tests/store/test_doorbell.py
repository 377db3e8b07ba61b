"""The doorbell against a real broker: whatever it answers, whoever rings goes on."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from jobs.settings import Settings
from store.doorbell import Doorbell, forget_other_apps, make_celery
from store.keys import Keys
from store.lanes import Lanes

ROOT = Path(__file__).parents[2]
WAKE_QUEUES = Lanes.WAKE_QUEUES[Lanes.ANY]


@pytest.fixture
def doorbell(settings: Settings) -> Iterator[Doorbell]:
    doorbell = Doorbell(make_celery(settings))
    yield doorbell
    doorbell.close()


def test_a_bell_waits_in_its_list(doorbell: Doorbell, client: redis.Redis, keys: Keys) -> None:
    doorbell.ring(WAKE_QUEUES, 2)
    assert client.llen(keys.wake_queue(WAKE_QUEUES)) == 2


def test_a_full_broker_costs_only_the_bell(doorbell: Doorbell, client: redis.Redis, keys: Keys) -> None:
    doorbell.warm()
    client.config_set("maxmemory", "1mb")
    try:
        doorbell.ring(WAKE_QUEUES)
    finally:
        client.config_set("maxmemory", "0")
    assert client.llen(keys.wake_queue(WAKE_QUEUES)) == 0
    doorbell.ring(WAKE_QUEUES)
    assert client.llen(keys.wake_queue(WAKE_QUEUES)) == 1


def test_a_bell_that_waits_is_heard_although_the_broker_is_full(
    doorbell: Doorbell, settings: Settings, client: redis.Redis
) -> None:
    doorbell.ring(WAKE_QUEUES)
    celery = make_celery(settings)
    queue = next(queue for queue in celery.conf.task_queues if queue.name == WAKE_QUEUES)
    heard: list[Any] = []
    with celery.connection() as connection, connection.Consumer(queue, callbacks=[_into(heard)]):
        client.config_set("maxmemory", "1mb")
        try:
            connection.drain_events(timeout=20)
            # What a worker's timers do, over and over.
            transport: Any = connection.transport
            transport.cycle.maybe_restore_messages()
        finally:
            client.config_set("maxmemory", "0")
    assert len(heard) == 1


def _into(heard: list[Any]) -> Callable[[Any, Any], None]:
    def hear(body: Any, message: Any) -> None:
        heard.append(body)
        message.ack()

    return hear


STRANGERS = (
    "jobs",
    "store",
    "worker",
    "api",
    "gradientd",
    "redis",
    "celery",
    "kombu",
    "numpy",
    "tensorflow",
    "stranger",
)
"""Modules of a user's own in the current directory, under names that we and our libraries have too."""


def test_nothing_is_imported_from_the_current_directory(tmp_path: Path) -> None:
    for name in STRANGERS:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} was executed')")
    program = """if True:
        import pickle
        from jobs.settings import Settings
        from store.doorbell import make_celery
        celery = make_celery(Settings())
        celery.conf.include = ["stranger"]
        for celery in (celery, pickle.loads(pickle.dumps(celery))):
            try:
                celery.loader.init_worker()
            except ModuleNotFoundError as error:
                print(error.name)
    """
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "stranger.settings"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["stranger", "stranger"], "")


def test_another_applications_environment_is_not_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://another/0")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "stranger.settings")
    forget_other_apps()
    assert make_celery(Settings()).connection_for_write().as_uri().endswith("@127.0.0.1:6379/0")
    assert "DJANGO_SETTINGS_MODULE" not in os.environ
