"""Stored API keys: how they are kept, held to their rate, and revoked."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from jobs.api_keys import KeyLimits, Scope, entry_of, new_key, new_secret
from jobs.errors import TooManyRequests
from jobs.settings import Settings
from store.api_keys import KeyRing
from store.keys import Keys

Do = Callable[[Any], Any]


@pytest.fixture
def ring(settings: Settings) -> KeyRing:
    return KeyRing.of(settings)


def test_a_stored_key_is_known_by_its_secret_until_it_is_revoked(ring: KeyRing, do: Do) -> None:
    secret = new_secret()
    key = new_key(secret, owner="alice", scopes=[Scope.READ], name="laptop", limits=KeyLimits(max_jobs=3))
    assert do(ring.admit(secret)) is None
    do(ring.create(key))
    assert do(ring.admit(secret)) == key
    assert do(ring.admit(new_secret())) is None
    ((listed, used_at),) = do(ring.list())
    assert listed == key
    assert used_at is not None
    assert do(ring.revoke(key.id))
    assert do(ring.admit(secret)) is None
    assert do(ring.list()) == ()
    assert not do(ring.revoke(key.id))


def test_only_a_hash_is_kept(ring: KeyRing, do: Do, client: redis.Redis, keys: Keys) -> None:
    secret = new_secret()
    key = new_key(secret, owner="alice", scopes=Scope, limits=KeyLimits(requests_per_minute=10))
    do(ring.create(key))
    do(ring.admit(secret))
    read = {"hash": client.hgetall, "set": client.smembers, "string": client.get}
    stored = [str(read[str(client.type(name))](name)) for name in client.scan_iter(f"{keys.namespace}:*")]
    assert any(hashlib.sha256(secret.encode()).hexdigest() in text for text in stored)
    assert not any(secret in text or secret.removeprefix("gd_") in text for text in stored)


@pytest.mark.parametrize("secret", ["", "gd_", "gd_" + "x" * 42, "gd_" + "x" * 44, "gd_" + ":" * 43, "*", "ü" * 46])
def test_a_strange_secret_is_not_looked_up(ring: KeyRing, secret: str) -> None:
    with pytest.raises(StopIteration) as done:
        next(ring.admit(secret))
    assert done.value.value is None


def test_a_rate_lets_a_minutes_requests_through_at_once_and_then_none(ring: KeyRing, do: Do) -> None:
    secret, other = new_secret(), new_secret()
    do(ring.create(new_key(secret, owner="a", scopes=Scope, limits=KeyLimits(requests_per_minute=3))))
    do(ring.create(new_key(other, owner="a", scopes=Scope)))
    for _ in range(3):
        do(ring.admit(secret))
    with pytest.raises(TooManyRequests, match="3 requests a minute") as refused:
        do(ring.admit(secret))
    assert 18 <= refused.value.retry_after_seconds <= 20
    for _ in range(5):
        do(ring.admit(other))


def test_time_gives_requests_back(ring: KeyRing, do: Do, client: redis.Redis, keys: Keys) -> None:
    secret = new_secret()
    key = new_key(secret, owner="a", scopes=Scope, limits=KeyLimits(requests_per_minute=1))
    do(ring.create(key))
    do(ring.admit(secret))
    name = f"{keys.namespace}:rate:{key.id}"
    assert 60_000 < client.pttl(name) <= 120_000
    due = client.get(name)
    assert due
    client.set(name, int(due) - 60_000_000, px=1000)  # as after a minute
    do(ring.admit(secret))
    with pytest.raises(TooManyRequests):
        do(ring.admit(secret))


def test_a_rate_of_the_settings_holds_for_every_key_without_its_own(settings: Settings, do: Do) -> None:
    stored, given = new_secret(), new_secret()
    entry = entry_of(new_key(given, owner="env", scopes=[Scope.READ]))
    ring = KeyRing.of(settings.model_copy(update={"api_keys": SecretStr(entry), "key_requests_per_minute": 2}))
    do(ring.create(new_key(stored, owner="a", scopes=[Scope.SUBMIT])))
    for secret in (stored, given):
        assert do(ring.admit(secret))
        assert do(ring.admit(secret))
        with pytest.raises(TooManyRequests):
            do(ring.admit(secret))


def test_an_admins_key_is_held_to_its_own_rate_only(settings: Settings, do: Do) -> None:
    ring, secret = KeyRing.of(settings.model_copy(update={"key_requests_per_minute": 1})), new_secret()
    do(ring.create(new_key(secret, owner="root", scopes=[Scope.ADMIN], limits=KeyLimits(max_queued=7))))
    assert all(do(ring.admit(secret)) for _ in range(3))


def test_a_key_of_the_settings_needs_no_store(settings: Settings) -> None:
    secret = new_secret()
    entries = entry_of(new_key(secret, owner="env", scopes=[Scope.READ, Scope.SUBMIT]))
    ring = KeyRing.of(settings.model_copy(update={"api_keys": SecretStr(f" {entries},\n{entries[:-1]}0 ")}))
    with pytest.raises(StopIteration) as done:
        next(ring.admit(secret))
    assert done.value.value.owner == "env"
    assert done.value.value.scopes == {Scope.READ, Scope.SUBMIT}


def test_a_clock_set_back_holds_no_key_up_for_longer_than_its_rate(
    ring: KeyRing, do: Do, client: redis.Redis, keys: Keys
) -> None:
    secret = new_secret()
    key = new_key(secret, owner="alice", scopes=[Scope.READ], limits=KeyLimits(requests_per_minute=1))
    do(ring.create(key))
    do(ring.admit(secret))
    rate = f"{keys.namespace}:rate:{key.id}"
    client.set(rate, int(client.get(rate) or 0) + 3_600_000_000, ex=60)
    used = f"{keys.namespace}:key:{key.id}"
    client.hset(used, "last_used_at", str(int(client.hget(used, "last_used_at") or 0) + 3_600_000))
    assert do(ring.admit(secret)) == key
    assert int(client.hget(used, "last_used_at") or 0) <= client.time()[0] * 1000 + 1000
    with pytest.raises(TooManyRequests):
        do(ring.admit(secret))


def test_a_key_that_a_newer_version_stored_is_known_and_a_broken_one_is_not(
    ring: KeyRing, do: Do, client: redis.Redis, keys: Keys
) -> None:
    secret = new_secret()
    key = new_key(secret, owner="alice", scopes=[Scope.READ])
    newer = {**key.model_dump(mode="json"), "newer": 1}
    newer["limits"]["newer"] = 1
    client.hset(f"{keys.namespace}:key:{key.id}", "record", json.dumps(newer))
    client.sadd(f"{keys.namespace}:keys", key.id)
    assert do(ring.admit(secret)) == key
    assert do(ring.list())[0].key == key
    client.hset(f"{keys.namespace}:key:{key.id}", "record", "{")
    assert do(ring.admit(secret)) is None
