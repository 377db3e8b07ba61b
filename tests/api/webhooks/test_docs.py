"""The receiver that docs/webhooks.md begins with takes what is sent, once, and refuses what is not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.webhooks.addresses import Resolver
from api.webhooks.sender import Answer, Sender
from jobs.webhook_messages import WAITS
from tests.api.webhooks.receiver import SECRET
from tests.conftest import free_port, wait_until

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def documented(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The receiver of the docs: its URL, and where its output goes."""
    port, told = free_port(), tmp_path / "told"
    with told.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, DOCS / "webhook_receiver.py", str(port)],
            env={"WEBHOOK_SECRET": SECRET},
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
    url = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        try:
            return httpx.get(url, trust_env=False).status_code == 501
        except httpx.TransportError:
            return False

    wait_until(answers, what="the receiver")
    yield url, told
    process.kill()
    process.wait()


@pytest.mark.anyio
async def test_the_documented_receiver_tells_each_message_once(
    anyio_backend: str, documented: tuple[str, Path]
) -> None:
    url, told = documented
    sender = Sender(resolver := Resolver(), allow_private=True, user_agent="test")
    body = '{"type":"job.succeeded","data":{"job_id":"job_1","status":"succeeded"}}'
    for message_id in ("msg_1", "msg_1", "msg_2"):
        assert await sender(url, body, message_id=message_id, secret=SECRET) == Answer(204)
    assert await sender(url, body, message_id="msg_3", secret="whsec_" + "A" * 32) == Answer(400)
    await sender.aclose()
    resolver.close()
    assert told.read_text() == "job.succeeded job_1 succeeded\n" * 2


def test_the_documented_waits_are_those_that_are_kept() -> None:
    text = " ".join((DOCS / "webhooks.md").read_text().split())
    seconds = [wait for wait in WAITS if wait < 60]
    minutes = [wait // 60 for wait in WAITS if 60 <= wait < 3600]
    hours = [wait // 3600 for wait in WAITS if wait >= 3600]
    told = f"{', '.join(map(str, seconds))} s, {', '.join(map(str, minutes))} min, {', '.join(map(str, hours))} h"
    assert f"tried again after {told}, each a tenth more or less" in text
