"""Workers, presets, datasets."""

from typing import Any

import httpx
import pytest

from store.jobs import Store
from tests.api.conftest import Do, worker

pytestmark = pytest.mark.anyio


async def test_live_workers_are_listed_with_their_devices(http: httpx.AsyncClient, store: Store, do: Do) -> None:
    assert (await http.get("/v1/workers")).json()["data"] == []
    for name, gpus in (("b", 1), ("a", 0)):
        do(store.present(worker(name, gpus=gpus), lifetime_seconds=60))
    page = (await http.get("/v1/workers")).json()
    assert [row["name"] for row in page["data"]] == ["a", "b"]
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("a", "b", False)
    assert page["data"][1]["devices"][1]["memory_growth"] is True
    do(store.absent("a"))
    assert [row["name"] for row in (await http.get("/v1/workers")).json()["data"]] == ["b"]


async def test_every_preset_can_be_submitted_and_is_what_it_says(http: httpx.AsyncClient, submit: Any) -> None:
    presets = (await http.get("/v1/presets")).json()["data"]
    assert presets[0]["name"] == "textbook"
    for preset in presets:
        assert (await submit(preset=preset["name"]))["spec"] == preset["spec"]


async def test_every_dataset_can_be_named(http: httpx.AsyncClient, submit: Any) -> None:
    datasets = (await http.get("/v1/datasets")).json()["data"]
    assert {row["name"] for row in datasets} >= {"mnist-10k", "mnist"}
    for row in datasets:
        assert row["object"] == "dataset"
        await submit(dataset=row["name"])
