"""API keys: how they are recognised, kept, held to their rate, and revoked."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import redis
from pydantic import SecretStr, ValidationError

from jobs.errors import TooManyJobs, TooManyRequests
from jobs.ids import new_job_id
from jobs.settings import Settings
from jobs.spec import Spec
from jobs.states import Status
from store.access import (
    KeyRing,
    Limits,
    Misconfigured,
    Scope,
    caps,
    check_exposure,
    entry_of,
    key_ring,
    new_key,
    new_secret,
    read_entries,
    summary,
)
from store.jobs import Store
from store.keys import Keys
from store.lanes import Lanes

Do = Callable[[Any], Any]


@pytest.fixture
def ring(settings: Settings) -> KeyRing:
    return key_ring(settings)


def test_a_stored_key_is_known_by_its_secret_until_it_is_revoked(ring: KeyRing, do: Do) -> None:
    secret = new_secret()
    key = new_key(secret, owner="alice", scopes=[Scope.READ], name="laptop", limits=Limits(max_jobs=3))
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
    key = new_key(secret, owner="alice", scopes=Scope, limits=Limits(requests_per_minute=10))
    do(ring.create(key))
    do(ring.admit(secret))
    read = {"hash": client.hgetall, "set": client.smembers, "string": client.get}
    stored = [str(read[str(client.type(name))](name)) for name in client.scan_iter(f"{keys.namespace}:*")]
    assert any(hashlib.sha256(secret.encode()).hexdigest() in text for text in stored)
    assert not any(secret in text or secret.removeprefix("gd_") in text for text in stored)
    assert secret not in repr(key)
    assert key.digest not in repr(key)
    assert "digest" not in summary(key)


@pytest.mark.parametrize("secret", ["", "gd_", "gd_" + "x" * 42, "gd_" + "x" * 44, "gd_" + ":" * 43, "*", "ü" * 46])
def test_a_strange_secret_is_not_looked_up(ring: KeyRing, secret: str) -> None:
    with pytest.raises(StopIteration) as done:
        next(ring.admit(secret))
    assert done.value.value is None


def test_a_rate_lets_a_minutes_requests_through_at_once_and_then_none(ring: KeyRing, do: Do) -> None:
    secret, other = new_secret(), new_secret()
    do(ring.create(new_key(secret, owner="a", scopes=Scope, limits=Limits(requests_per_minute=3))))
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
    key = new_key(secret, owner="a", scopes=Scope, limits=Limits(requests_per_minute=1))
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
    ring = key_ring(settings.model_copy(update={"api_keys": SecretStr(entry), "key_requests_per_minute": 2}))
    do(ring.create(new_key(stored, owner="a", scopes=[Scope.SUBMIT])))
    for secret in (stored, given):
        assert do(ring.admit(secret))
        assert do(ring.admit(secret))
        with pytest.raises(TooManyRequests):
            do(ring.admit(secret))


def test_an_admins_key_is_held_to_its_own_limits_only(settings: Settings, do: Do) -> None:
    settings = settings.model_copy(update={"key_requests_per_minute": 1, "key_max_jobs": 1, "key_max_queued": 2})
    ring, secret = key_ring(settings), new_secret()
    do(ring.create(new_key(secret, owner="root", scopes=[Scope.ADMIN], limits=Limits(max_queued=7))))
    admitted = [do(ring.admit(secret)) for _ in range(3)]
    assert caps(admitted[-1], settings) == (0, 7)
    assert caps(new_key(new_secret(), owner="a", scopes=[Scope.READ]), settings) == (1, 2)


def test_a_key_of_the_settings_needs_no_store(settings: Settings) -> None:
    secret = new_secret()
    entries = entry_of(new_key(secret, owner="env", scopes=[Scope.READ, Scope.SUBMIT]))
    assert entries.startswith("env:read+submit:")
    ring = key_ring(settings.model_copy(update={"api_keys": SecretStr(f" {entries},\n{entries[:-1]}0 ")}))
    with pytest.raises(StopIteration) as done:
        next(ring.admit(secret))
    assert done.value.value.owner == "env"
    assert done.value.value.scopes == {Scope.READ, Scope.SUBMIT}


@pytest.mark.parametrize(
    "entry", ["alice", "alice:read", "alice:read:gd_notahash", "*:read:" + "0" * 64, "a:write:" + "0" * 64, "a::x"]
)
def test_an_unreadable_entry_is_named_by_its_number_only(entry: str) -> None:
    good = "bob:admin:" + "a" * 64
    with pytest.raises(Misconfigured, match="entry 2 of GRADIENTD_API_KEYS") as refused:
        read_entries(f"{good} {entry}")
    assert entry not in str(refused.value)


@pytest.mark.parametrize("owner", ["", "*", "a:b", "a b", "a|b", "x" * 65, "-a"])
def test_an_owners_name_cannot_break_keys_apart(owner: str) -> None:
    with pytest.raises(ValidationError):
        new_key(new_secret(), owner=owner, scopes=[Scope.READ])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "example.org"])
def test_listening_to_others_needs_keys_or_a_clear_word(host: str) -> None:
    with pytest.raises(Misconfigured, match="--insecure"):
        check_exposure(Settings(host=host))
    check_exposure(Settings(host=host, auth="required"))
    check_exposure(Settings(host=host, api_keys=SecretStr("a:read:" + "0" * 64)))
    check_exposure(Settings(host=host, insecure=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone_needs_none(host: str) -> None:
    check_exposure(Settings(host=host))


def test_the_caps_of_an_owner_are_counted_in_the_same_call(store: Store, do: Do) -> None:
    def create(owner: str = "a", **caps: Any) -> str:
        return do(store.create(new_job_id(), Spec(), steps=1, owner=owner, **caps)).job.id

    first, second = create(max_jobs=2, max_queued=2), create(max_jobs=2, max_queued=2)
    with pytest.raises(TooManyJobs, match="2 queued jobs; the key's limit is 2"):
        create(max_queued=2)
    create("b", max_jobs=1)
    claim = do(store.claim("w", token="t", lanes=(Lanes.ANY,)))
    assert claim.job.id == first
    do(store.pause(second))
    with pytest.raises(TooManyJobs, match="2 unfinished jobs; the key's limit is 2"):
        create(max_jobs=2, max_queued=2)
    do(store.cancel(second))
    create(max_jobs=2, max_queued=2)
    assert do(store.get(first)).status is Status.RUNNING


def test_a_repeated_submission_is_no_job_more(store: Store, do: Do) -> None:
    again = {"steps": 1, "owner": "a", "idempotency_key": "k", "digest": "d", "max_jobs": 1}
    first = do(store.create(new_job_id(), Spec(), **again))
    assert do(store.create(new_job_id(), Spec(), **again)).job.id == first.job.id


def test_jobs_of_an_owner_are_told_apart(store: Store, ring: KeyRing, do: Do) -> None:
    ids = [do(store.create(new_job_id(), Spec(), steps=1, owner=owner)).job.id for owner in "ab"]
    assert do(ring.owned("a", ids)) == {ids[0]}
    assert do(ring.owned("a", [])) == frozenset()
