"""`/docs` as a person meets it: in a real browser, every button pressed and nothing typed."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from jobs.settings import Settings
from tests.api.browser import CHROMIUM, Page, browsing
from tests.api.test_main import serving
from tests.conftest import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: Debian's package chromium"),
]


def executed(page: Page, operation: dict[str, Any]) -> tuple[str, str]:
    """Status and text of the answer after Try it out and Execute."""
    block = f"#operations-{operation['tags'][0]}-{operation['operationId']}"
    page.click(f"{block} .opblock-summary-control")
    page.click(f"{block} .try-out__btn")
    page.click(f"{block} .execute")
    answer = f"{block} .live-responses-table .response"
    wait_until(lambda: page.text(f"{answer} .response-col_status"), what=f"the answer of {block}")
    return page.text(f"{answer} .response-col_status").split()[0], page.text(answer)


def test_what_needs_no_typing_is_executed_without(settings: Settings, client: redis.Redis, tmp_path: Path) -> None:
    with serving(settings) as (_, url), browsing(f"{url}/docs", tmp_path / "browser") as page:
        found = httpx.get(f"{url}/openapi.json").json()["paths"]
        untyped = [
            operation
            for operations in found.values()
            for operation in operations.values()
            if not any(parameter["required"] for parameter in operation["parameters"])
        ]
        # What lists comes after what creates.
        untyped.sort(key=lambda operation: operation["operationId"] != "create_job")
        statuses = dict[str, str]()
        first: list[dict[str, Any]] = []
        for operation in untyped:
            statuses[operation["operationId"]], text = executed(page, operation)
            if operation["operationId"] == "create_job":
                first = httpx.get(f"{url}/v1/jobs").json()["data"]
                assert len(first) == 1
            if operation["operationId"] == "list_jobs":
                assert first[0]["id"] in text
        assert statuses.pop("create_job") == "202"
        assert len(statuses) >= 7
        assert set(statuses.values()) == {"200"}, statuses

        page.click("#operations-jobs-create_job .execute")
        wait_until(lambda: len(httpx.get(f"{url}/v1/jobs").json()["data"]) == 2, what="a second job of the same button")
