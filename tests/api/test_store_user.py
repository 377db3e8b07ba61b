"""The service as a user of the store with those rights alone that docs/redis.md gives."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from pydantic import SecretStr

from api.app import create_app
from jobs.ids import new_job_id
from jobs.settings import Settings
from jobs.states import Reason, Status
from store.calls import connect, run
from store.jobs import Store
from store.lanes import Lanes
from tests.api.conftest import talk_to

DOCS = Path(__file__).parents[2] / "docs" / "redis.md"

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def confined(settings: Settings, client: redis.Redis) -> Iterator[Settings]:
    """Settings of that user, with the namespace in the place of the documented one."""
    (line,) = re.findall(r"^ACL SETUSER trainer (.*)$", DOCS.read_text(), re.MULTILINE)
    rights = line.replace("gradientd", settings.namespace).split()
    client.execute_command("ACL", "SETUSER", settings.namespace, *rights)
    address = urlsplit(settings.redis_url.get_secret_value())
    url = f"redis://{settings.namespace}:PASSWORD@{address.hostname}:{address.port}{address.path}"
    yield settings.model_copy(update={"redis_url": SecretStr(url)})
    client.execute_command("ACL", "DELUSER", settings.namespace)


async def test_it_serves_and_works(confined: Settings, client: redis.Redis) -> None:
    client.execute_command("ACL", "LOG", "RESET")
    app = create_app(confined)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.get("/v1/workers")).json()["data"] == []
        job_id = (await http.post("/v1/jobs", json={"epochs": 1})).json()["id"]
        store = Store.of(confined)
        with connect(confined) as own:
            claim = run(own, store.claim("w", token=new_job_id(), lanes=(Lanes.ANY,)))
            assert claim
            assert claim.job.id == job_id
            run(own, store.upkeep(every_seconds=0))
            assert run(own, store.requeue(job_id, claim.fence, reason=Reason.WORKER_DRAINED)) is Status.QUEUED
        assert (await http.post(f"/v1/jobs/{job_id}/cancel")).json()["status"] == "cancelled"
    refused: Any = client.execute_command("ACL", "LOG")
    assert [entry for entry in refused if confined.namespace in str(entry)] == []
