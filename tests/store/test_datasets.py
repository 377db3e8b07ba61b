"""Versions of datasets: numbered, bounded, and never taken from under a job."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from jobs.dataset_versions import DatasetInUse, DatasetNotFound, DatasetRef, DatasetVersion, StorageFull
from jobs.errors import GradientdError
from jobs.settings import Settings
from jobs.spec import Spec
from store.calls import connect, run
from store.datasets import DatasetStore
from store.jobs import Store
from store.keys import Keys

MOST = 1000
NAME = DatasetRef("iris")


def upload(number: int = 1, *, name: str = "iris", size: int = 100, **changes: Any) -> DatasetVersion:
    """The n-th upload of a dataset, not published yet."""
    return DatasetVersion.model_validate(
        {
            "name": name,
            "sha256": f"{number:064x}",
            "options_sha256": "0" * 64,
            "kind": "table",
            "task": "classification",
            "shape": (4,),
            "dtype": "float32",
            "classes": ("a", "b"),
            "train_examples": 80,
            "test_examples": 20,
            "size_bytes": size,
            "stored_bytes": size,
            "folder": f"{number:016x}",
            "created_at": datetime.now(UTC),
            **changes,
        }
    )


class Owner:
    """What an owner does."""

    def __init__(self, client: redis.Redis, settings: Settings, name: str = "alice") -> None:
        self.client = client
        self.datasets = DatasetStore.of(settings)
        self.jobs = Store.of(settings)
        self.name = name

    def publish(self, version: DatasetVersion, *, most_bytes: int = MOST) -> tuple[int, bool]:
        """Number, and whether it is new."""
        published = run(self.client, self.datasets.publish(self.name, "token", version, most_bytes=most_bytes))
        assert published.version == version.numbered(published.version.version) or not published.created
        return published.version.version, published.created

    def reserve(self, token: str, size: int, *, most_bytes: int = MOST) -> None:
        run(self.client, self.datasets.reserve(self.name, token, wanted_bytes=size, most_bytes=most_bytes))

    def release(self, token: str) -> None:
        run(self.client, self.datasets.release(self.name, token))

    def get(self, ref: str) -> DatasetVersion:
        return run(self.client, self.datasets.get(self.name, DatasetRef.read(ref)))

    def names(self, **options: Any) -> tuple[list[str], bool]:
        page = run(self.client, self.datasets.list(self.name, **{"limit": 100, **options}))
        return [str(version.ref) for version in page.versions], page.has_more

    def delete(self, ref: str) -> list[int]:
        return [version.version for version in run(self.client, self.datasets.delete(self.name, DatasetRef.read(ref)))]

    def submit(self, job_id: str, ref: str) -> None:
        run(self.client, self.jobs.create(job_id, Spec(), steps=1, owner=self.name, dataset=DatasetRef.read(ref)))

    def cancel(self, job_id: str) -> None:
        run(self.client, self.jobs.cancel(job_id))


@pytest.fixture
def alice(client: redis.Redis, settings: Settings) -> Owner:
    return Owner(client, settings)


@pytest.fixture
def bob(client: redis.Redis, settings: Settings) -> Owner:
    return Owner(client, settings, "bob")


def test_uploads_are_numbered_and_the_newest_is_the_dataset(alice: Owner) -> None:
    assert [alice.publish(upload(n)) for n in (1, 2, 3)] == [(1, True), (2, True), (3, True)]
    assert alice.get("iris") == alice.get("iris@3")
    assert alice.get("iris@1").sha256 == upload(1).sha256
    versions = run(alice.client, alice.datasets.versions("alice", "iris"))
    assert [version.version for version in versions] == [1, 2, 3]


def test_the_same_upload_again_is_the_same_version(alice: Owner) -> None:
    assert alice.publish(upload(1)) == (1, True)
    assert alice.publish(upload(1, folder="f" * 16)) == (1, False)
    assert alice.get("iris").folder == upload(1).folder
    assert alice.publish(upload(1, options_sha256="1" * 64)) == (2, True)
    assert alice.publish(upload(1)) == (3, True)


def test_the_number_of_a_deleted_version_never_comes_again(alice: Owner) -> None:
    for number in (1, 2):
        alice.publish(upload(number))
    assert alice.delete("iris@2") == [2]
    assert alice.get("iris").version == 1
    assert alice.publish(upload(2)) == (3, True)
    assert sorted(alice.delete("iris")) == [1, 3]
    assert alice.names() == ([], False)
    assert alice.publish(upload(1)) == (4, True)


def test_nobody_sees_anothers(alice: Owner, bob: Owner) -> None:
    alice.publish(upload(1))
    assert bob.publish(upload(2)) == (1, True)
    assert bob.get("iris").sha256 == upload(2).sha256
    bob.delete("iris")
    with pytest.raises(DatasetNotFound, match="there is no iris"):
        bob.get("iris")
    assert alice.names() == (["iris@1"], False)


def test_a_list_goes_on_after_a_name(alice: Owner) -> None:
    for name in ("c", "a", "b-1", "b"):
        alice.publish(upload(1, name=name))
    assert alice.names(limit=2) == (["a@1", "b@1"], True)
    assert alice.names(limit=2, after="b") == (["b-1@1", "c@1"], False)


@pytest.mark.parametrize("ref", ["none", "iris@2", "iris@0", "iris@x", "iris@01", "../iris", "iris@", "A", ""])
def test_what_is_not_there_is_told(alice: Owner, ref: str) -> None:
    alice.publish(upload(1))
    for attempt in (alice.get, alice.delete):
        with pytest.raises(DatasetNotFound):
            attempt(ref)


def test_bytes_are_set_aside_before_they_come(alice: Owner, bob: Owner) -> None:
    alice.publish(upload(1, size=300))
    alice.reserve("one", 400)
    alice.reserve("one", 500)
    with pytest.raises(StorageFull, match=r"^201 bytes beside the 800 that are stored or on their way .* the 1,000"):
        alice.reserve("two", 201)
    bob.reserve("one", 1000)
    alice.reserve("two", 200)
    alice.release("one")
    alice.reserve("two", 700)


def test_what_is_published_takes_the_place_of_what_was_set_aside(alice: Owner) -> None:
    alice.reserve("token", 900)
    alice.reserve("other", 100)
    with pytest.raises(StorageFull):
        alice.publish(upload(1, size=901))
    assert alice.publish(upload(1, size=850)) == (1, True)
    alice.reserve("third", 50)
    with pytest.raises(StorageFull):
        alice.reserve("fourth", 1)
    alice.delete("iris")
    alice.reserve("fourth", 850)


def test_bytes_set_aside_come_free_when_nothing_is_heard(
    alice: Owner, client: redis.Redis, keys: Keys, settings: Settings
) -> None:
    alice.reserve("dead", 900)
    reserved = f"{settings.namespace}:reserved:alice"
    assert 0 < client.ttl(reserved) <= 3600
    client.hset(reserved, "dead", "900 1")
    alice.reserve("one", 1000)
    assert client.hkeys(reserved) == ["one"]


def test_a_version_that_a_job_needs_stays(alice: Owner) -> None:
    for number in (1, 2):
        alice.publish(upload(number))
    alice.submit("job_1", "iris@1")
    for ref in ("iris@1", "iris"):
        with pytest.raises(DatasetInUse, match="is needed by job_1") as refused:
            alice.delete(ref)
        assert refused.value.jobs == ("job_1",)
    assert alice.delete("iris@2") == [2]
    alice.cancel("job_1")
    assert alice.delete("iris@1") == [1]


def test_a_job_for_a_version_that_is_gone_is_refused(alice: Owner, bob: Owner) -> None:
    alice.publish(upload(1))
    for owner, ref in ((alice, "iris@2"), (bob, "iris@1")):
        with pytest.raises(DatasetNotFound):
            owner.submit("job_1", ref)
    assert run(alice.client, alice.jobs.answered("x", owner="alice", digest="x")) is None


def test_jobs_that_are_final_do_not_pile_up(alice: Owner, client: redis.Redis, settings: Settings) -> None:
    alice.publish(upload(1))
    for number in range(60):
        alice.submit(f"job_{number}", "iris@1")
        alice.cancel(f"job_{number}")
    assert client.scard(f"{settings.namespace}:dataset:alice:iris:1:jobs") <= 10


@pytest.fixture
def second(settings: Settings) -> Iterator[redis.Redis]:
    with connect(settings) as client:
        yield client


def test_a_submission_and_a_deletion_at_once_leave_no_job_without_its_dataset(
    alice: Owner, second: redis.Redis, settings: Settings
) -> None:
    other = Owner(second, settings)
    outcomes: set[tuple[bool, bool]] = set()
    for number in range(200):
        version, _ = alice.publish(upload(number, size=1))
        ref, job_id = f"iris@{version}", f"job_{number}"
        meet = threading.Barrier(2)

        def attempt(what: Any, *arguments: str, meet: threading.Barrier = meet) -> bool:
            meet.wait()
            try:
                what(*arguments)
            except GradientdError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            submitted = pool.submit(attempt, alice.submit, job_id, ref)
            deleted = pool.submit(attempt, other.delete, ref)
            outcome = submitted.result(), deleted.result()
        assert outcome in {(True, False), (False, True)}
        outcomes.add(outcome)
        if outcome[0]:
            assert alice.get(ref).version == version
            alice.cancel(job_id)
    assert outcomes


def test_the_bound_on_stored_bytes_holds_however_many_upload_at_once(alice: Owner, settings: Settings) -> None:
    def one(number: int) -> int:
        with connect(settings) as client:
            owner = Owner(client, settings)
            try:
                owner.reserve(str(number), 90)
            except StorageFull:
                return 0
            version = upload(number, name=f"d{number % 7}", size=80 + number % 10)
            run(client, owner.datasets.publish("alice", str(number), version, most_bytes=MOST))
            return version.stored_bytes

    with ThreadPoolExecutor(16) as pool:
        taken = sum(pool.map(one, range(50)))
    assert MOST - 180 < taken <= MOST
    with pytest.raises(StorageFull, match=rf"beside the {taken:,} that"):
        alice.reserve("more", 1000 - taken + 1)
