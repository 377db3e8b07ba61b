"""The service itself, and its documentation page."""

import re

import httpx
import pytest
import redis

pytestmark = pytest.mark.anyio


async def test_alive_and_ready(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_a_store_that_may_drop_jobs_is_told_of(http: httpx.AsyncClient, client: redis.Redis) -> None:
    assert (await http.get("/readyz")).json()["warnings"] == []
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        answer = await http.get("/readyz")
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    assert answer.status_code == 200
    (warning,) = answer.json()["warnings"]
    assert "maxmemory-policy is allkeys-lru" in warning


async def test_a_store_that_takes_no_writes_is_warned_of(http: httpx.AsyncClient, client: redis.Redis) -> None:
    client.config_set("maxmemory", "1mb")
    try:
        answer = await http.get("/readyz")
        assert (await http.post("/v1/jobs", json={})).status_code == 503
    finally:
        client.config_set("maxmemory", "0")
    assert answer.status_code == 200
    assert answer.json()["warnings"] == [
        "no job can be submitted: the store takes no writes: its memory is full (maxmemory)"
    ]


async def test_the_documentation_needs_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) >= 3
    for source in sources:
        if source.startswith("data:"):
            continue
        assert "//" not in source
        assert (await http.get(f"/{source}")).status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "<script>" not in page.text
