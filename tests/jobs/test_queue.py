"""The doorbell against a real broker: whatever it answers, whoever rings goes on."""

from collections.abc import Iterator

import pytest
import redis

from jobs.keys import Keys
from jobs.lanes import Lanes
from jobs.queue import Doorbell, make_celery
from jobs.settings import Settings

BELLS = Lanes.BELLS[Lanes.ANY]


@pytest.fixture
def doorbell(settings: Settings) -> Iterator[Doorbell]:
    doorbell = Doorbell(make_celery(settings))
    yield doorbell
    doorbell.close()


def test_a_bell_waits_in_its_list(doorbell: Doorbell, client: redis.Redis, keys: Keys) -> None:
    doorbell.ring(BELLS, 2)
    assert client.llen(keys.bells(BELLS)) == 2


def test_a_full_broker_costs_only_the_bell(doorbell: Doorbell, client: redis.Redis, keys: Keys) -> None:
    doorbell.warm()
    client.config_set("maxmemory", "1mb")
    try:
        doorbell.ring(BELLS)
    finally:
        client.config_set("maxmemory", "0")
    assert client.llen(keys.bells(BELLS)) == 0
    doorbell.ring(BELLS)
    assert client.llen(keys.bells(BELLS)) == 1
