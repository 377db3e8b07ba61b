"""Uploaded weights in the store: by owner and name, counted in the owner's room."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from jobs.dataset_versions import StorageFull
from jobs.settings import Settings
from jobs.uploaded_weights import NamedArray, UploadedWeights, WeightsNotFound
from store.datasets import DatasetStore
from store.keys import Keys
from store.weights import WeightsStore

Do = Callable[[Any], Any]


@pytest.fixture
def weights(settings: Settings) -> WeightsStore:
    return WeightsStore.of(settings)


def upload(name: str, sha256: str = "aa", *, size: int = 10) -> UploadedWeights:
    return UploadedWeights(
        name=name,
        sha256=sha256,
        size_bytes=size,
        arrays=(NamedArray(name="output/kernel", shape=(3, 2), dtype="float32"),),
        file_sha256="bb",
        stored_bytes=size,
        folder=f"{sha256}{name}".ljust(32, "0"),
        created_at=datetime.now(UTC),
    )


def stored_bytes(client: redis.Redis, keys: Keys) -> int:
    found: Any = client.get(f"{keys.namespace}:stored:o")
    return int(found or 0)


def test_a_name_stands_for_its_last_upload(weights: WeightsStore, do: Do, client: redis.Redis, keys: Keys) -> None:
    first, second = upload("mine"), upload("mine", "cc", size=4)
    assert do(weights.publish("o", "t", first, most_bytes=100)) == (first, True, None)
    assert do(weights.publish("o", "t", upload("mine"), most_bytes=100))[:2] == (first, False)
    assert do(weights.publish("o", "t", second, most_bytes=100)) == (second, True, first)
    assert do(weights.get("o", "mine")) == second
    assert stored_bytes(client, keys) == 4
    assert do(weights.delete("o", "mine")) == second
    assert stored_bytes(client, keys) == 0
    for operation in (weights.get("o", "mine"), weights.delete("o", "mine")):
        with pytest.raises(WeightsNotFound, match="no weights 'mine'"):
            do(operation)


def test_nobody_sees_anothers(weights: WeightsStore, do: Do) -> None:
    do(weights.publish("o", "t", upload("mine"), most_bytes=100))
    with pytest.raises(WeightsNotFound):
        do(weights.get("p", "mine"))
    assert do(weights.list("p", limit=10)).weights == ()
    do(weights.publish("p", "t", upload("yours"), most_bytes=100))
    assert do(weights.folders()) == {upload("mine").folder, upload("yours").folder}


def test_a_list_goes_by_name_and_page(weights: WeightsStore, do: Do) -> None:
    for name in ("c", "a", "b"):
        do(weights.publish("o", "t", upload(name), most_bytes=100))
    first = do(weights.list("o", limit=2))
    assert ([each.name for each in first.weights], first.has_more) == (["a", "b"], True)
    last = do(weights.list("o", after="b", limit=2))
    assert ([each.name for each in last.weights], last.has_more) == (["c"], False)


def test_they_share_the_room_of_their_owners_datasets(weights: WeightsStore, settings: Settings, do: Do) -> None:
    datasets = DatasetStore.of(settings)
    do(weights.publish("o", "t", upload("mine", size=60), most_bytes=100))
    with pytest.raises(StorageFull):
        do(datasets.reserve("o", "other", wanted_bytes=50, most_bytes=100))
    with pytest.raises(StorageFull):
        do(weights.publish("o", "t", upload("more", size=50), most_bytes=100))
    do(weights.publish("o", "t", upload("mine", "cc", size=90), most_bytes=100))
    do(datasets.reserve("o", "other", wanted_bytes=10, most_bytes=100))
    with pytest.raises(StorageFull):
        do(weights.publish("o", "t", upload("mine", "dd", size=95), most_bytes=100))
    do(datasets.release("o", "other"))
