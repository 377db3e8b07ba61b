"""The doorbell against a real broker: whatever it answers, whoever rings goes on."""

from collections.abc import Iterator

import pytest
import redis

from jobs.settings import Settings
from store.doorbell import Doorbell, make_celery
from store.keys import Keys
from store.lanes import Lanes

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
